-- A reference registry: tables as an EPP server might keep them. It is an example to try things out
-- with and to test against; a registry has its own tables, and writes views.sql for them.

CREATE SCHEMA registry;

CREATE TABLE registry.zones (zone text PRIMARY KEY);

CREATE TABLE registry.registrars (
    id text PRIMARY KEY,
    name text NOT NULL,
    iana_id bigint,
    status text CHECK (status IN ('ok', 'readonly', 'terminated')),
    street text[] NOT NULL DEFAULT '{}',
    city text, sp text, pc text, cc text,
    voice text, fax text, email text, url text,
    whois_name text, whois_url text,
    created timestamptz, updated timestamptz
);

CREATE TABLE registry.idn_tables (id text PRIMARY KEY, url text, policy_url text);

CREATE TABLE registry.contacts (
    id text PRIMARY KEY,
    roid text NOT NULL UNIQUE,
    registrar text REFERENCES registry.registrars ON UPDATE CASCADE,
    voice text, voice_ext text, fax text, fax_ext text, email text,
    disclose_flag boolean, disclose_fields text[],
    created timestamptz, created_by text, created_client text,
    updated timestamptz, updated_by text, updated_client text,
    transferred timestamptz
);

CREATE TABLE registry.contact_addresses (
    contact text REFERENCES registry.contacts ON UPDATE CASCADE ON DELETE CASCADE,
    form text CHECK (form IN ('int', 'loc')),
    name text, org text, street text[] NOT NULL DEFAULT '{}',
    city text, sp text, pc text, cc text,
    PRIMARY KEY (contact, form)
);

-- Without 'linked', which is whether a domain refers to the contact.
CREATE TABLE registry.contact_statuses (
    contact text REFERENCES registry.contacts ON UPDATE CASCADE ON DELETE CASCADE,
    status text,
    PRIMARY KEY (contact, status)
);

CREATE TABLE registry.contact_transfers (
    contact text PRIMARY KEY REFERENCES registry.contacts ON UPDATE CASCADE ON DELETE CASCADE,
    status text NOT NULL,
    requester text, requested timestamptz, actor text, acted timestamptz
);

CREATE TABLE registry.domains (
    name text PRIMARY KEY,
    zone text NOT NULL REFERENCES registry.zones,
    roid text NOT NULL UNIQUE,
    idn_table text REFERENCES registry.idn_tables ON UPDATE CASCADE,
    original_name text,
    -- Null: the registry holds the name itself.
    registrar text REFERENCES registry.registrars ON UPDATE CASCADE,
    created timestamptz, created_by text, created_client text,
    updated timestamptz, updated_by text, updated_client text,
    expires timestamptz, transferred timestamptz,
    max_sig_life bigint
);

-- EPP statuses, and with grace those of the registry grace period (RFC 3915).
CREATE TABLE registry.domain_statuses (
    domain text REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    grace boolean DEFAULT false,
    status text,
    PRIMARY KEY (domain, grace, status)
);

CREATE TABLE registry.domain_contacts (
    domain text REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    role text CHECK (role IN ('registrant', 'admin', 'tech', 'billing')),
    contact text REFERENCES registry.contacts ON UPDATE CASCADE,
    PRIMARY KEY (domain, role, contact)
);
CREATE INDEX ON registry.domain_contacts (contact);

CREATE TABLE registry.domain_transfers (
    domain text PRIMARY KEY REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    status text NOT NULL,
    requester text, requested timestamptz, actor text, acted timestamptz, expires timestamptz
);

CREATE TABLE registry.domain_extras (
    domain text REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    position integer,
    key text NOT NULL, value text NOT NULL,
    PRIMARY KEY (domain, position)
);

CREATE TABLE registry.ds_records (
    domain text REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    key_tag integer, algorithm integer, digest_type integer, digest bytea,
    PRIMARY KEY (domain, key_tag, algorithm, digest_type, digest)
);

CREATE TABLE registry.dns_keys (
    domain text REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    flags integer, protocol integer, algorithm integer, public_key bytea,
    PRIMARY KEY (domain, flags, algorithm, public_key)
);

CREATE TABLE registry.hosts (
    name text PRIMARY KEY,
    roid text NOT NULL UNIQUE,
    -- The domain that it is below; its sponsor is the host's (RFC 5732 section 1.1).
    superordinate text REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    -- The sponsor of a host outside of our zones.
    registrar text REFERENCES registry.registrars ON UPDATE CASCADE,
    created timestamptz, created_by text, created_client text,
    updated timestamptz, updated_by text, updated_client text,
    transferred timestamptz
);
CREATE INDEX ON registry.hosts (superordinate);

-- Without 'linked', which is whether a domain delegates to the host.
CREATE TABLE registry.host_statuses (
    host text REFERENCES registry.hosts ON UPDATE CASCADE ON DELETE CASCADE,
    status text,
    PRIMARY KEY (host, status)
);

CREATE TABLE registry.host_addresses (
    host text REFERENCES registry.hosts ON UPDATE CASCADE ON DELETE CASCADE,
    address inet,
    PRIMARY KEY (host, address)
);

CREATE TABLE registry.domain_hosts (
    domain text REFERENCES registry.domains ON UPDATE CASCADE ON DELETE CASCADE,
    position integer,
    host text NOT NULL REFERENCES registry.hosts ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY (domain, position)
);
CREATE INDEX ON registry.domain_hosts (host);

CREATE TABLE registry.nndns (
    name text PRIMARY KEY,
    zone text NOT NULL REFERENCES registry.zones,
    state text NOT NULL CHECK (state IN ('blocked', 'withheld', 'mirrored')),
    idn_table text REFERENCES registry.idn_tables ON UPDATE CASCADE,
    original_name text,
    mirroring_ns boolean,
    created timestamptz
);
