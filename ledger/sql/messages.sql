-- want --
-- A message is wanted, or wanted anew
INSERT INTO ledger.message (purpose, ref, channel, thread, thread_ts, recipient, body)
VALUES (%(purpose)s, %(ref)s, %(channel)s, %(thread)s, %(thread_ts)s, %(recipient)s, %(body)s)
ON CONFLICT (purpose, ref, channel) DO UPDATE
SET wanted_rev = message.wanted_rev + 1, body = coalesce(excluded.body, message.body)
RETURNING id

-- want_once --
-- A message that nobody asks for again, such as a file
INSERT INTO ledger.message (purpose, ref, channel, thread_ts, body)
VALUES (%(purpose)s, %(ref)s, %(channel)s, %(thread_ts)s, %(body)s)
ON CONFLICT (purpose, ref, channel) DO NOTHING
RETURNING id

-- touch --
-- What these messages show has changed
UPDATE ledger.message SET wanted_rev = wanted_rev + 1 WHERE ref = ANY(%(refs)s) RETURNING id

-- showing --
-- The messages of these refs that show an older state
SELECT id FROM ledger.message WHERE ref = ANY(%(refs)s) AND wanted_rev > sent_rev AND trouble IS NULL ORDER BY id

-- answered --
-- What these messages waited for is there: they are not put off any longer
UPDATE ledger.message SET wanted_rev = wanted_rev + 1, not_before = NULL WHERE ref = ANY(%(refs)s) RETURNING id

-- root --
-- The root message of a run
SELECT * FROM ledger.message WHERE purpose = 'root' AND ref = %(ref)s ORDER BY id LIMIT 1

-- get --
-- One message
SELECT * FROM ledger.message WHERE id = %(id)s

-- find --
-- The one message of a purpose, a ref and a channel
SELECT * FROM ledger.message WHERE purpose = %(purpose)s AND ref = %(ref)s AND channel = %(channel)s

-- of_run --
-- A run's messages in order
SELECT * FROM ledger.message WHERE ref = %(ref)s OR ref LIKE %(below)s ORDER BY id

-- behind_of --
-- A run's messages that show an older state
SELECT id FROM ledger.message
WHERE (ref = %(ref)s OR ref LIKE %(below)s) AND wanted_rev > sent_rev AND trouble IS NULL
ORDER BY id

-- claim --
-- Take a message for sending, unless it is up to date, spaced out or being sent by another
WITH before AS (
    SELECT id FROM ledger.message
    WHERE id = %(id)s AND wanted_rev > sent_rev AND trouble IS NULL
      AND (not_before IS NULL OR not_before <= clock_timestamp())
      AND (posting_at IS NULL OR posting_at <= clock_timestamp() - make_interval(secs => %(stale_s)s))
    FOR UPDATE
)
UPDATE ledger.message SET posting_at = clock_timestamp()
FROM before WHERE message.id = before.id
RETURNING message.*

-- sent --
-- It was sent as of a revision; the spacing of the next edit
UPDATE ledger.message
SET ts = coalesce(%(ts)s, ts), sent_rev = greatest(sent_rev, %(rev)s), posting_at = NULL, failures = 0,
    not_before = CASE WHEN %(quiet_s)s > 0 THEN clock_timestamp() + make_interval(secs => %(quiet_s)s) END
WHERE id = %(id)s
RETURNING wanted_rev > sent_rev AS behind

-- postpone --
-- Give it back, to be sent later
UPDATE ledger.message
SET posting_at = NULL, not_before = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s

-- failed --
-- Give it back after a failure, to be tried again later
UPDATE ledger.message
SET posting_at = NULL, not_before = clock_timestamp() + make_interval(secs => %(seconds)s), failures = failures + 1
WHERE id = %(id)s
RETURNING failures

-- trouble --
-- It cannot be sent at all
UPDATE ledger.message SET posting_at = NULL, trouble = %(why)s WHERE id = %(id)s

-- gone --
-- A person deleted it: posted anew, once
UPDATE ledger.message
SET ts = NULL, posting_at = NULL, not_before = NULL, body = coalesce(body, '{}') || '{"anew": true}'
WHERE id = %(id)s AND NOT coalesce((body ->> 'anew')::bool, false)
RETURNING id

-- last_troubles --
-- What came of the newest message of each channel
SELECT DISTINCT ON (channel) channel, trouble FROM ledger.message
WHERE channel = ANY(%(channels)s) AND recipient IS NULL AND (trouble IS NOT NULL OR sent_rev > 0)
ORDER BY channel, id DESC

-- behind --
-- Messages that show an older state and may be sent now
SELECT id FROM ledger.message
WHERE wanted_rev > sent_rev AND trouble IS NULL
  AND (not_before IS NULL OR not_before <= clock_timestamp())
  AND (posting_at IS NULL OR posting_at <= clock_timestamp() - make_interval(secs => %(stale_s)s))
ORDER BY id LIMIT %(limit)s
