//! The records of the registry, and how each output is asked for them.

/// A record, and how each output is asked for it.
pub(crate) struct Record {
    /// Local name of its element.
    pub(crate) element: &'static str,
    /// Path of its key below the element.
    pub(crate) key_at: &'static str,
    pub(crate) key: &'static str,
    /// Its ROID, by which some tables refer to it.
    pub(crate) roid: &'static str,
    pub(crate) query: &'static str,
    /// What RDAP is asked; empty for what is no object of its own there.
    pub(crate) rdap: &'static str,
    pub(crate) inspect: &'static str,
}

pub(crate) const DOMAIN: Record = Record {
    element: "domain",
    key_at: "name",
    key: "xn--bcher-kva.test",
    roid: "D1-TEST",
    query: "domain bücher.test",
    rdap: "domain/b%C3%BCcher.test",
    inspect: "--domain",
};
pub(crate) const VARIANT: Record =
    Record { key: "buecher.test", roid: "D2-TEST", query: "roid D2-TEST", rdap: "", ..DOMAIN };
pub(crate) const RESERVED: Record = Record {
    element: "NNDN",
    key_at: "aName",
    key: "xn--bcher-9qa.test",
    roid: "",
    query: "domain xn--bcher-9qa.test",
    rdap: "",
    inspect: "--nndn",
};
pub(crate) const NAMESERVER: Record = Record {
    element: "host",
    key_at: "name",
    key: "ns1.xn--bcher-kva.test",
    roid: "H1-TEST",
    query: "nameserver ns1.bücher.test",
    rdap: "nameserver/ns1.bücher.test",
    inspect: "--nameserver",
};
pub(crate) const REGISTRAR: Record = Record {
    element: "registrar",
    key_at: "id",
    key: "REG1",
    roid: "",
    query: "registrar 90007",
    rdap: "entity/90007",
    inspect: "--registrar",
};
pub(crate) const CONTACT: Record = Record {
    element: "contact",
    key_at: "id",
    key: "CON1",
    roid: "C1-TEST",
    query: "contact CON1",
    rdap: "entity/C1-TEST",
    inspect: "--contact",
};
