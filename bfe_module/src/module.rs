//! Modules and their registry.

use crate::{Callbacks, WebHandlers, WrongPoint};
use bfe_basic::conf::did_you_mean;
use std::path::Path;

/// Why a module could not be initialised.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Its configuration is wrong; the text names file, place, value and reason.
    #[error("{0}")]
    Conf(String),
    /// It registered a handler at a point of another kind.
    #[error(transparent)]
    Point(#[from] WrongPoint),
    /// It registered a page of the monitor port that is there already.
    #[error(transparent)]
    Web(#[from] crate::web::DuplicateHandler),
    /// Its log file cannot be opened.
    #[error(transparent)]
    Log(#[from] crate::log_file::OpenError),
}

impl From<bfe_basic::conf::ConfErrors> for InitError {
    fn from(errors: bfe_basic::conf::ConfErrors) -> Self {
        Self::Conf(errors.to_string())
    }
}

/// A module.
pub trait Module {
    /// Its name, as in `Modules = NAME`; its configuration is in `<conf root>/NAME/`.
    fn name(&self) -> &'static str;

    /// Whether it is among the modules that can be enabled, on the page that lists them.
    fn is_listed(&self) -> bool {
        true
    }

    /// Reads the configuration and registers handlers and monitor pages.
    ///
    /// # Errors
    /// See [`InitError`]; the process does not start then.
    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError>;
}

/// All modules that there are, in the order in which they are initialised and called.
#[derive(Default)]
pub struct Registry {
    modules: Vec<Box<dyn Module>>,
}

impl Registry {
    /// Adds a module behind those that are there.
    pub fn add(&mut self, module: impl Module + 'static) {
        self.modules.push(Box::new(module));
    }

    /// Names of all modules, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.modules.iter().map(|m| m.name()).collect()
    }

    /// Names of the modules that the monitor port shows as available, in order.
    #[must_use]
    pub fn listed(&self) -> Vec<&'static str> {
        self.modules.iter().filter(|m| m.is_listed()).map(|m| m.name()).collect()
    }

    /// The modules that `wanted` names, in the order of the registry: names are trimmed, empty ones
    /// skipped, a name given twice counts once (lifecycle 2.3).
    ///
    /// # Errors
    /// The text for a name that no module has, with the one that may be meant.
    pub fn select(&self, wanted: &[String]) -> Result<Vec<&dyn Module>, String> {
        let wanted: Vec<_> = wanted.iter().map(|n| n.trim()).filter(|n| !n.is_empty()).collect();
        if let Some(unknown) = wanted.iter().find(|n| self.modules.iter().all(|m| m.name() != **n)) {
            let meant = did_you_mean(unknown, self.names());
            let hint = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            return Err(format!("no module for {unknown}{hint}"));
        }
        Ok(self.modules.iter().filter(|m| wanted.contains(&m.name())).map(AsRef::as_ref).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str);

    impl Module for Named {
        fn name(&self) -> &'static str {
            self.0
        }

        fn init(&self, _: &mut Callbacks, _: &mut WebHandlers, _: &Path) -> Result<(), InitError> {
            Ok(())
        }
    }

    #[test]
    fn life_4_order_is_fixed_and_names_are_trimmed() {
        let mut registry = Registry::default();
        registry.add(Named("mod_a"));
        registry.add(Named("mod_b"));
        let select = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            registry.select(&names).map(|m| m.iter().map(|m| m.name()).collect::<Vec<_>>())
        };
        assert_eq!(select(&["mod_b", " mod_a\t", "", "mod_b"]), Ok(vec!["mod_a", "mod_b"]));
        assert_eq!(select(&["mod_A"]), Err("no module for mod_A; did you mean mod_a?".into()));
    }
}
