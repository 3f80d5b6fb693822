-- The part of whoisd in a registry's database: the log of changes, the serials, and the functions that
-- triggers call. README.md here says how the parts go together.
--
-- Load it once, as the owner of the database, before views and triggers:
--   psql --single-transaction --set ON_ERROR_STOP=1 --file feed.sql

CREATE SCHEMA whoisd;

-- The publisher refuses a version that it does not know.
CREATE TABLE whoisd.contract (version integer NOT NULL);
INSERT INTO whoisd.contract VALUES (1);

-- Changes that have no serial yet. Triggers put rows in, within the transaction that changes the
-- object; the publisher takes them out again when it gives them serials. It takes the rows that it
-- sees, not those after a number, so a transaction that commits late is seen late, and never skipped.
CREATE TABLE whoisd.changes (
    -- Per object, identifiers ascend in commit order: a row lock orders both.
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- The registry's own identifier: SET LOCAL whoisd.transaction = 'svTRID'.
    transaction text DEFAULT current_setting('whoisd.transaction', true),
    kind text NOT NULL
        CHECK (kind IN ('registrar', 'idn-table', 'contact', 'host', 'nndn', 'domain')),
    -- The object's key as its view has it.
    key text NOT NULL,
    -- Used in place of the commit time where track_commit_timestamp is off.
    logged timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Changes with their serials, in commit order. Rows are pruned by the publisher.
CREATE TABLE whoisd.serials (
    serial bigint PRIMARY KEY,
    committed timestamptz NOT NULL,
    transaction text NOT NULL,
    -- A kind of whoisd.changes, or 'heartbeat' with an empty key.
    kind text NOT NULL,
    key text NOT NULL
);

-- The last serial that was given, and when; one row. The source says whose serials these are: a
-- database that went back to an earlier state (a backup, a standby without the last transactions)
-- has to count under another one, and every node downstream has to begin with a new base:
--   UPDATE whoisd.position SET source = 'pg-' || gen_random_uuid()
CREATE TABLE whoisd.position (
    last bigint NOT NULL,
    at timestamptz NOT NULL,
    source text NOT NULL DEFAULT 'pg-' || gen_random_uuid()
        CHECK (source ~ '^[A-Za-z0-9._-]{1,64}$')
);
INSERT INTO whoisd.position (last, at) VALUES (0, '-infinity');

-- Locked by the publisher that gives serials. It has no rows and is never written, so that no vacuum waits for
-- it or holds it.
CREATE TABLE whoisd.assigning ();

-- Contacts that were published while a configuration hides some: only these are deleted downstream
-- when they turn hidden, since a deletion names the contact.
CREATE TABLE whoisd.shown (id text PRIMARY KEY);

-- Objects that could not be read when their serial was published (a view raised an error for the
-- row, or it was not a record): the publisher tries them again until they read. `since` is when it
-- began, `problem` the last error.
CREATE TABLE whoisd.unread (
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
CREATE TABLE whoisd.fields (
    kind text NOT NULL,
    field text NOT NULL,
    PRIMARY KEY (kind, field)
);

-- Wakes the publisher up; PostgreSQL sends one notification a transaction. Commits that notify wait
-- for each other for a moment: where that costs too much, drop this trigger, and the publisher
-- finds changes when it polls (--poll-ms).
CREATE FUNCTION whoisd.wake() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('whoisd', '');
    RETURN NULL;
END $$;
CREATE TRIGGER wake AFTER INSERT ON whoisd.changes
    FOR EACH STATEMENT EXECUTE FUNCTION whoisd.wake();

-- Notes a change. For procedures; triggers use note_row.
CREATE FUNCTION whoisd.note(kind text, key text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = ''
    AS $$ INSERT INTO whoisd.changes (kind, key) VALUES ($1, $2) $$;

-- Trigger for rows of any table: note_row(KIND, COLUMN, KIND, COLUMN, ..) notes for each pair the
-- object of KIND whose key is in COLUMN, before and after the change. Null notes nothing. It
-- runs as its owner: roles that change the registry need no rights here.
CREATE FUNCTION whoisd.note_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    -- Byte for byte: a type without an operator for equality must not fail the registry.
    IF TG_OP = 'UPDATE' AND OLD OPERATOR(pg_catalog.*=) NEW THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW); END IF;
    FOR i IN 0 .. TG_NARGS - 2 BY 2 LOOP
        INSERT INTO whoisd.changes (kind, key)
            SELECT DISTINCT TG_ARGV[i], key
            FROM unnest(ARRAY[before ->> TG_ARGV[i + 1], after ->> TG_ARGV[i + 1]]) AS key
            WHERE key IS NOT NULL;
    END LOOP;
    RETURN NULL;
END $$;

-- Trigger for tables that carry note_row: TRUNCATE calls no trigger for rows, so it would be a
-- change that is never noted.
CREATE FUNCTION whoisd.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of %.% would be missed by the WHOIS feed',
        TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING HINT = 'Use DELETE, or drop the trigger, truncate, and bootstrap the servers again.';
END $$;

-- Gives a table both triggers: follow('registry.hosts', 'host', 'name').
CREATE FUNCTION whoisd.follow(target regclass, VARIADIC pairs text[]) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER whoisd_note AFTER INSERT OR UPDATE OR DELETE ON %s '
        'FOR EACH ROW EXECUTE FUNCTION whoisd.note_row(%s)',
        target, (SELECT string_agg(quote_literal(pair), ', ' ORDER BY nth)
                 FROM unnest(pairs) WITH ORDINALITY AS given(pair, nth)));
    EXECUTE format(
        'CREATE TRIGGER whoisd_truncate BEFORE TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION whoisd.refuse_truncate()', target);
END $$;
