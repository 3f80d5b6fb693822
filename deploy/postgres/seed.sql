-- A few rows for the reference registry, to try the publisher with; every object of them is made up.
INSERT INTO registry.zones VALUES ('demo');
INSERT INTO registry.registrars (id, name, iana_id, status, email, url, whois_name, created)
    VALUES ('reg-1', 'Harbour Names Ltd', 9995, 'ok', 'abuse@reg-1.example',
            'https://reg-1.example', 'whois.reg-1.example', '2010-01-01Z');
INSERT INTO registry.contacts (id, roid, registrar, voice, email, created)
    VALUES ('C-1', 'C1-DEMO', 'reg-1', '+1.5550100', 'pat@mail.example', '2020-01-01Z');
INSERT INTO registry.contact_addresses (contact, form, name, org, street, city, pc, cc)
    VALUES ('C-1', 'int', 'Pat Sample', 'Sample Inc', '{1 Way}', 'Town', '12345', 'US');
INSERT INTO registry.domains (name, zone, roid, registrar, created, expires)
    VALUES ('one.demo', 'demo', 'D1-DEMO', 'reg-1', '2021-02-03T04:05:06Z', '2030-02-03T04:05:06Z'),
           ('two.demo', 'demo', 'D2-DEMO', 'reg-1', '2021-02-03T04:05:06Z', '2030-02-03T04:05:06Z');
INSERT INTO registry.domain_contacts VALUES
    ('one.demo', 'registrant', 'C-1'), ('two.demo', 'registrant', 'C-1');
INSERT INTO registry.hosts (name, roid, superordinate, created)
    VALUES ('ns1.one.demo', 'H1-DEMO', 'one.demo', '2021-02-03T04:05:06Z');
INSERT INTO registry.host_addresses VALUES ('ns1.one.demo', '192.0.2.1');
INSERT INTO registry.domain_hosts VALUES
    ('one.demo', 1, 'ns1.one.demo'), ('two.demo', 1, 'ns1.one.demo');
