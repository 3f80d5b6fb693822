-- Takes up to $1 changes that have no serial yet, oldest first, and gives serials: one for each
-- object, at the place of its last change, in commit order. $2: whether the database keeps commit
-- times; otherwise the time of a transaction's last change is used.
WITH taken AS (
    DELETE FROM whoisd.changes
    WHERE id IN (SELECT id FROM whoisd.changes ORDER BY id LIMIT $1)
    RETURNING id, xid, transaction, kind, key, logged
), ended AS (
    SELECT
        xid,
        max(id) AS last_id,
        coalesce(
            CASE WHEN $2 THEN pg_xact_commit_timestamp(xid::xid) END, max(logged)
        ) AS committed
    FROM taken GROUP BY xid
), newest AS (
    SELECT DISTINCT ON (kind, key) * FROM taken ORDER BY kind, key, id DESC
), numbered AS (
    SELECT
        row_number() OVER (ORDER BY e.committed, e.last_id, n.id) AS nth,
        e.committed,
        coalesce(nullif(n.transaction, ''), n.xid::text) AS transaction,
        n.kind,
        n.key
    FROM newest n JOIN ended e ON e.xid = n.xid
), written AS (
    INSERT INTO whoisd.serials (serial, committed, transaction, kind, key)
    SELECT p.last + n.nth, n.committed, n.transaction, n.kind, n.key
    FROM numbered n, whoisd.position p
    RETURNING serial
), moved AS (
    UPDATE whoisd.position SET last = (SELECT max(serial) FROM written), at = now()
    WHERE EXISTS (SELECT FROM written)
)
SELECT count(*) FROM taken
