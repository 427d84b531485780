-- learn --
-- What a probe found
INSERT INTO ledger.capability (environment, name, value) VALUES (%(environment)s, %(name)s, %(value)s)
ON CONFLICT (environment, name) DO UPDATE SET value = excluded.value, learnt_at = ledger.now()

-- known --
-- What is known of a workspace
SELECT name, value FROM ledger.capability WHERE environment = %(environment)s ORDER BY name
