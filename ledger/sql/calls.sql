-- call --
-- A call for people, once for each subject
INSERT INTO ledger.message (purpose, ref, channel, body) VALUES ('alert', %(ref)s, %(channel)s, %(body)s)
ON CONFLICT (purpose, ref, channel) DO NOTHING
RETURNING id
