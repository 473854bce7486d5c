//! The built-in modules of the BFE load balancer.
//!
//! A module is a folder: `mod.rs` is its manual and registers its handlers, `conf.rs` reads `NAME.conf`,
//! the other files are its data files and its logic. [`rule_file`] holds what rule files have in common.
//! A new module needs its folder, and a line in [`registry`].

pub mod mod_block;
pub mod rule_file;

use bfe_module::Registry;

/// All built-in modules, in the order in which they are initialised and called (lifecycle 2.3).
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add(mod_block::ModuleBlock);
    registry
}
