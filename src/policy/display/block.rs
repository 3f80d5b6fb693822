//! One contact block of the configuration: a key for each field of [`BLOCK`].
//!
//! # Invariants
//!
//! - Its keys are those of the table of fields, `shown` and `fields`; others are refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::settings::Field;
use crate::field::contact::{BLOCK, FIELD_COUNT};

/// One contact block: whether it is there, and how each field reads. A field that is absent keeps
/// the preset's rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Whether the block is there at all.
    pub shown: Option<bool>,
    /// Rule of every field that has none of its own.
    pub fields: Option<Field>,
    /// Rules of single fields, by [`crate::field::contact::ShownField`].
    pub own: [Option<Field>; FIELD_COUNT],
}

const SHOWN: &str = "shown";
const FIELDS: &str = "fields";

/// All keys of a block.
const KEYS: [&str; FIELD_COUNT + 2] = {
    let mut keys = [SHOWN; FIELD_COUNT + 2];
    keys[1] = FIELDS;
    let mut index = 0;
    while index < FIELD_COUNT {
        keys[index + 2] = BLOCK[index].field.key;
        index += 1;
    }
    keys
};

impl Block {
    /// Every rule that it has, with its key.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&'static str, &Field)> {
        let own = BLOCK.iter().zip(&self.own).map(|(row, rule)| (row.field.key, rule.as_ref()));
        let all = own.chain([(FIELDS, self.fields.as_ref())]);
        all.filter_map(|(key, rule)| Some((key, rule?)))
    }

    /// What it says about a field by its name, or about all.
    pub(crate) fn rule(&self, index: usize) -> Option<&Field> {
        self.own.get(index)?.as_ref().or(self.fields.as_ref())
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(shown) = self.shown {
            map.serialize_entry(SHOWN, &shown)?;
        }
        if let Some(rule) = &self.fields {
            map.serialize_entry(FIELDS, rule)?;
        }
        for (row, rule) in BLOCK.iter().zip(&self.own) {
            if let Some(rule) = rule {
                map.serialize_entry(row.field.key, rule)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Block", &KEYS, OfKeys)
    }
}

struct OfKeys;

impl<'de> Visitor<'de> for OfKeys {
    type Value = Block;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of rules for the fields of a contact")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Block, A::Error> {
        let mut block = Block::default();
        while let Some(key) = map.next_key::<String>()? {
            let place = BLOCK.iter().position(|row| row.field.key == key);
            match (&*key, place.and_then(|place| block.own.get_mut(place))) {
                (SHOWN, _) => block.shown = Some(map.next_value()?),
                (FIELDS, _) => block.fields = Some(map.next_value()?),
                (_, Some(rule)) => *rule = Some(map.next_value()?),
                (_, None) => return Err(A::Error::unknown_field(&key, &KEYS)),
            }
        }
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::contact::ShownField;

    #[test]
    fn a_block_reads_back_as_it_was_written_and_refuses_what_is_no_field() {
        let text = "shown = true\nfields = \"redacted\"\ncity = \"text:by post\"\n";
        let block: Block = toml::from_str(text).unwrap();
        assert_eq!(block.own[ShownField::City as usize], Some(Field::Text("by post".to_owned())));
        assert_eq!(
            block.rule(ShownField::City as usize),
            block.own[ShownField::City as usize].as_ref()
        );
        assert_eq!(block.rule(0), Some(&Field::Redacted));
        assert_eq!(toml::from_str::<Block>(&toml::to_string(&block).unwrap()).unwrap(), block);
        let error = toml::from_str::<Block>("zip = \"shown\"").unwrap_err().to_string();
        assert!(error.contains("unknown field `zip`, expected one of `shown`, `fields`, `id`"));
        assert!(error.contains("`postal_code`"), "{error}");
    }
}
