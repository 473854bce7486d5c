//! Rule files: `{"Version": "...", "Config": {product: [rule, ...]}}`, loaded whole, swapped whole
//! (modules-traffic 0.2).
//!
//! A module gives the shape of one rule and how it is checked ([`RawRule`]); loading, errors with their
//! places, reloading and looking up the rules of a product are done here.

use arc_swap::ArcSwap;
use bfe_basic::condition::Condition;
use bfe_basic::conf::json::{self, Document, Path as JsonPath};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A rule as it is written in the file.
pub trait RawRule: DeserializeOwned {
    /// The rule as requests use it.
    type Rule: Send + Sync;

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

    /// What is missing where a product has `null` instead of rules; `None` where that counts as none.
    #[must_use]
    fn no_rules() -> Option<&'static str> {
        None
    }
}

/// What is wrong with a rule: the path of a field inside it, and the reason.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleFault {
    field: JsonPath,
    reason: String,
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "R: DeserializeOwned")]
struct RawFile<R> {
    version: Option<String>,
    config: Option<BTreeMap<String, Option<Vec<R>>>>,
}

/// The rules of all products, of one load.
#[derive(Debug)]
pub struct RuleTable<R> {
    version: String,
    products: HashMap<Box<str>, Vec<R>>,
}

impl<R> Default for RuleTable<R> {
    fn default() -> Self {
        Self { version: String::new(), products: HashMap::new() }
    }
}

impl<R> RuleTable<R> {
    /// The rules of a product, in the order of the file; `None` where the file does not name it.
    #[must_use]
    pub fn rules(&self, product: &str) -> Option<&[R]> {
        // A file without rules costs nothing.
        if self.products.is_empty() {
            return None;
        }
        self.products.get(product).map(Vec::as_slice)
    }

    /// Label of the file.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    fn load<Raw: RawRule<Rule = R>>(document: Document<RawFile<Raw>>) -> Result<Self, ConfErrors> {
        let (raw, source, warnings) = document.into_parts();
        for warning in warnings {
            log::warn!("{warning}");
        }
        let mut faults = Faults::new();
        if raw.version.is_none() {
            faults.push(source.error(&json_path!["Version"], "no Version"));
        }
        if raw.config.is_none() {
            faults.push(source.error(&json_path!["Config"], "no Config"));
        }
        let mut products = HashMap::new();
        for (product, raw_rules) in raw.config.unwrap_or_default() {
            let path = json_path!["Config", &product];
            if raw_rules.is_none()
                && let Some(missing) = Raw::no_rules()
            {
                faults.push(source.error(&path, format!("no {missing} for product: {product}")));
            }
            let raw_rules = raw_rules.unwrap_or_default();
            let count = raw_rules.len();
            let mut rules = Vec::with_capacity(count);
            let at = |index: usize, fault: RuleFault| {
                let mut path = path.then(index);
                path.0.extend(fault.field.0);
                source.error(&path, fault.reason)
            };
            for (index, rule) in raw_rules.into_iter().enumerate() {
                match rule.check() {
                    Ok(rule) => rules.push(rule),
                    Err(fault) => faults.push_with(|| at(index, fault)),
                }
            }
            if rules.len() == count
                && let Err((index, fault)) = Raw::check_product(&rules)
            {
                faults.push_with(|| at(index, fault));
            }
            products.insert(product.into_boxed_str(), rules);
        }
        faults.into_result()?;
        Ok(Self { version: raw.version.unwrap_or_default(), products })
    }
}

/// A rule file of a running module.
pub struct RuleFile<Raw: RawRule> {
    path: PathBuf,
    current: ArcSwap<RuleTable<Raw::Rule>>,
}

impl<Raw: RawRule> RuleFile<Raw> {
    /// Loads the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: PathBuf) -> Result<Self, ConfErrors> {
        let table = RuleTable::load::<Raw>(json::read_file(&path)?)?;
        Ok(Self { path, current: ArcSwap::from_pointee(table) })
    }

    /// The rules in force.
    #[must_use]
    pub fn current(&self) -> arc_swap::Guard<Arc<RuleTable<Raw::Rule>>> {
        self.current.load()
    }

    /// Loads the file again, or another one; the rules in force stay where it is wrong. Gives
    /// `BASENAME=VERSION` of what was loaded.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn reload(&self, other: Option<&str>) -> Result<String, ConfErrors> {
        let path = other.filter(|p| !p.is_empty()).map_or(self.path.as_path(), Path::new);
        let table = RuleTable::load::<Raw>(json::read_file(path)?)?;
        let loaded = format!("{}={}", path.file_name().unwrap_or_default().display(), table.version());
        self.current.store(Arc::new(table));
        Ok(loaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Raw {
        cond: Option<String>,
    }

    impl RawRule for Raw {
        type Rule = Condition;

        fn check(self) -> Result<Condition, RuleFault> {
            condition(self.cond)
        }
    }

    fn load(text: &str) -> Result<RuleTable<Condition>, String> {
        json::from_slice("x.data", text.as_bytes())
            .and_then(RuleTable::load::<Raw>)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn good_files() {
        let table =
            load(r#"{"version":"v","CONFIG":{"p":[{"cond":"default_t()"}],"q":null}} trailing"#).unwrap();
        assert_eq!(table.version(), "v");
        assert_eq!(table.rules("p").map(<[_]>::len), Some(1));
        assert_eq!(table.rules("q").map(<[_]>::len), Some(0));
        assert!(table.rules("r").is_none());
    }

    #[test]
    fn errors_name_the_place() {
        for (text, want) in [
            ("{}", "x.data:1:1: Version: no Version\nx.data:1:1: Config: no Config"),
            (r#"{"Version":"1","Config":{"p":[{}]}}"#, "x.data:1:31: Config.p[0].Cond: no Cond"),
            (
                r#"{"Version":"1","Config":{"p":[{"Cond":"nope()"}]}}"#,
                "x.data:1:39: Config.p[0].Cond: error build [nope()] [1:1 primitive nope not found]",
            ),
        ] {
            assert_eq!(load(text).unwrap_err(), want);
        }
    }
}
