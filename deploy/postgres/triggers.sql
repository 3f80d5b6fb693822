-- Triggers that note changes in the tables of registry.sql. The rule for a registry's own tables: a
-- change of anything that the view of an object reads notes that object.

SELECT whoisd.follow('registry.registrars', 'registrar', 'id');
SELECT whoisd.follow('registry.idn_tables', 'idn-table', 'id');
SELECT whoisd.follow('registry.contacts', 'contact', 'id');
SELECT whoisd.follow('registry.contact_addresses', 'contact', 'contact');
SELECT whoisd.follow('registry.contact_statuses', 'contact', 'contact');
SELECT whoisd.follow('registry.contact_transfers', 'contact', 'contact');
SELECT whoisd.follow('registry.domains', 'domain', 'name');
SELECT whoisd.follow('registry.domain_statuses', 'domain', 'domain');
-- Both ends: the contact is `linked`, and may leave the registry, because of it.
SELECT whoisd.follow('registry.domain_contacts', 'contact', 'contact', 'domain', 'domain');
SELECT whoisd.follow('registry.domain_transfers', 'domain', 'domain');
SELECT whoisd.follow('registry.domain_extras', 'domain', 'domain');
SELECT whoisd.follow('registry.ds_records', 'domain', 'domain');
SELECT whoisd.follow('registry.dns_keys', 'domain', 'domain');
SELECT whoisd.follow('registry.hosts', 'host', 'name');
SELECT whoisd.follow('registry.host_statuses', 'host', 'host');
SELECT whoisd.follow('registry.host_addresses', 'host', 'host');
SELECT whoisd.follow('registry.domain_hosts', 'host', 'host', 'domain', 'domain');
SELECT whoisd.follow('registry.nndns', 'nndn', 'name');

-- The sponsor of a subordinate host is its domain's, so a transfer of the domain changes hosts.
CREATE FUNCTION registry.note_subordinates() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF (OLD.registrar, OLD.transferred) IS DISTINCT FROM (NEW.registrar, NEW.transferred) THEN
        PERFORM whoisd.note('host', h.name) FROM registry.hosts h WHERE h.superordinate = NEW.name;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER whoisd_subordinates AFTER UPDATE ON registry.domains
    FOR EACH ROW EXECUTE FUNCTION registry.note_subordinates();

-- Two transactions, one of which moves a domain while the other one adds a host below it, could
-- both fail to see the other. So the host waits for the domain.
CREATE FUNCTION registry.wait_for_superordinate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM FROM registry.domains d WHERE d.name = NEW.superordinate FOR SHARE;
    RETURN NEW;
END $$;
CREATE TRIGGER whoisd_superordinate BEFORE INSERT OR UPDATE OF superordinate ON registry.hosts
    FOR EACH ROW EXECUTE FUNCTION registry.wait_for_superordinate();
-- If a domain moves to another zone, other data of its contacts may be shown.
CREATE FUNCTION registry.note_contacts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF OLD.zone <> NEW.zone THEN
        PERFORM whoisd.note('contact', l.contact)
            FROM registry.domain_contacts l WHERE l.domain = NEW.name;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER whoisd_contacts AFTER UPDATE OF zone ON registry.domains
    FOR EACH ROW EXECUTE FUNCTION registry.note_contacts();
