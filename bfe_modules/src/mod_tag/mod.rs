//! # mod_tag: names and values for later conditions
//!
//! **What it does.** Gives requests tags, which conditions of other modules ask for with `req_tag_match`.
//!
//! **`mod_tag/mod_tag.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_tag/tag_rule.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** All rules that match give their tag, in order, up to one with `Last`. Values of one name add up.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "req_host_in(\"beta.example.org\")",
//!         "Param": {"TagName": "channel", "TagValue": "beta"},
//!         "Last": false
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! `Version`, `TagName` and `TagValue` may not be empty; `Last` is false where it is not given.
//!
//! **Reload.** `/reload/mod_tag`, with `?path=FILE`; it answers with the version. A wrong file changes nothing.
//!
//! Realises modules-traffic 7.

mod rule;

use crate::module_conf;
use crate::rule_file::walk::apply_matching;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::Request;
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use rule::RawTagRule;
use std::path::Path;

const NAME: &str = "mod_tag";
const RESUME: &str = "mod_tag.resume";

/// The module.
pub struct ModuleTag;

impl Module for ModuleTag {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_tag/tag_rule.data");
        let rules =
            module_conf::rules::<RawTagRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Version)?;
        callbacks
            .add_request_filter(Point::HandleFoundProduct, "mod_tag.tag", move |req| tag(&rules, req))?;
        Ok(())
    }
}

fn tag(rules: &RuleFile<RawTagRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    if let Some(rules) = table.rules(&req.route.product) {
        apply_matching(&[rules], req, RESUME, |rule, req| {
            req.tags.entry(rule.name.clone()).or_default().push(rule.value.clone());
        })?;
    }
    Ok(RequestOutcome::GO_ON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn tag_1_and_2_values_add_up_to_the_last() {
        let rules = testing::rules(
            r#"[
            {"Cond":"default_t()","Param":{"TagName":"n","TagValue":"1","Last":true}},
            {"Cond":"req_method_in(\"POST\")","Param":{"TagName":"n","TagValue":"2"}},
            {"Cond":"req_tag_match(\"n\", \"1\")","Param":{"TagName":"n","TagValue":"1"},"Last":true},
            {"Cond":"default_t()","Param":{"TagName":"n","TagValue":"3"}}]"#,
        );
        let mut req = testing::request("GET", "/");
        tag(&rules, &mut req).unwrap();
        assert_eq!(req.tags.get("n"), Some(&vec!["1".to_owned(), "1".to_owned()]));
        let mut other = testing::request("GET", "/");
        other.route.product = "q".into();
        tag(&rules, &mut other).unwrap();
        assert!(other.tags.is_empty());
    }
}
