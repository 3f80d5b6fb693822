//! `[registrars]`: IANA's list of registrars as CSV, and a file of what an operator adds to it.
//!
//! # Invariants
//!
//! - `bounded`: a file has at most [`FILE_BYTES_MAX`] bytes.
//! - `one bad line of IANA's costs that line`: the list is not the operator's to correct. A line of
//!   the operator's own file is an error.
//!
//! # Does not
//!
//! Say what goes before what: `policy` does.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::policy::display::settings::{self, ListedRegistrar, Registrar};

/// Longest file, bytes; IANA's has some 300,000.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Columns of IANA's list that are read.
const ID: &str = "ID";
const STATUS: &str = "Status";
const RDAP_URL: &str = "RDAP Base URL";
/// The status of a registrar that has a service.
const ACCREDITED: &str = "Accredited";

/// Files that add to registrars.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registrars {
    /// IANA's list, as CSV.
    pub iana: Option<PathBuf>,
    /// What an operator adds, as TOML.
    pub overlay: Option<PathBuf>,
}

/// Why a file of registrars cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistrarsError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It is a directory, or a pipe.
    #[error("not a file")]
    NoFile,
    /// It is too long.
    #[error("more than {FILE_BYTES_MAX} bytes")]
    Long,
    /// It is not a text.
    #[error("not UTF-8")]
    Encoding,
    /// IANA's list has no such column.
    #[error(
        "not IANA's list of registrars as CSV: the first line has no column {0:?}; expected \
         https://www.iana.org/assignments/registrar-ids/registrar-ids-1.csv"
    )]
    Column(&'static str),
    /// IANA's list is not CSV.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// IANA's list has no registrar.
    #[error("no line of it is a registrar")]
    Empty,
    /// The operator's file is not TOML, or has other keys.
    #[error("line {line}: {problem}")]
    Toml {
        /// The line, from 1.
        line: usize,
        /// What is wrong, in the parser's words.
        problem: String,
    },
    /// The operator's file has a table of no registrar.
    #[error("line {line}: a [[registrar]] of this file needs its iana_id")]
    NoId {
        /// The line, from 1.
        line: usize,
    },
    /// The operator's file has a value that cannot be used.
    #[error("{0}")]
    Value(#[from] settings::SettingError),
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, RegistrarsError> {
    // A pipe would be waited for.
    if !path.metadata()?.is_file() {
        return Err(RegistrarsError::NoFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(RegistrarsError::Long);
    }
    String::from_utf8(bytes).map_err(|_| RegistrarsError::Encoding)
}

/// Reads IANA's list: accredited registrars with a base URL; and how many lines do not read.
pub(super) fn iana(text: &str) -> Result<(Vec<ListedRegistrar>, u64), RegistrarsError> {
    // Spreadsheets put a mark of the byte order before it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let columns = reader.headers()?.clone();
    let column = |name: &'static str| {
        let place = columns.iter().position(|column| column.trim() == name);
        place.ok_or(RegistrarsError::Column(name))
    };
    let (id, status, url) = (column(ID)?, column(STATUS)?, column(RDAP_URL)?);
    let (mut listed, mut lines, mut passed_over) = (Vec::new(), 0_u64, 0_u64);
    for record in reader.records() {
        let record = record?;
        let field = |place: usize| record.get(place).unwrap_or_default().trim();
        lines = lines.saturating_add(1);
        let Some(iana_id) = field(id).parse().ok().filter(|id: &u32| *id != 0) else {
            passed_over = passed_over.saturating_add(1);
            continue;
        };
        if field(status) != ACCREDITED || field(url).is_empty() {
            continue;
        }
        if settings::is_followed(field(url)) {
            listed.push(ListedRegistrar { iana_id, rdap_url: field(url).to_owned() });
        } else {
            passed_over = passed_over.saturating_add(1);
        }
    }
    if lines == passed_over { Err(RegistrarsError::Empty) } else { Ok((listed, passed_over)) }
}

/// The file of an operator: `[[registrar]]` tables by IANA identifier.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Overlay {
    registrar: Vec<Spanned<Registrar>>,
}

/// Reads what an operator adds.
pub(super) fn overlay(text: &str) -> Result<Vec<Registrar>, RegistrarsError> {
    let line_at = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let overlay: Overlay = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(span.start));
        RegistrarsError::Toml { line, problem: error.message().to_owned() }
    })?;
    for registrar in &overlay.registrar {
        if registrar.get_ref().iana_id == 0 {
            let line = line_at(registrar.span().start);
            return Err(RegistrarsError::NoId { line });
        }
    }
    let registrars: Vec<_> = overlay.registrar.into_iter().map(Spanned::into_inner).collect();
    settings::check_registrars(&registrars)?;
    Ok(registrars)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IANA: &str = "ID,Registrar Name,Status,RDAP Base URL\r\n\
        1,\"Reserved, of old\",Reserved,\r\n\
        2,Gone,Terminated,https://rdap.gone.example/\r\n\
        146,\"Registrar, LLC\",Accredited,https://rdap.one.example/v1/\r\n\
        955,Odd,Accredited,https://rdap.two.example/rdap/domain/\r\n\
        956,Without,Accredited,\r\n\
        957,Bad,Accredited,nowhere\r\n\
        x,No number,Accredited,https://rdap.x.example/\r\n";

    #[test]
    fn the_list_of_iana_gives_the_base_urls_of_accredited_registrars() {
        let (listed, passed_over) = iana(IANA).unwrap();
        let listed: Vec<_> = listed.iter().map(|one| (one.iana_id, &*one.rdap_url)).collect();
        assert_eq!(
            listed,
            [(146, "https://rdap.one.example/v1/"), (955, "https://rdap.two.example/rdap/domain/")]
        );
        assert_eq!(passed_over, 2);
        // Other columns, in another order.
        let other = "Status,New,RDAP Base URL,ID\nAccredited,x,https://rdap.one.example/,146\n";
        assert_eq!(iana(&format!("\u{feff}{other}")).unwrap().0.len(), 1);
    }

    #[test]
    fn what_is_no_list_is_refused_with_what_is_expected() {
        for text in
            ["", "<html>\n</html>", "ID,Status\n1,Accredited\n", "ID,Registrar Name,Status\n"]
        {
            let error = iana(text).unwrap_err().to_string();
            assert!(error.contains("registrar-ids-1.csv"), "{text}: {error}");
        }
        let header = IANA.lines().next().unwrap();
        assert!(matches!(iana(header), Err(RegistrarsError::Empty)));
    }

    #[test]
    fn a_line_of_the_operators_own_file_is_an_error() {
        let good = "[[registrar]]\niana_id = 146\nabuse_email = \"abuse@one.example\"\n\
            tech_name = \"Tech Desk\"\n";
        assert_eq!(overlay(good).unwrap()[0].tech_name, "Tech Desk");
        for (text, expected) in [
            (
                "[[registrar]]\nid = \"R1\"\n",
                "line 1: a [[registrar]] of this file needs its iana_id",
            ),
            ("[[registrar]]\niana_id = 1\ncolour = 1\n", "line 3: unknown field `colour`"),
            ("registrar = 1", "line 1: "),
            (&format!("{good}{good}"), "registrar[2].iana_id: 146 has a table already"),
            ("[[registrar]]\niana_id = 1\nurl = \"x\"\n", "registrar[1].url: "),
        ] {
            let error = overlay(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read_to_its_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"x").unwrap();
        file.as_file().set_len(FILE_BYTES_MAX + 1).unwrap();
        assert!(matches!(read(file.path()), Err(RegistrarsError::Long)));
        assert!(matches!(read(Path::new("/nonexistent")), Err(RegistrarsError::Read(_))));
        assert!(matches!(read(Path::new("/")), Err(RegistrarsError::NoFile)));
    }
}
