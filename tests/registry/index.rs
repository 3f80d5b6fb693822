//! An index of a view in memory, by the terms that `whoisd-web` keeps.

use snapshot_format::Kind;
use snapshot_format::record::ArchivedContact;
use whoisd::query::search::{Index, IndexError, Reference, Wanted, contact_terms, domain_terms};
use whoisd::view::View;

/// Terms with what has them, in order.
#[derive(Debug, Default)]
pub(crate) struct ModelIndex {
    domains: Vec<(String, Vec<Vec<u8>>)>,
    contacts: Vec<(Vec<u8>, u32)>,
}

impl ModelIndex {
    pub(crate) fn of(view: &View) -> Self {
        let mut index = Self::default();
        for record in view.data().domains("").unwrap() {
            let Some(record) = record.unwrap() else { continue };
            let mut terms = Vec::new();
            domain_terms(record, &mut |term| terms.push(term.to_vec()));
            index.domains.push((record.name.as_str().to_owned(), terms));
        }
        for ordinal in 0..view.data().ordinals_end(Kind::Contact) {
            let record: Option<&ArchivedContact> = view.data().record(ordinal).unwrap();
            if let Some(record) = record {
                contact_terms(record, &mut |term| index.contacts.push((term.to_vec(), ordinal)));
            }
        }
        index
    }
}

impl Index for ModelIndex {
    fn domains_of(
        &self,
        references: &[Reference],
        is_meant: &dyn Fn(Reference, &str) -> bool,
        after: &str,
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), IndexError> {
        for (name, terms) in &self.domains {
            let has = |reference: &Reference| {
                terms.iter().any(|term| {
                    term.strip_prefix(&reference.term()).is_some_and(|suffix| {
                        is_meant(*reference, std::str::from_utf8(suffix).unwrap())
                    })
                })
            };
            if **name > *after && references.iter().any(has) && !visit(name) {
                break;
            }
        }
        Ok(())
    }

    fn contacts(
        &self,
        wanted: &Wanted<'_>,
        after: Option<(&str, u32)>,
        visit: &mut dyn FnMut(&str, u32) -> bool,
    ) -> Result<(), IndexError> {
        let text_of = |term: &Vec<u8>| String::from_utf8(term[3..].to_vec()).unwrap();
        let is_wanted = |(term, _): &&(Vec<u8>, u32)| {
            let text = text_of(term);
            wanted.heads.iter().any(|head| term.starts_with(head))
                && if wanted.exact { text == wanted.text } else { text.starts_with(wanted.text) }
        };
        let found = self.contacts.iter().filter(is_wanted);
        let mut found: Vec<_> = found.map(|(term, ordinal)| (text_of(term), *ordinal)).collect();
        found.sort_unstable();
        for (text, ordinal) in found {
            if after.is_none_or(|after| (&*text, ordinal) > after) && !visit(&text, ordinal) {
                break;
            }
        }
        Ok(())
    }
}
