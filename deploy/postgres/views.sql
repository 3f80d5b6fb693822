-- The views that the publisher reads, over the tables of registry.sql. They are the contract: a
-- registry writes views of these names over its own tables. Columns are the fields of a change
-- record (src/feed/change-record.schema.json), with the names that it gives them; null is absent.
-- Lists are arrays, values with fields of their own are jsonb. `zone` of a domain, an NNDN and a use of a
-- contact is the zone that the publisher's configuration has rules for.

CREATE FUNCTION whoisd.actor(id text, client text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN id IS NOT NULL OR client IS NOT NULL
        THEN jsonb_build_object('id', id, 'client', client) END;

CREATE FUNCTION whoisd.phone(number text, ext text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN number IS NOT NULL THEN jsonb_build_object('number', number, 'x', ext) END;

CREATE FUNCTION whoisd.postal(
    form text, name text, org text, street text[], city text, sp text, pc text, cc text
) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN jsonb_build_object('type', form, 'name', name, 'org', org, 'addr', jsonb_build_object(
        'street', street, 'city', city, 'sp', sp, 'pc', pc, 'cc', cc));

CREATE VIEW whoisd.registrars AS
SELECT
    id,
    name,
    iana_id AS gurid,
    status,
    CASE WHEN city IS NOT NULL THEN
        jsonb_build_array(whoisd.postal('int', NULL, NULL, street, city, sp, pc, cc))
    END AS "postalInfo",
    whoisd.phone(voice, NULL) AS voice,
    whoisd.phone(fax, NULL) AS fax,
    email,
    url,
    jsonb_build_object('name', whois_name, 'url', whois_url) AS "whoisInfo",
    created AS "crDate",
    updated AS "upDate"
FROM registry.registrars;

CREATE VIEW whoisd.idn_tables AS
SELECT id, url, policy_url AS "urlPolicy" FROM registry.idn_tables;

CREATE VIEW whoisd.contacts AS
SELECT
    c.id,
    c.roid,
    ARRAY(
        SELECT s.status FROM registry.contact_statuses s WHERE s.contact = c.id
        UNION ALL
        SELECT 'linked' WHERE EXISTS (SELECT FROM registry.domain_contacts l WHERE l.contact = c.id)
    ) AS status,
    (SELECT jsonb_agg(
         whoisd.postal(a.form, a.name, a.org, a.street, a.city, a.sp, a.pc, a.cc) ORDER BY a.form)
     FROM registry.contact_addresses a WHERE a.contact = c.id) AS "postalInfo",
    whoisd.phone(c.voice, c.voice_ext) AS voice,
    whoisd.phone(c.fax, c.fax_ext) AS fax,
    c.email,
    c.registrar AS "clID",
    whoisd.actor(c.created_by, c.created_client) AS "crRr",
    c.created AS "crDate",
    whoisd.actor(c.updated_by, c.updated_client) AS "upRr",
    c.updated AS "upDate",
    c.transferred AS "trDate",
    (SELECT jsonb_build_object(
         'trStatus', t.status, 'reRr', whoisd.actor(t.requester, NULL), 'reDate', t.requested,
         'acRr', whoisd.actor(t.actor, NULL), 'acDate', t.acted)
     FROM registry.contact_transfers t WHERE t.contact = c.id) AS "trnData",
    CASE WHEN c.disclose_flag IS NOT NULL THEN
        jsonb_build_object('flag', c.disclose_flag, 'fields', c.disclose_fields)
    END AS disclose
FROM registry.contacts c;

CREATE VIEW whoisd.hosts AS
SELECT
    h.name,
    h.roid,
    ARRAY(
        SELECT s.status FROM registry.host_statuses s WHERE s.host = h.name
        UNION ALL
        SELECT 'linked' WHERE EXISTS (SELECT FROM registry.domain_hosts l WHERE l.host = h.name)
    ) AS status,
    (SELECT jsonb_build_object(
         'v4', jsonb_agg(host(a.address) ORDER BY a.address) FILTER (WHERE family(a.address) = 4),
         'v6', jsonb_agg(host(a.address) ORDER BY a.address) FILTER (WHERE family(a.address) = 6))
     FROM registry.host_addresses a WHERE a.host = h.name) AS addr,
    CASE WHEN h.superordinate IS NULL THEN h.registrar ELSE d.registrar END AS "clID",
    whoisd.actor(h.created_by, h.created_client) AS "crRr",
    h.created AS "crDate",
    whoisd.actor(h.updated_by, h.updated_client) AS "upRr",
    h.updated AS "upDate",
    -- A transfer of the domain is one of the hosts that it had then.
    CASE WHEN d.transferred > h.created THEN greatest(h.transferred, d.transferred)
         ELSE h.transferred END AS "trDate"
FROM registry.hosts h LEFT JOIN registry.domains d ON d.name = h.superordinate;

CREATE VIEW whoisd.nndns AS
SELECT
    name AS "aName",
    zone,
    state AS "nameState",
    idn_table AS "idnTableId",
    original_name AS "originalName",
    mirroring_ns AS "mirroringNS",
    created AS "crDate"
FROM registry.nndns;

CREATE VIEW whoisd.domains AS
SELECT
    d.name,
    d.zone,
    d.roid,
    d.idn_table AS "idnTableId",
    d.original_name AS "originalName",
    ARRAY(
        SELECT s.status FROM registry.domain_statuses s WHERE s.domain = d.name AND NOT s.grace
        ORDER BY s.status
    ) AS status,
    ARRAY(
        SELECT s.status FROM registry.domain_statuses s WHERE s.domain = d.name AND s.grace
        ORDER BY s.status
    ) AS "rgpStatus",
    (SELECT jsonb_agg(jsonb_build_object('type', l.role, 'id', l.contact)
         ORDER BY array_position('{registrant,admin,tech,billing}', l.role), l.contact)
     FROM registry.domain_contacts l WHERE l.domain = d.name) AS contacts,
    ARRAY(
        SELECT l.host FROM registry.domain_hosts l WHERE l.domain = d.name ORDER BY l.position
    ) AS ns,
    d.registrar AS "clID",
    whoisd.actor(d.created_by, d.created_client) AS "crRr",
    d.created AS "crDate",
    whoisd.actor(d.updated_by, d.updated_client) AS "upRr",
    d.updated AS "upDate",
    d.expires AS "exDate",
    d.transferred AS "trDate",
    jsonb_build_object(
        'maxSigLife', d.max_sig_life,
        'dsData', (SELECT jsonb_agg(jsonb_build_object(
                'keyTag', r.key_tag, 'alg', r.algorithm, 'digestType', r.digest_type,
                'digest', encode(r.digest, 'hex')) ORDER BY r.key_tag, r.digest_type)
            FROM registry.ds_records r WHERE r.domain = d.name),
        'keyData', (SELECT jsonb_agg(jsonb_build_object(
                'flags', k.flags, 'protocol', k.protocol, 'alg', k.algorithm,
                'pubKey', replace(encode(k.public_key, 'base64'), E'\n', ''))
                ORDER BY k.flags, k.algorithm)
            FROM registry.dns_keys k WHERE k.domain = d.name)
    ) AS "secDNS",
    (SELECT jsonb_build_object(
         'trStatus', t.status, 'reRr', whoisd.actor(t.requester, NULL), 'reDate', t.requested,
         'acRr', whoisd.actor(t.actor, NULL), 'acDate', t.acted, 'exDate', t.expires)
     FROM registry.domain_transfers t WHERE t.domain = d.name) AS "trnData",
    (SELECT jsonb_agg(jsonb_build_object('key', e.key, 'value', e.value) ORDER BY e.position)
     FROM registry.domain_extras e WHERE e.domain = d.name) AS extras
FROM registry.domains d;

-- Which zones refer to a contact, and in which roles: whether it may leave the registry.
CREATE VIEW whoisd.contact_uses AS
SELECT l.contact AS id, d.zone, l.role
FROM registry.domain_contacts l JOIN registry.domains d ON d.name = l.domain;
