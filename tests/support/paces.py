"""Paces of the stand-ins for tests of faults: what is tried there is what happens between them."""

# Knobs, by the platform's clock.
PACES = {
    "sequin__backfill_rows_per_s": 100_000.0,
    "sequin__backfill_page_rows": 1_000,  # sent whole within 9 s or once more: sandbox/sequin/kafka_out.py
    "sequin__slot_restart_s": 1.0,
    "sequin__backfill_start_delay_s": 5.0,
    "sequin__catalog_lag_s": 0.5,
    "connect__offset_flush_s": 1.0,
}

# A backfill that goes on until a test is done with it (two minutes of ours for members), and one that is let go.
SLOW = {"sequin__backfill_rows_per_s": 2.0, "sequin__backfill_page_rows": 20}
FAST = {name: PACES[name] for name in SLOW}
