-- The ledger: what happened and who may. Postgres is the truth, Redis is only the doorbell (DESIGN §1).

CREATE SCHEMA IF NOT EXISTS ledger;

-- Calendar time: clock_timestamp(), unless the connection was opened with `-c tbops.clock=sandbox`, in
-- which case it is the sandbox's platform clock. Leases never use it.
CREATE TABLE ledger.clock (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    origin      timestamptz NOT NULL,
    wall        timestamptz NOT NULL,
    speed       double precision NOT NULL DEFAULT 1,
    advanced    interval NOT NULL DEFAULT '0'
);

CREATE FUNCTION ledger.now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE c ledger.clock;
BEGIN
    IF coalesce(current_setting('tbops.clock', true), '') = 'sandbox' THEN
        SELECT * INTO c FROM ledger.clock;
        IF FOUND THEN
            RETURN c.origin + (clock_timestamp() - c.wall) * c.speed + c.advanced;
        END IF;
    END IF;
    RETURN clock_timestamp();
END $$;

-- Seconds of the calendar in one second of the machine: 1, unless the connection is on the sandbox's clock.
CREATE FUNCTION ledger.speed() RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN coalesce(current_setting('tbops.clock', true), '') = 'sandbox'
        THEN coalesce((SELECT speed FROM ledger.clock), 1) ELSE 1 END
$$;

-- Everything that people sent, exactly once per delivery.
CREATE TABLE ledger.inbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedup       text NOT NULL UNIQUE,   -- trigger_id | event_id | action_ts + user + value
    kind        text NOT NULL,          -- command | mention | action | view | home
    payload     jsonb NOT NULL,         -- what is needed of it, no tokens
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    handled_at  timestamptz,
    reminded_at timestamptz,            -- "I have it, no worker has taken it yet" was said
    attempts    int NOT NULL DEFAULT 0,
    outcome     text
);
CREATE INDEX inbox_open ON ledger.inbox (received_at) WHERE handled_at IS NULL;

