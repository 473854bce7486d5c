//! # mod_rewrite: change a request before it is forwarded
//!
//! **What it does.** Changes host, path and query of requests towards backends. The cluster has been found by
//! then: a rewrite does not change where a request goes, only what the backend sees.
//!
//! **`mod_rewrite/mod_rewrite.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_rewrite/rewrite.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** All rules that match are applied, in order, up to one with `Last`; each sees what the ones before
//! have changed. The commands are those of [`bfe_basic::action`]:
//!
//! | command | parameters | effect |
//! |---|---|---|
//! | `HOST_SET` | host | sets the host |
//! | `HOST_SET_FROM_PATH_PREFIX` | | `/a/rest`: host `a`, path `/rest` |
//! | `PATH_SET` | path | sets the path |
//! | `PATH_PREFIX_ADD` | text | puts text before the path |
//! | `PATH_PREFIX_TRIM` | text | takes text off the path's front |
//! | `QUERY_ADD` | key, value | appends a pair, as written |
//! | `QUERY_RENAME` | old, new | renames a key |
//! | `QUERY_DEL` | key... | removes keys |
//! | `QUERY_DEL_ALL_EXCEPT` | key... | removes all other keys |
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "req_path_prefix_in(\"/service\", false)",
//!         "Actions": [{"Cmd": "PATH_PREFIX_TRIM", "Params": ["/service"]}],
//!         "Last": true
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! `Cond`, `Actions` (may be empty) and `Last` must be given. Commands count in any case. Where nothing was
//! changed, the client's own bytes are forwarded.
//!
//! **Reload.** `/reload/mod_rewrite`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 5.

mod rule;

use crate::module_conf;
use crate::rule_file::walk::apply_matching;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::Request;
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use rule::RawRewriteRule;
use std::path::Path;

const NAME: &str = "mod_rewrite";
const RESUME: &str = "mod_rewrite.resume";

/// The module.
pub struct ModuleRewrite;

impl Module for ModuleRewrite {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_rewrite/rewrite.data");
        let rules =
            module_conf::rules::<RawRewriteRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        callbacks.add_request_filter(Point::HandleAfterLocation, "mod_rewrite.rewrite", move |req| {
            rewrite(&rules, req)
        })?;
        Ok(())
    }
}

fn rewrite(rules: &RuleFile<RawRewriteRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    if let Some(rules) = table.rules(&req.route.product) {
        apply_matching(&[rules], req, RESUME, |rule, req| {
            for action in &rule.actions {
                // Checked actions have as many parameters as they need.
                if let Err(e) = action.run(req) {
                    log::warn!("{NAME}: {e}");
                }
            }
        })?;
    }
    Ok(RequestOutcome::GO_ON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn run(actions: &str, target: &str) -> (String, String) {
        let rules = testing::rules(&format!(
            r#"[{{"Cond":"default_t()","Actions":[{actions}],"Last":true}},
                {{"Cond":"default_t()","Actions":[{{"Cmd":"PATH_SET","Params":["/never"]}}],"Last":true}}]"#
        ));
        let mut req = testing::request("GET", target);
        rewrite(&rules, &mut req).unwrap();
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        (text(&req.http.host), text(&bfe_http::h1::encode::target(&req.http)))
    }

    #[test]
    fn rewrite_5_to_10_effects() {
        for (cmd, params, target, want) in [
            ("PATH_PREFIX_ADD", r#""index/""#, "/current", ("example.org", "/index/current")),
            ("path_prefix_trim", r#""/service""#, "/service/a", ("example.org", "/a")),
            ("PATH_PREFIX_TRIM", r#""/service""#, "/x", ("example.org", "/x")),
            ("HOST_SET_FROM_PATH_PREFIX", "", "/h.org/a", ("h.org", "/a")),
            ("HOST_SET_FROM_PATH_PREFIX", "", "/h.org", ("example.org", "/h.org")),
            ("QUERY_DEL", r#""wd""#, "/?wd&x=1", ("example.org", "/?wd&x=1")),
            ("QUERY_RENAME", r#""word","wd""#, "/?word=1&wd=2", ("example.org", "/?wd=1&wd=2")),
            ("PATH_PREFIX_ADD", r#""/p/""#, "/a%2Fb", ("example.org", "/p/a/b")),
            ("QUERY_DEL", r#""none""#, "/a%2Fb", ("example.org", "/a%2Fb")),
            ("HOST_SET", r#""o.org""#, "/", ("o.org", "/")),
        ] {
            let (host, target) = run(&format!(r#"{{"Cmd":"{cmd}","Params":[{params}]}}"#), target);
            assert_eq!((host.as_str(), target.as_str()), want, "{cmd} {params}");
        }
    }

    #[test]
    fn rewrite_11_global_is_a_product_like_any_other() {
        let rules = testing::load(
            r#"{"Version":"1","Config":{"global":[{"Cond":"default_t()","Actions":[{"Cmd":"PATH_SET","Params":["/g"]}],"Last":true}]}}"#,
        )
        .unwrap();
        let mut req = testing::request("GET", "/a");
        rewrite(&rules, &mut req).unwrap();
        assert_eq!(req.http.url.path.as_ref(), b"/a");
    }
}
