//! Rule files: `{"Version": "...", "Config": {product: [rule, ...]}}`, loaded whole, swapped whole
//! (modules-traffic 0.2).
//!
//! A module gives the shape of one rule and how it is checked ([`RawRule`]); loading, errors with their
//! places, reloading and looking up the rules of a product are done here, walking through them in
//! [`walk`].

mod raw;
pub mod walk;

pub use bfe_basic::rule_index::{RuleIndex, RuleList};
pub use raw::{RawRule, RuleFault, Version, condition, required};

use arc_swap::ArcSwap;
use bfe_basic::conf::json::{self, Document};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use bfe_module::WebHandlers;
use bfe_module::web::DuplicateHandler;
use foldhash::fast::FixedState;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Names come from the file alone, so that a fast hash does.
    products: HashMap<Box<str>, Product<R>, FixedState>,
}

/// The rules of a product, in the order of the file.
#[derive(Debug)]
struct Product<R> {
    rules: Vec<R>,
    index: Option<RuleIndex>,
}

impl<R> Product<R> {
    fn list(&self) -> RuleList<'_, R> {
        RuleList::new(&self.rules, self.index.as_ref())
    }
}

impl<R> Default for RuleTable<R> {
    fn default() -> Self {
        Self { version: String::new(), products: HashMap::default() }
    }
}

impl<R> RuleTable<R> {
    /// The rules of a product, in the order of the file; `None` where the file does not name it.
    #[must_use]
    pub fn rules(&self, product: &str) -> Option<RuleList<'_, R>> {
        // A file without rules costs nothing.
        if self.products.is_empty() {
            return None;
        }
        self.products.get(product).map(Product::list)
    }

    /// Label of the file.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All products with their rules, in no order.
    pub fn products(&self) -> impl Iterator<Item = (&str, &[R])> {
        self.products.iter().map(|(name, product)| (name.as_ref(), product.rules.as_slice()))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read<Raw: RawRule<Rule = R>>(path: &Path) -> Result<Self, ConfErrors> {
        Self::load::<Raw>(json::read_file(path)?)
    }

    fn load<Raw: RawRule<Rule = R>>(document: Document<RawFile<Raw>>) -> Result<Self, ConfErrors> {
        let (raw, source, warnings) = document.into_parts();
        for warning in warnings {
            log::warn!("{warning}");
        }
        let mut faults = Faults::new();
        if !Raw::IGNORES_REST
            && let Some(error) = source.rest_error()
        {
            faults.push(error);
        }
        let no_version = match Raw::VERSION {
            Version::Given => raw.version.is_none(),
            Version::NotEmpty => raw.version.as_ref().is_none_or(String::is_empty),
            Version::Optional => false,
        };
        if no_version {
            faults.push(source.error(&json_path!["Version"], "no Version"));
        }
        if raw.config.is_none() && Raw::NEEDS_CONFIG {
            faults.push(source.error(&json_path!["Config"], "no Config"));
        }
        let mut products = HashMap::default();
        for (product, raw_rules) in raw.config.unwrap_or_default() {
            let path = json_path!["Config", &product];
            if product.is_empty() && Raw::NEEDS_PRODUCT_NAME {
                faults.push(source.error(&path, "no product name"));
            }
            let is_null = raw_rules.is_none();
            let raw_rules = raw_rules.unwrap_or_default();
            if raw_rules.is_empty()
                && let Some(missing) = Raw::no_rules(is_null)
            {
                faults.push(source.error(&path, format!("no {missing} for product: {product}")));
            }
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
            let index = Raw::index(&rules);
            products.insert(product.into_boxed_str(), Product { rules, index });
        }
        faults.into_result()?;
        Ok(Self { version: raw.version.unwrap_or_default(), products })
    }
}

/// What a successful reload answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadAnswer {
    /// That there was no error.
    Plain,
    /// Also `BASENAME=VERSION` of the file.
    Version,
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
        let table = RuleTable::read::<Raw>(&path)?;
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
        let path = other.map_or(self.path.as_path(), Path::new);
        let mut table = RuleTable::read::<Raw>(path)?;
        let before = self.current.load();
        for (product, rules) in &mut table.products {
            Raw::inherit(&mut rules.rules, before.rules(product).unwrap_or_default().all());
        }
        let loaded = format!("{}={}", path.file_name().unwrap_or_default().display(), table.version());
        self.current.store(Arc::new(table));
        Ok(loaded)
    }

    /// Registers `/reload/name`, which takes `?path=FILE`.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn register_reload(
        self: &Arc<Self>,
        web: &mut WebHandlers,
        name: &str,
        answer: ReloadAnswer,
    ) -> Result<(), DuplicateHandler> {
        let file = Arc::clone(self);
        web.add_reload(name, move |query| {
            let loaded = file.reload(query.path()).map_err(|e| e.to_string())?;
            Ok((answer == ReloadAnswer::Version).then_some(loaded))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bfe_basic::condition::Condition;

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
        assert_eq!(table.rules("p").map(|p| p.all().len()), Some(1));
        assert_eq!(table.rules("q").map(|q| q.all().len()), Some(0));
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
