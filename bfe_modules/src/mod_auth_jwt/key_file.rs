//! Key files: a JSON list of JSON Web Keys.

use super::jwk;
use super::key::Key;
use bfe_basic::conf::read_bytes;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The members of one key. Their names count by case; none may be given twice.
#[derive(Default)]
pub(super) struct Members(BTreeMap<String, Member>);

/// The value of a member, as far as it is of interest.
pub(super) enum Member {
    Text(String),
    List(Vec<Option<String>>),
    Other,
}

impl Members {
    /// A text; `None` where it is absent or null.
    ///
    /// # Errors
    /// Where it is something else.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Member::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} is not a string")),
        }
    }

    /// A list of texts; empty where it is absent or null.
    ///
    /// # Errors
    /// Where it is something else.
    pub(super) fn list(&self, name: &str) -> Result<Vec<&str>, String> {
        match self.0.get(name) {
            None => Ok(Vec::new()),
            Some(Member::List(list)) => list
                .iter()
                .map(|text| text.as_deref().ok_or_else(|| format!("{name} is not a list of strings")))
                .collect(),
            Some(_) => Err(format!("{name} is not a list of strings")),
        }
    }
}

/// Reads a file, as it is named: relative to the folder where the process was started.
///
/// # Errors
/// That the file cannot be read, or which key is wrong, and why; never what stands in it.
pub(super) fn load(file: &str) -> Result<Vec<Key>, String> {
    let text = read_bytes(Path::new(file)).map_err(|e| e.to_string())?;
    let keys: Option<Vec<Option<Members>>> = serde_json::from_slice(&text).map_err(|error| {
        let reason = match error.classify() {
            // Texts of the parser name what it expected, those of types what it found.
            serde_json::error::Category::Data => match error.to_string() {
                own if own.starts_with(OWN) => own.split(" at line").next().unwrap_or(OWN).to_owned(),
                _ => "expected a list of keys".to_owned(),
            },
            _ => "is not JSON".to_owned(),
        };
        format!("{file}:{}: {reason}", error.line())
    })?;
    let mut loaded = Vec::new();
    for (number, members) in (1..).zip(keys.unwrap_or_default()) {
        let wrong = |reason: String| format!("{file}: key {number}: {reason}");
        let members = members.ok_or_else(|| wrong("is null".into()))?;
        let key = jwk::load(&members).map_err(wrong)?;
        if let Key::Idle(reason) = key {
            log::warn!("{file}: key {number}: verifies no token: {reason}");
        }
        loaded.push(key);
    }
    Ok(loaded)
}

/// How errors begin whose text is made here.
const OWN: &str = "a key has the member ";

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                let mut seen = std::collections::BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!("{OWN}{name:?} twice")));
                    }
                    if let Some(member) = map.next_value::<Option<Member>>()? {
                        members.insert(name, member);
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
                Ok(Member::Text(text.to_owned()))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Member, E> {
                Ok(Member::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Member, E> {
                Ok(Member::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Member, E> {
                Ok(Member::Other)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Member, E> {
                Ok(Member::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Member, E> {
                Ok(Member::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Member, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element::<Member>()? {
                    list.push(match element {
                        Member::Text(text) => Some(text),
                        Member::List(_) | Member::Other => None,
                    });
                }
                Ok(Member::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Member::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}
