//! One rule as it is written, and what can be wrong with it.

use super::RuleIndex;
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::Path as JsonPath;
use bfe_basic::json_path;
use serde::de::DeserializeOwned;

/// A rule as it is written in the file.
pub trait RawRule: DeserializeOwned + 'static {
    /// What the file has to say about its version.
    const VERSION: Version = Version::Given;
    /// Whether the file has to have products.
    const NEEDS_CONFIG: bool = true;
    /// Whether each product has to have a name.
    const NEEDS_PRODUCT_NAME: bool = false;
    /// Whether bytes after the file's value are ignored; else they are an error.
    const IGNORES_REST: bool = true;

    /// The rule as requests use it.
    type Rule: Send + Sync + 'static;

    /// Checks and prepares the rule.
    ///
    /// # Errors
    /// What is wrong, and at which field of the rule.
    fn check(self) -> Result<Self::Rule, RuleFault>;

    /// Checks the rules of one product against each other. Says which is wrong, and why.
    ///
    /// # Errors
    /// The index of the rule, and what is wrong with it.
    fn check_product(_rules: &[Self::Rule]) -> Result<(), (usize, RuleFault)> {
        Ok(())
    }

    /// An index over the rules of one product, for modules that look for the rules whose condition matches.
    #[must_use]
    fn index(_rules: &[Self::Rule]) -> Option<RuleIndex> {
        None
    }

    /// Takes over what `before`, the rules of a product so far, have to leave to those that replace them; see
    /// [`RuleFile::reload`](super::RuleFile::reload).
    fn inherit(_rules: &mut [Self::Rule], _before: &[Self::Rule]) {}

    /// What is missing where a product has `null` instead of rules (`is_null`), or an empty list; `None`
    /// where it may have that.
    #[must_use]
    fn no_rules(is_null: bool) -> Option<&'static str> {
        let _ = is_null;
        None
    }
}

/// What a file has to say about its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Any text, also an empty one.
    Given,
    /// Some text.
    NotEmpty,
    /// Nothing.
    Optional,
}

/// What is wrong with a rule: the path of a field inside it, and the reason.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleFault {
    pub(super) field: JsonPath,
    pub(super) reason: String,
}

impl RuleFault {
    /// About that field.
    #[must_use]
    pub fn new(field: JsonPath, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// Takes what a field must have; where it is absent or null, says so.
///
/// # Errors
/// `no FIELD`
pub fn required<T>(value: Option<T>, field: &str) -> Result<T, RuleFault> {
    value.ok_or_else(|| RuleFault::new(json_path![field], format!("no {field}")))
}

/// Builds the condition of a rule.
///
/// # Errors
/// When there is none, or it is malformed.
pub fn condition(text: Option<String>) -> Result<Condition, RuleFault> {
    let text = required(text, "Cond")?;
    Condition::build(&text)
        .map_err(|e| RuleFault::new(json_path!["Cond"], format!("error build [{text}] [{e}]")))
}
