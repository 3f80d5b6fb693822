-- For a database that was loaded with an older feed.sql, without these tables. Load it as the owner,
-- then grants.sql again.

-- Objects that could not be read when their serial was published (a view raised an error for the
-- row, or it was not a record): the publisher tries them again until they read. `since` is when it
-- began, `problem` the last error.
CREATE TABLE IF NOT EXISTS whoisd.unread (
    kind text NOT NULL,
    key text NOT NULL,
    problem text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    tried timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, key)
);

-- Fields that views have given, by kind: the publisher notes them. A view that lacks one of them holds
-- the publisher up, since records without it would remove it from every answer. To remove a field for
-- good: delete its row here, and make a new base.
CREATE TABLE IF NOT EXISTS whoisd.fields (
    kind text NOT NULL,
    field text NOT NULL,
    PRIMARY KEY (kind, field)
);
