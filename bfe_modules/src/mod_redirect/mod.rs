//! # mod_redirect: send clients elsewhere
//!
//! **What it does.** Answers a request with a redirect where a rule matches. No backend sees the request.
//!
//! **`mod_redirect/mod_redirect.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_redirect/redirect.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides. It has one action:
//!
//! | command | parameter | target |
//! |---|---|---|
//! | `URL_SET` | target | the parameter |
//! | `URL_FROM_QUERY` | key | what the query says under that key |
//! | `URL_PREFIX_ADD` | text | the parameter, then path and query of the request |
//! | `SCHEME_SET` | `http` or `https` | the same URL with that scheme |
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "req_path_prefix_in(\"/old\", false)",
//!         "Actions": [{"Cmd": "URL_SET", "Params": ["https://shop.example.org/new"]}],
//!         "Status": 301
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! A target without a scheme is a path: it is resolved against the path of the request and cleaned, so that
//! `//host/x` stays on this host. `URL_FROM_QUERY` sends clients wherever a link says; use it with a condition
//! on the value. `Status` must be given; it may be any number but 0.
//!
//! The handlers of responses are not called: no headers of mod_header, no cookies, and mod_http_code does not
//! count it.
//!
//! **Reload.** `/reload/mod_redirect`, with `?path=FILE`; it answers with the version. A wrong file changes
//! nothing.
//!
//! Realises modules-traffic 6.

mod rule;

use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::Request;
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use rule::{RawRedirectRule, Target};
use std::path::Path;

const NAME: &str = "mod_redirect";

/// The module.
pub struct ModuleRedirect;

impl Module for ModuleRedirect {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_redirect/redirect.data");
        let rules = module_conf::rules::<RawRedirectRule>(
            conf_root,
            web_handlers,
            NAME,
            data,
            ReloadAnswer::Version,
        )?;
        callbacks.add_request_filter(Point::HandleFoundProduct, "mod_redirect.redirect", move |req| {
            redirect(&rules, req)
        })?;
        Ok(())
    }
}

fn redirect(rules: &RuleFile<RawRedirectRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    let rules = table.rules(&req.route.product).unwrap_or_default();
    let Some(rule) = first_match(rules, req)? else { return Ok(RequestOutcome::GO_ON) };
    req.redirect.url = url(&rule.target, req);
    req.redirect.code = rule.status;
    Ok(RequestOutcome::REDIRECT)
}

fn url(target: &Target, req: &Request) -> Vec<u8> {
    let url = &req.http.url;
    match target {
        Target::Url(url) => url.clone().into_bytes(),
        Target::FromQuery(key) => req.query().get(key.as_bytes()).unwrap_or_default().to_vec(),
        Target::Prefix(prefix) => [prefix.as_bytes(), &url.request_uri()].concat(),
        Target::Scheme(scheme) => {
            let host = if url.host.is_empty() { &req.http.host } else { &url.host };
            [scheme.as_bytes(), b"://", host, &url.request_uri()].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_module::HandlerResult;

    #[test]
    fn redirect_3_to_6_targets() {
        for (cmd, param, target, want) in [
            ("URL_SET", "//cdn.example.org/x", "/a?b", "//cdn.example.org/x"),
            ("URL_FROM_QUERY", "to", "/a?x=1&to=%2Fb%20c", "/b c"),
            ("URL_FROM_QUERY", "to", "/a?x=1", ""),
            ("URL_PREFIX_ADD", "https://n.org", "/a%2F?b=1", "https://n.org/a%2F?b=1"),
            ("SCHEME_SET", "HTTPS", "/a?b=1", "https://example.org/a?b=1"),
            ("SCHEME_SET", "http", "https://o.org:8/a", "http://o.org:8/a"),
        ] {
            let rules = testing::rules(&format!(
                r#"[{{"Cond":"default_t()","Actions":[{{"Cmd":"{cmd}","Params":["{param}"]}}],"Status":308}}]"#
            ));
            let mut req = testing::request("GET", target);
            assert_eq!(redirect(&rules, &mut req).unwrap().result(), HandlerResult::Redirect);
            let url = std::str::from_utf8(&req.redirect.url).unwrap();
            assert_eq!((req.redirect.code, url), (308, want), "{cmd} {param} {target}");
        }
    }

    #[test]
    fn without_a_match_the_request_goes_on() {
        let rules = testing::rules(
            r#"[{"Cond":"req_method_in(\"POST\")","Actions":[{"Cmd":"URL_SET","Params":[""]}],"Status":302}]"#,
        );
        let mut req = testing::request("GET", "/");
        assert_eq!(redirect(&rules, &mut req).unwrap().result(), HandlerResult::GoOn);
    }
}