CREATE TABLE ledger.run (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment  text NOT NULL,
    command      text NOT NULL,         -- as typed
    request      jsonb NOT NULL,        -- runbooks.request.Request
    requester    text NOT NULL,         -- actor: slack:<team>:<user> | cli:<os user>
    inbox        bigint UNIQUE REFERENCES ledger.inbox (id),
    channel      text,                  -- where its thread is; NULL for the command line
    state        text NOT NULL DEFAULT 'planning',
    wanted       text NOT NULL DEFAULT 'run' CHECK (wanted IN ('run', 'pause', 'abort')),
    reason       text NOT NULL DEFAULT '',   -- why it is refused, held, failed …: one plain sentence for people
    held         jsonb,                 -- {"key", "expected", "found"} when drift holds it
    ending       text,                  -- what restoring ends in: failed | aborted | expired
    plan         jsonb,                 -- runbooks.plan.Plan.model_dump
    strategy     text,
    hash         text,
    change_hash  text,
    world        jsonb NOT NULL DEFAULT '{}',   -- guards: key -> digest, as the plan and its finished steps left them
    found        jsonb NOT NULL DEFAULT '{}',   -- {"proven": […], "touched": […], …} from finished steps
    acknowledged jsonb NOT NULL DEFAULT '[]',   -- slugs of warnings acknowledged with an approval
    note         text,
    not_before   timestamptz,           -- --at
    created_at   timestamptz NOT NULL DEFAULT ledger.now(),
    proposed_at  timestamptz,
    expires_at   timestamptz,
    started_at   timestamptz,
    finished_at  timestamptz,
    -- the lease: the machine's clock
    owner        text,
    lease_until  timestamptz,
    fence        bigint NOT NULL DEFAULT 0,
    current_op   text,                  -- of the step that is next: only a worker that knows it takes the run
    due_at       timestamptz,           -- the calendar; NULL: nothing is due
    rung_at      timestamptz,
    rev          bigint NOT NULL DEFAULT 0
);
CREATE INDEX run_due ON ledger.run (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE ledger.step (
    run         bigint NOT NULL REFERENCES ledger.run (id),
    phase       text NOT NULL CHECK (phase IN ('plan', 'restore')),
    number      int NOT NULL,           -- 1, 2, … within its phase; restoring goes from the highest down
    origin      int,                    -- restore: the plan step that stored it
    op          text NOT NULL,
    params      jsonb NOT NULL,
    title       text NOT NULL,
    gate        text NOT NULL DEFAULT 'none' CHECK (gate IN ('none', 'approve', 'strong')),
    long        boolean NOT NULL DEFAULT false,
    block       int NOT NULL DEFAULT 0,
    hold        int,
    reads       text[] NOT NULL DEFAULT '{}',
    writes      text[] NOT NULL DEFAULT '{}',
    touches     boolean NOT NULL DEFAULT false,
    state       text NOT NULL,          -- plan: waiting gated ready acting done failed skipped; restore: listed acting done struck left
    memo        jsonb NOT NULL DEFAULT '{}',
    progress    jsonb,                  -- {"done", "total", "unit", "why"}
    said        text NOT NULL DEFAULT '',
    acts        int NOT NULL DEFAULT 0, -- effects begun
    failures    int NOT NULL DEFAULT 0, -- in a row: no answer from a system, or an effect that did not take
    started_at  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (run, phase, number)
);

-- One row for every effect begun, before it is begun. No row, no effect.
CREATE TABLE ledger.intent (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run         bigint NOT NULL REFERENCES ledger.run (id),
    phase       text NOT NULL,
    number      int NOT NULL,
    key         text NOT NULL,          -- <run>/<phase>/<number>: the run and the step, never the attempt
    fence       bigint NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    answered_at timestamptz,
    answer      text                    -- ok | refused: … | adopted | lost
);
CREATE INDEX intent_open ON ledger.intent (run) WHERE answered_at IS NULL;

CREATE TABLE ledger.decision (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run     bigint NOT NULL REFERENCES ledger.run (id),
    block   int,                        -- the block approved; NULL for decisions on the whole run
    action  text NOT NULL,              -- approve reject pause resume abort revert retry accept restore
    actor   text NOT NULL,
    hash    text,
    reason  text NOT NULL DEFAULT '',
    inbox   bigint REFERENCES ledger.inbox (id),
    at      timestamptz NOT NULL DEFAULT ledger.now(),
    until   timestamptz,                -- an approval's life
    acknowledged jsonb NOT NULL DEFAULT '[]'
);
-- n-of-m counts distinct people under the run's row lock. Not unique: an approval that has run out, or was
-- dropped with an older plan, may be given again.
CREATE INDEX decision_run ON ledger.decision (run, block);

CREATE TABLE ledger.lock (
    resource text PRIMARY KEY,          -- production/table/members, production/connector/tinybird-sink
    run      bigint NOT NULL REFERENCES ledger.run (id),
    long     boolean NOT NULL DEFAULT false,
    at       timestamptz NOT NULL DEFAULT ledger.now(),
    until    timestamptz                -- the estimate people are told
);

-- A message is a pure function of stored state, sent after commit.
CREATE TABLE ledger.message (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose    text NOT NULL,           -- root | progress | reply | alert | ephemeral | answer
    ref        text NOT NULL,           -- run/7, run/7/step/4, run/7/event/12, inbox/41
    channel    text NOT NULL,
    thread     bigint REFERENCES ledger.message (id),   -- the root whose thread it goes into
    thread_ts  text,                    -- a thread that is not ours (a mention in somebody's thread)
    recipient  text,                    -- of an ephemeral
    body       jsonb,                   -- facts of the message that are in no other row
    ts         text,
    wanted_rev bigint NOT NULL DEFAULT 1,
    sent_rev   bigint NOT NULL DEFAULT 0,
    posting_at timestamptz,             -- being sent since; the machine's clock
    not_before timestamptz,             -- spacing of progress edits, Retry-After
    failures   int NOT NULL DEFAULT 0,
    trouble    text,                    -- permanent trouble: not tried again
    created_at timestamptz NOT NULL DEFAULT ledger.now(),
    UNIQUE (purpose, ref, channel)
);
CREATE INDEX message_ref ON ledger.message (ref text_pattern_ops);
CREATE INDEX message_behind ON ledger.message (id) WHERE wanted_rev > sent_rev AND trouble IS NULL;

-- Questions (lineage, doctor, copies, …): the answer is a value in the ledger, the bot renders it.
CREATE TABLE ledger.question (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    asked       jsonb NOT NULL,
    asker       text NOT NULL,
    inbox       bigint UNIQUE REFERENCES ledger.inbox (id),
    answer      jsonb,
    due_at      timestamptz,
    owner       text,
    lease_until timestamptz,
    created_at  timestamptz NOT NULL DEFAULT ledger.now(),
    answered_at timestamptz
);

CREATE TABLE ledger.freeze (
    environment text PRIMARY KEY,       -- '*': all
    actor       text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL DEFAULT ledger.now()
);

CREATE TABLE ledger.capability (
    environment text NOT NULL,
    name        text NOT NULL,
    value       text NOT NULL,
    learnt_at   timestamptz NOT NULL DEFAULT ledger.now(),
    PRIMARY KEY (environment, name)
);

-- What the watch has seen of each environment's copies.
CREATE TABLE ledger.watch (
    environment text PRIMARY KEY,
    rung_at     timestamptz NOT NULL,   -- the machine's clock
    seen        text                    -- the newest updated_at of a job, in Tinybird's own words; NULL: never looked
);

-- Each line carries the hash of the one before: `tbops audit verify` proves the chain.
CREATE TABLE ledger.audit (
    id      bigint PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,              -- run/7, run/7/step/4, environment/production
    detail  jsonb NOT NULL,
    before  bytea NOT NULL,
    hash    bytea NOT NULL
);

-- The last line, locked by whoever appends the next: ids have no gap, and lines cut off the end are missed.
CREATE TABLE ledger.audit_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id       bigint NOT NULL,
    hash     bytea NOT NULL
);
INSERT INTO ledger.audit_head (id, hash) VALUES (0, decode(repeat('00', 32), 'hex'));
