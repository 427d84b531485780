-- What a run left behind its end, and who takes it up; what a refusal asks for.

ALTER TABLE ledger.run
    ADD COLUMN untyped text,            -- refused because this field has no type: people may choose one
    ADD COLUMN finishes bigint REFERENCES ledger.run (id),  -- asked for by a retry: the first run of the line it is in
    ADD COLUMN reminded_at timestamptz; -- the calendar: people were last reminded of what it left stopped

CREATE INDEX run_finishes ON ledger.run (finishes) WHERE finishes IS NOT NULL;

-- A run that finishes what another left takes that one's entries over: no step of its own plan stored them.
CREATE INDEX step_left ON ledger.step (run) WHERE state = 'left';
