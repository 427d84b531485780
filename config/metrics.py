"""The names of the metrics, in one place: gauges are read from the ledger when they are scraped."""

RUNS = "tbops_runs"  # by state
TICKS_BEHIND_SECONDS = "tbops_ticks_behind_seconds"  # age of the oldest due run
INBOX_OPEN = "tbops_inbox_open"
MESSAGES_BEHIND = "tbops_messages_behind"
INCIDENTS_OPEN = "tbops_incidents_open"
