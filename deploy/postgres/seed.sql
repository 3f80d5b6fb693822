-- A few rows for the reference registry, so that there is something to publish and to ask for.

INSERT INTO registry.zones VALUES ('demo');
INSERT INTO registry.registrars (id, name, iana_id, status, email, url, whois_name, created) VALUES
    ('reg-1', 'Example Registrar, Inc.', 9995, 'ok', 'abuse@registrar.example',
     'https://registrar.example', 'whois.registrar.example', '2010-01-01Z');
INSERT INTO registry.contacts (id, roid, registrar, voice, email, created) VALUES
    ('C1', 'C1-DEMO', 'reg-1', '+1.5550100', 'pat@example.demo', '2020-01-01Z');
INSERT INTO registry.contact_addresses VALUES
    ('C1', 'int', 'Pat Sample', 'Example Ltd', '{1 Way}', 'Town', NULL, '12345', 'US');
INSERT INTO registry.domains (name, zone, roid, registrar, created, expires) VALUES
    ('example.demo', 'demo', 'D1-DEMO', 'reg-1', '2021-02-03T04:05:06Z', '2030-02-03T04:05:06Z'),
    ('other.demo', 'demo', 'D2-DEMO', 'reg-1', '2021-02-03T04:05:06Z', '2030-02-03T04:05:06Z');
INSERT INTO registry.domain_statuses VALUES ('example.demo', false, 'ok'), ('other.demo', false, 'ok');
INSERT INTO registry.domain_contacts VALUES
    ('example.demo', 'registrant', 'C1'), ('other.demo', 'registrant', 'C1');
INSERT INTO registry.hosts (name, roid, superordinate, created) VALUES
    ('ns1.example.demo', 'H1-DEMO', 'example.demo', '2021-02-03T04:05:06Z');
INSERT INTO registry.host_addresses VALUES ('ns1.example.demo', '192.0.2.1');
INSERT INTO registry.domain_hosts VALUES
    ('example.demo', 1, 'ns1.example.demo'), ('other.demo', 1, 'ns1.example.demo');
