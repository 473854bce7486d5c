//! Actions from JSON, checked (condition 10.2).

use super::{Action, ActionError, Command};
use crate::condition::upper;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// How many parameters a command takes.
#[derive(Clone, Copy)]
enum Arity {
    Exactly(usize),
    Any,
}

/// Beginning of the names of header fields that actions may set, in upper case.
const HEADER_PREFIX: &[u8] = b"X-BFE-";

/// An action as it stands in a file.
#[derive(Default)]
struct RawAction {
    command: Option<String>,
    params: Vec<String>,
}

impl Command {
    /// The number of parameters, for commands that files may name.
    const fn arity(self) -> Option<Arity> {
        Some(match self {
            Self::Close | Self::Pass | Self::Finish | Self::HostSetFromPathPrefix => Arity::Exactly(0),
            Self::ReqHeaderDel
            | Self::HostSet
            | Self::PathSet
            | Self::PathPrefixAdd
            | Self::PathPrefixTrim => Arity::Exactly(1),
            Self::ReqHeaderAdd | Self::ReqHeaderSet | Self::QueryAdd | Self::QueryRename => Arity::Exactly(2),
            Self::QueryDel | Self::QueryDelAllExcept => Arity::Any,
            Self::HostSuffixReplace => return None,
        })
    }
}

impl Action {
    /// Reads and checks an action.
    ///
    /// # Errors
    /// When the JSON has another shape, the command is unknown, or its parameters are wrong.
    pub fn from_json(json: &str) -> Result<Self, ActionError> {
        let raw: RawAction = serde_json::from_str(json).map_err(|e| ActionError::Decode(e.to_string()))?;
        check(raw).map_err(ActionError::Check)
    }
}

fn check(raw: RawAction) -> Result<Action, String> {
    let name = raw.command.ok_or("no Cmd")?;
    let name = String::from_utf8_lossy(&upper(name.as_bytes())).into_owned();
    let known = Command::find(&name).and_then(|command| command.arity().map(|arity| (command, arity)));
    let Some((command, arity)) = known else { return Err(format!("invalid cmd:{name}")) };
    match arity {
        Arity::Exactly(want) if want != raw.params.len() => {
            return Err(format!("num of params:[ok:{want}, now:{}]", raw.params.len()));
        }
        Arity::Exactly(_) | Arity::Any => {}
    }
    if raw.params.iter().any(String::is_empty) {
        return Err("empty Params".into());
    }
    if let (Command::ReqHeaderAdd | Command::ReqHeaderSet, Some(name)) = (command, raw.params.first()) {
        let name = upper(name.as_bytes());
        if !name.starts_with(HEADER_PREFIX) {
            let name = String::from_utf8_lossy(&name);
            return Err(format!("add/set header key must start with X-Bfe-, got {name}"));
        }
    }
    Ok(Action { command, params: raw.params.into_iter().map(Bytes::from).collect() })
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawAction::deserialize(deserializer)
            .map_err(|e| D::Error::custom(format!("decode Action err: {e}")))?;
        check(raw).map_err(|e| D::Error::custom(ActionError::Check(e)))
    }
}

impl<'de> Deserialize<'de> for RawAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = RawAction;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with Cmd and Params")
            }

            /// A null has neither of both.
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(RawAction::default())
            }

            /// Names count in any case; of several the last counts.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut raw = RawAction::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name.eq_ignore_ascii_case("Cmd") {
                        raw.command = map.next_value()?;
                    } else if name.eq_ignore_ascii_case("Params") {
                        let params: Option<Vec<Option<String>>> = map.next_value()?;
                        raw.params =
                            params.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect();
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(raw)
            }
        }

        deserializer.deserialize_any(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn act_12_null_in_a_list_is_an_error() {
        let error = serde_json::from_str::<Vec<Action>>(r#"[{"Cmd":"PASS"}, null]"#).unwrap_err();
        assert!(error.to_string().starts_with("actionFileCheck err: no Cmd"), "{error}");
        assert_eq!(serde_json::from_str::<Vec<Action>>("[]").unwrap(), []);
        let error = serde_json::from_str::<Action>(r#"{"Cmd":5}"#).unwrap_err();
        assert!(error.to_string().starts_with("decode Action err: "), "{error}");
    }

    #[test]
    fn act_11_modules_allow_some_commands() {
        let action = Action::from_json(r#"{"Cmd":"close"}"#).unwrap();
        assert_eq!(action.check_allowed(&[Command::Pass, Command::Close]), Ok(()));
        let error = action.check_allowed(&[Command::Pass]).unwrap_err();
        assert_eq!(error.to_string(), "action cmd[CLOSE], is not allowed");
    }
}
