-- For a database that was loaded with a feed.sql without it: what feed.sql makes by itself. Load it as
-- the owner, then grants.sql again.

-- Objects that could not be read when their serial was published (a view raised an error for the
-- row, or it was no record): the publisher tries them again until they read. `since` is when it
-- began, `problem` what was wrong at last.
CREATE TABLE IF NOT EXISTS whoisd.unread (
    kind text NOT NULL,
    key text NOT NULL,
    problem text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    tried timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, key)
);

-- Fields that views have given, by kind: the publisher notes them. A view that lacks one of them holds
-- the publisher up, since records without it would take it away from every answer. For one that is to
-- go: delete its row here, and make a new base.
CREATE TABLE IF NOT EXISTS whoisd.fields (
    kind text NOT NULL,
    field text NOT NULL,
    PRIMARY KEY (kind, field)
);
