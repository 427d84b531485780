-- ask --
-- A question, once for each delivery
INSERT INTO ledger.question (kind, asked, asker, inbox, due_at)
VALUES (%(kind)s, %(asked)s, %(asker)s, %(inbox)s, clock_timestamp())
ON CONFLICT (inbox) DO UPDATE SET kind = question.kind
RETURNING id

-- get --
-- A question and its answer
SELECT id, kind, asked, asker, inbox, answer, created_at, answered_at FROM ledger.question WHERE id = %(id)s

-- take --
-- One worker at a time answers; by the machine's clock
UPDATE ledger.question SET owner = %(owner)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE id = %(id)s AND answer IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())
RETURNING id, kind, asked, asker, inbox, answer, created_at, answered_at

-- answer --
-- The answer, once
UPDATE ledger.question
SET answer = %(answer)s, answered_at = ledger.now(), due_at = NULL, owner = NULL, lease_until = NULL
WHERE id = %(id)s AND answer IS NULL
RETURNING id

-- sweep --
-- Elect the questions that nobody is answering
UPDATE ledger.question SET due_at = clock_timestamp() + make_interval(secs => %(again_s)s)
WHERE answer IS NULL AND due_at <= clock_timestamp() - make_interval(secs => %(again_s)s)
    AND (lease_until IS NULL OR lease_until < clock_timestamp())
RETURNING id
