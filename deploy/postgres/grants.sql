-- The rights of the publisher's role: it reads the views, and keeps its books. It cannot read the
-- registry's own tables.
--
-- A view that calls functions of the registry needs EXECUTE on them as well.

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'whoisd_publisher') THEN
        CREATE ROLE whoisd_publisher LOGIN;
    END IF;
END $$;

-- PostgreSQL lets every role execute a new function, and these write with the rights of their owner.
-- Triggers call them all the same; a role of the registry whose procedures call whoisd.note needs its
-- own GRANT.
REVOKE EXECUTE ON FUNCTION
    whoisd.note(text, text), whoisd.note_row(), whoisd.wake(), whoisd.refuse_truncate(),
    whoisd.follow(regclass, text[])
    FROM PUBLIC;

GRANT USAGE ON SCHEMA whoisd TO whoisd_publisher;
GRANT SELECT ON
    whoisd.contract, whoisd.registrars, whoisd.idn_tables, whoisd.contacts, whoisd.hosts,
    whoisd.nndns, whoisd.domains, whoisd.contact_uses
    TO whoisd_publisher;
GRANT SELECT, DELETE ON whoisd.changes TO whoisd_publisher;
GRANT SELECT, INSERT, DELETE ON whoisd.serials TO whoisd_publisher;
GRANT SELECT, UPDATE ON whoisd.position TO whoisd_publisher;
-- LOCK TABLE needs a right to write; the table is empty.
GRANT SELECT, UPDATE ON whoisd.assigning TO whoisd_publisher;
GRANT SELECT, INSERT ON whoisd.shown TO whoisd_publisher;
-- Objects that could not be read, and become changes again once they can.
GRANT SELECT, INSERT, UPDATE, DELETE ON whoisd.unread TO whoisd_publisher;
-- Fields that views have given: noted, never forgotten by the publisher itself.
GRANT SELECT, INSERT ON whoisd.fields TO whoisd_publisher;
GRANT EXECUTE ON FUNCTION whoisd.note(text, text) TO whoisd_publisher;
