"""The names of the metrics, in one place: gauges are read from the ledger when they are scraped."""

RUNS = "tbops_runs"  # by state
TICKS_BEHIND_SECONDS = "tbops_ticks_behind_seconds"  # age of the oldest due run
INBOX_OPEN = "tbops_inbox_open"
MESSAGES_BEHIND = "tbops_messages_behind"
INCIDENTS_OPEN = "tbops_incidents_open"  # by environment and kind
WATCH_LOOKED = "tbops_watch_last_look_timestamp_seconds"  # by environment: when a look last came to its end
WATCH_BEHIND_SECONDS = "tbops_watch_behind_seconds"  # by environment: how long ago that was
WATCH_FAILING_SECONDS = "tbops_watch_failing_seconds"  # by environment: how long no look has; 0 where all is well
