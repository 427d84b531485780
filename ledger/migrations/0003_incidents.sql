-- Trouble that the watch has found, from its first sight to its end; what it has learnt of each copy pipe.

CREATE TABLE ledger.incident (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment   text NOT NULL,
    kind          text NOT NULL,         -- failed late missing queued long few stale quarantine | watch
    subject       text NOT NULL,         -- the pipe's or datasource's id, which stays when its name changes
    name          text NOT NULL,         -- what it is called now
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    since         timestamptz NOT NULL,  -- when the trouble began, by the platform's logs
    ended         timestamptz,           -- when it was over, by the platform's logs
    opened_at     timestamptz NOT NULL DEFAULT ledger.now(),
    closed_at     timestamptz,
    times         int NOT NULL DEFAULT 1,    -- opened so often: more than once is flapping
    under         bigint REFERENCES ledger.incident (id),   -- shown on that one's card, as what follows from it
    detail        jsonb NOT NULL,        -- ledger.incidents.Detail
    assigned      text,                  -- the actor who has it
    acked_by      text,
    acked_at      timestamptz,
    snoozed_until timestamptz
);
-- One open incident a kind and subject, whoever finds it first
CREATE UNIQUE INDEX incident_open ON ledger.incident (environment, kind, subject) WHERE state = 'open';
CREATE INDEX incident_closed ON ledger.incident (environment, closed_at) WHERE state = 'closed';
CREATE INDEX incident_under ON ledger.incident (under) WHERE under IS NOT NULL;

-- An incident's history, as its thread tells it.
CREATE TABLE ledger.incident_event (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident bigint NOT NULL REFERENCES ledger.incident (id),
    at       timestamptz NOT NULL DEFAULT ledger.now(),
    what     text NOT NULL,              -- opened changed closed reopened folded | acked assigned snoozed woken run
    actor    text,                       -- NULL: the watch
    said     text NOT NULL DEFAULT ''    -- one plain sentence
);
CREATE INDEX incident_event_of ON ledger.incident_event (incident, id);

-- Subjects that people do not want to hear of.
CREATE TABLE ledger.silence (
    environment text NOT NULL,
    subject     text NOT NULL,
    name        text NOT NULL,
    actor       text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    until       timestamptz,             -- NULL: until it is lifted
    at          timestamptz NOT NULL DEFAULT ledger.now(),
    PRIMARY KEY (environment, subject)
);

-- What the watch knows of each copy pipe or datasource: its last runs, and what is usual of it.
CREATE TABLE ledger.watched (
    environment text NOT NULL,
    subject     text NOT NULL,
    history     jsonb NOT NULL,          -- workers.watch.history
    changed     timestamptz NOT NULL DEFAULT clock_timestamp(),  -- who remembers the rest reads what changed since
    PRIMARY KEY (environment, subject)
);

ALTER TABLE ledger.watch
    ADD COLUMN looked_at timestamptz,    -- the machine's clock: when a look last came to its end
    ADD COLUMN failing_since timestamptz,    -- the machine's clock: no look has come to its end since
    ADD COLUMN trouble text NOT NULL DEFAULT '';     -- why, in one plain sentence
