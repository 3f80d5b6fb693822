//! The CSV model of RFC 9022: a file per table, and the XML that declares them.
//!
//! # Invariants
//!
//! - The XML comes last, under its own name only when every file that it declares is there; nothing
//!   is left of a deposit that was not finished.
//! - Names of files carry TLD, date and model: deposits of several TLDs, and of both models, have
//!   room in one folder.
//! - Columns are those of the RFC's examples, then `fUName`, `fTrDate` and custom ones.
//!
//! # Does not
//!
//! Split a table into several files.

mod folder;
mod rows;
mod table;

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use snapshot_format::object::{IdnTable, Nameserver, Nndn, Postal, PostalKind, Registrar};
use snapshot_format::status::{HOST_STATUS_WORDS, words_of};

use super::encode::escape;
use super::envelope::{self, Model};
use super::xml::state_word;
use super::{Repository, Source, file_name};
use crate::aside;
use crate::field::contact::{BLOCK, ShownField};
use folder::Folder;
use rows::{ContactTables, DISCLOSE, DomainTables, address, phone};
use table::Table;

/// Checksum of the files (RFC 9022 section 4.6.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checksum {
    /// The model's default.
    #[default]
    Crc32,
    /// Against more than accidents.
    Sha256,
}

/// How files are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Compresses each file with gzip.
    pub gzip: bool,
    /// Checksum of each file.
    pub checksum: Checksum,
}

/// Writes a full deposit in the CSV model into `directory`, which is made if it does not exist:
/// the XML `{name}.csv.xml` and data files `{name}.{table}.csv` beside it, see [`file_name`]. Gives
/// the path of the XML.
///
/// # Errors
///
/// The source's, or the file system's.
pub fn write(source: &mut dyn Source, directory: &Path, options: Options) -> io::Result<PathBuf> {
    let folder = Folder::new(directory)?;
    let repository = source.repository()?;
    let mut xml = String::with_capacity(1 << 15);
    envelope::open(Model::Csv, &repository, &mut xml);
    let directory = folder.path();
    let mut deposit = Deposit { directory, options, repository: &repository, xml };
    deposit.domains(source)?;
    deposit.hosts(source)?;
    deposit.contacts(source)?;
    deposit.registrars(source)?;
    deposit.idn_tables(source)?;
    deposit.nndns(source)?;
    let mut xml = deposit.xml;
    envelope::close(&mut xml);
    let name = name_of(&repository, "csv.xml");
    aside::create(&directory.join(&name))?.write_all(xml.as_bytes())?;
    folder.settle(&name)
}

/// The name of a file of the deposit.
fn name_of(repository: &Repository, extension: &str) -> String {
    let tld = repository.suffixes.first().map_or("", String::as_str);
    file_name(tld, repository.watermark_ms, extension)
}

struct Deposit<'a> {
    directory: &'a Path,
    options: Options,
    repository: &'a Repository,
    xml: String,
}

const ACTOR_FIELDS: [&str; 6] = [
    "rdeCsv:fCrRr",
    "rdeCsv:fCrID",
    "rdeCsv:fCrDate",
    "rdeCsv:fUpRr",
    "rdeCsv:fUpID",
    "rdeCsv:fUpDate",
];
const TRANSFER_FIELDS: [&str; 7] = [
    "rdeCsv:fTrStatus",
    "rdeCsv:fReRr",
    "rdeCsv:fReID",
    "rdeCsv:fReDate",
    "rdeCsv:fAcRr",
    "rdeCsv:fAcID",
    "rdeCsv:fAcDate",
];

