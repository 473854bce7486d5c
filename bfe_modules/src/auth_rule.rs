//! What the rules of mod_auth_basic and mod_auth_jwt have in common.

use crate::rule_file::{self, RuleFault};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use bytes::Bytes;

/// The realm where a rule names none.
const REALM: &str = "Restricted";

/// A text that has to be there.
pub(crate) fn not_empty(text: Option<String>, field: &str) -> Result<String, RuleFault> {
    let text = text.filter(|text| !text.is_empty());
    text.ok_or_else(|| RuleFault::new(json_path![field], format!("{field} empty.")))
}

/// The condition of a rule.
pub(crate) fn condition(text: Option<String>) -> Result<Condition, RuleFault> {
    rule_file::condition(Some(not_empty(text, "Cond")?))
}

/// The value of `WWW-Authenticate`: the realm goes in as it is written.
pub(crate) fn challenge(scheme: &str, realm: Option<String>) -> Bytes {
    let realm = realm.filter(|realm| !realm.is_empty());
    format!("{scheme} realm=\"{}\"", realm.as_deref().unwrap_or(REALM)).into()
}
