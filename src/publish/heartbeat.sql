-- Gives a serial to a sign of life if the last serial is older than $1 ms, or of a time to come: then
-- the clock was set back. Its time is the start of the transaction: every change that committed before
-- has a serial already.
WITH due AS (
    UPDATE whoisd.position SET last = last + 1, at = now()
    WHERE at <= now() - $1::bigint * interval '1 ms' OR at > now()
    RETURNING last
)
INSERT INTO whoisd.serials (serial, committed, transaction, kind, key)
SELECT last, now(), '', 'heartbeat', '' FROM due