impl Deposit<'_> {
    /// Starts the table `name` in a file that is called after `stem`.
    fn table(&self, name: &'static str, stem: &str, fields: &[&[&str]]) -> io::Result<Table> {
        let gz = if self.options.gzip { ".gz" } else { "" };
        let file_name = name_of(self.repository, &format!("{stem}.csv{gz}"));
        let fields = fields.iter().flat_map(|part| part.iter()).map(|&f| f.to_owned()).collect();
        Table::create(self.directory, file_name, name, fields, self.options)
    }

    /// Ends the tables of a kind and declares them.
    fn declare(&mut self, space: &str, tables: Vec<Table>) -> io::Result<()> {
        envelope::push(&mut self.xml, &["<", space, ":contents>\n"]);
        for table in tables {
            table.finish(&mut self.xml)?;
        }
        envelope::push(&mut self.xml, &["</", space, ":contents>\n"]);
        Ok(())
    }

    fn domains(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let keys = &self.repository.extra_keys;
        let custom: Vec<String> = keys.iter().map(|key| custom_field(key)).collect();
        let custom: Vec<&str> = custom.iter().map(String::as_str).collect();
        let parent = "csvDomain:fName parent=\"true\"";
        let key_of = ["csvDomain:fName", "rdeCsv:fRoid", "rdeCsv:fIdnTableId"];
        let whose = ["csvDomain:fOriginalName", "rdeCsv:fRegistrant", "rdeCsv:fClID"];
        let rest = ["rdeCsv:fExDate isRequired=\"true\"", "rdeCsv:fUName", "rdeCsv:fTrDate"];
        let contacts = [parent, "csvContact:fId", "csvDomain:fContactType"];
        let signed = [parent, "csvDomain:fMaxSigLife"];
        let ds = ["csvDomain:fKeyTag", "csvDomain:fDsAlg", "csvDomain:fDigestType"];
        let key = ["csvDomain:fFlags", "csvDomain:fProtocol", "csvDomain:fKeyAlg"];
        let status = [parent, "csvDomain:fStatus", "rdeCsv:fStatusDescription", "rdeCsv:fLang"];
        let by_name = [parent, "csvHost:fName parent=\"true\""];
        let mut tables = DomainTables {
            domain: self.table(
                "domain",
                "domain",
                &[&key_of, &whose, &ACTOR_FIELDS, &rest, &custom],
            )?,
            contacts: self.table("domainContacts", "domainContacts", &[&contacts])?,
            statuses: self.table(
                "domainStatuses",
                "domainStatuses",
                &[&status, &["csvDomain:fRgpStatus"]],
            )?,
            nameservers: self.table("domainNameServers", "domainNameServers-name", &[&by_name])?,
            roids: self.table(
                "domainNameServers",
                "domainNameServers-roid",
                &[&[parent, "rdeCsv:fRoid"]],
            )?,
            attributes: self.table(
                "domainNameServersAddresses",
                "domainNameServersAddresses",
                &[&by_name, &["csvHost:fAddr", "csvHost:fAddrVersion"]],
            )?,
            ds: self.table("dnssec", "dnssec-ds", &[&signed, &ds, &["csvDomain:fDigest"]])?,
            keys: self.table("dnssec", "dnssec-key", &[&signed, &key, &["csvDomain:fPubKey"]])?,
            transfers: self.table(
                "domainTransfer",
                "domainTransfer",
                &[&[parent], &TRANSFER_FIELDS, &["rdeCsv:fExDate"]],
            )?,
        };
        source.domains(&mut |domain, attributes| tables.write(domain, attributes, keys))?;
        self.declare("csvDomain", tables.into())
    }

    fn hosts(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let parent = "rdeCsv:fRoid parent=\"true\"";
        let key_of = ["csvHost:fName", "rdeCsv:fRoid", "rdeCsv:fClID"];
        let status = [parent, "csvHost:fStatus", "rdeCsv:fStatusDescription", "rdeCsv:fLang"];
        let address = [
            parent,
            "csvHost:fAddr isRequired=\"true\"",
            "csvHost:fAddrVersion isRequired=\"true\"",
        ];
        let mut host =
            self.table("host", "host", &[&key_of, &ACTOR_FIELDS, &["rdeCsv:fTrDate"]])?;
        let mut statuses = self.table("hostStatuses", "hostStatuses", &[&status])?;
        let mut addresses = self.table("hostAddresses", "hostAddresses", &[&address])?;
        source.nameservers(&mut |object: &Nameserver| {
            if object.roid.is_empty() {
                let what = format!(
                    "nameserver {}: the CSV model needs its ROID, and it has none; write the XML \
                     model (--rde-xml), or give it one",
                    object.name
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            host.texts(&[&object.name, &object.roid, &object.registrar])?;
            host.actor(&object.creator)?;
            host.time(object.created)?;
            host.actor(&object.updater)?;
            host.time(object.updated)?;
            host.time(object.transferred)?;
            host.end()?;
            for word in words_of(object.statuses.bits, HOST_STATUS_WORDS) {
                statuses.row(&[&object.roid, word, "", ""])?;
            }
            for &v4 in &object.v4 {
                addresses.row(&[&object.roid, &Ipv4Addr::from(v4).to_string(), "v4"])?;
            }
            for &v6 in &object.v6 {
                addresses.row(&[&object.roid, &Ipv6Addr::from(v6).to_string(), "v6"])?;
            }
            Ok(())
        })?;
        self.declare("csvHost", vec![host, statuses, addresses])
    }

    fn contacts(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let parent = "csvContact:fId parent=\"true\"";
        let own: Vec<&str> = BLOCK.iter().filter_map(|row| row.column("contact")).collect();
        let status = [parent, "csvContact:fStatus", "rdeCsv:fStatusDescription", "rdeCsv:fLang"];
        let person = [parent, "csvContact:fPostalType", "csvContact:fName", "csvContact:fOrg"];
        let wish: Vec<&str> =
            [parent, "csvContact:fDiscloseFlag"].into_iter().chain(DISCLOSE.map(|f| f.1)).collect();
        let address = address_fields("");
        let address: Vec<&str> = address.iter().map(String::as_str).collect();
        let mut tables = ContactTables {
            contact: self.table(
                "contact",
                "contact",
                &[&["csvContact:fId"], &own, &["rdeCsv:fClID"], &ACTOR_FIELDS, &["rdeCsv:fTrDate"]],
            )?,
            statuses: self.table("contactStatuses", "contactStatuses", &[&status])?,
            postal: self.table("contactPostal", "contactPostal", &[&person, &address])?,
            transfers: self.table(
                "contactTransfer",
                "contactTransfer",
                &[&[parent], &TRANSFER_FIELDS],
            )?,
            disclose: self.table("contactDisclose", "contactDisclose", &[&wish])?,
        };
        source.contacts(&mut |contact| tables.write(contact))?;
        self.declare("csvContact", tables.into())
    }

    fn registrars(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let key_of = [
            "csvRegistrar:fId",
            "csvRegistrar:fName isLoc=\"false\"",
            "csvRegistrar:fGurid",
            "csvRegistrar:fStatus",
        ];
        let forms = ["false", "true"].map(|loc| address_fields(&format!(" isLoc=\"{loc}\"")));
        let forms: Vec<&str> = forms.iter().flatten().map(String::as_str).collect();
        let reach = [
            "csvContact:fVoice",
            "csvContact:fVoiceExt",
            "csvContact:fFax",
            "csvContact:fFaxExt",
            "csvContact:fEmail isRequired=\"false\"",
            "rdeCsv:fUrl",
            "csvRegistrar:fWhoisUrl",
            "rdeCsv:fCrDate",
            "rdeCsv:fUpDate",
        ];
        let custom = custom_field("whoisName");
        let mut table =
            self.table("registrar", "registrar", &[&key_of, &forms, &reach, &[&custom]])?;
        source.registrars(&mut |registrar: &Registrar| {
            table.texts(&[&registrar.id, &registrar.name])?;
            let gurid = registrar.iana_id;
            table.text(&if gurid > 0 { gurid.to_string() } else { String::new() })?;
            table.text(registrar.status.word())?;
            for kind in [PostalKind::Int, PostalKind::Loc] {
                let none = Postal::default();
                let postal = registrar.postal.iter().find(|postal| postal.kind == kind);
                address(postal.unwrap_or(&none), &mut table)?;
            }
            phone(&registrar.voice, &mut table)?;
            phone(&registrar.fax, &mut table)?;
            table.texts(&[&registrar.email, &registrar.url, &registrar.whois_url])?;
            table.time(registrar.created)?;
            table.time(registrar.updated)?;
            table.row(&[&registrar.whois_name])
        })?;
        self.declare("csvRegistrar", vec![table])
    }

    fn idn_tables(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let fields = ["rdeCsv:fIdnTableId isRequired=\"true\"", "rdeCsv:fUrl isRequired=\"true\""];
        let custom = custom_field("urlPolicy");
        let mut table = self.table("idnLanguage", "idnLanguage", &[&fields, &[&custom]])?;
        source.idn_tables(&mut |object: &IdnTable| {
            table.row(&[&object.id, &object.url, &object.policy_url])
        })?;
        self.declare("csvIDN", vec![table])
    }

    fn nndns(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let fields = [
            "csvNNDN:fAName",
            "rdeCsv:fIdnTableId",
            "csvNNDN:fOriginalName",
            "csvNNDN:fNameState",
            "csvNNDN:fMirroringNS",
            "rdeCsv:fCrDate",
            "rdeCsv:fUName",
        ];
        let mut table = self.table("NNDN", "NNDN", &[&fields])?;
        source.nndns(&mut |object: &Nndn| {
            table.texts(&[&object.name, &object.idn_table, &object.original_name])?;
            table.text(state_word(object.state))?;
            table.text(if object.mirroring_ns { "1" } else { "0" })?;
            table.time(object.created)?;
            table.row(&[&object.u_name])
        })?;
        self.declare("csvNNDN", vec![table])
    }
}

/// A custom field (RFC 9022 section 4.6.2.2).
fn custom_field(key: &str) -> String {
    let mut field = "rdeCsv:fCustom name=\"".to_owned();
    escape(key, &mut field);
    field.push('"');
    field
}

/// Street to country code, each with `attribute`.
fn address_fields(attribute: &str) -> Vec<String> {
    let mut fields = Vec::new();
    for row in BLOCK.iter().filter(|row| row.is_address()) {
        let Some(column) = row.column("contactPostal") else { continue };
        if row.shown == ShownField::Street {
            let lines = (0..3).map(|line| format!("{column}{attribute} index=\"{line}\""));
            fields.extend(lines);
        } else {
            fields.push(format!("{column}{attribute}"));
        }
    }
    fields
}
