//! # mod_errors: other answers in place of errors
//!
//! **What it does.** Replaces a response by a page, or by a redirect, where a rule matches; mostly rules that
//! look at the response, with `res_code_in`.
//!
//! **`mod_errors/mod_errors.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_errors/mod_errors.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides. It has one action:
//!
//! | command | parameters | answer |
//! |---|---|---|
//! | `RETURN` | status (2xx, 4xx or 5xx that has a name), content type or nothing, file | that file |
//! | `REDIRECT` | URL | 302 to it, without a body |
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "res_code_in(\"500|502|503|504\")",
//!         "Actions": [{"Cmd": "RETURN", "Params": ["503", "text/html", "/etc/bfe/pages/sorry.html"]}]
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! A file has 2 MiB at most; a relative path counts from the working directory of the process. It is read when
//! the rules are loaded: reload them when it has changed.
//!
//! No header field of the replaced response is kept, nor what mod_header, mod_cors and mod_userid have added.
//!
//! **Reload.** `/reload/mod_errors`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 15.

mod rule;

use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::{NeedBody, Request};
use bfe_http::{Body, Response};
use bfe_module::{Callbacks, HandlerResult, InitError, Module, WebHandlers};
use rule::{Answer, RawErrorsRule};
use std::path::Path;

const NAME: &str = "mod_errors";

/// The module.
pub struct ModuleErrors;

impl Module for ModuleErrors {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_errors/mod_errors.data");
        let rules =
            module_conf::rules::<RawErrorsRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        callbacks.add_response_filter("mod_errors.replace", move |req| replace(&rules, req));
        Ok(())
    }
}

fn replace(rules: &RuleFile<RawErrorsRule>, req: &mut Request) -> Result<HandlerResult, NeedBody> {
    let table = rules.current();
    let rules = table.rules(&req.route.product).unwrap_or_default();
    if let Some(rule) = first_match(rules, req)? {
        let mut answer = response(&rule.answer);
        // Logs tell the version of the answer that this one takes the place of.
        answer.version = req.response.as_ref().and_then(|r| r.version);
        req.response = Some(answer);
    }
    Ok(HandlerResult::GoOn)
}

fn response(answer: &Answer) -> Response {
    match answer {
        Answer::Page { status, content_type, content } => {
            let mut response = Response::internal(*status);
            if !content_type.is_empty() {
                response.header.set("Content-Type", content_type.clone());
            }
            response.header.set("Content-Length", content.len().to_string());
            response.content_length = i64::try_from(content.len()).unwrap_or(i64::MAX);
            response.body = Body::Full(content.clone());
            response
        }
        Answer::Redirect(url) => {
            let mut response = Response::internal(302);
            response.header.set("Location", url.clone());
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn errors_1_and_3_answers() {
        let mut page = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut page, b"sorry").unwrap();
        let rules = testing::rules(
            &serde_json::json!([
                {"Cond": "res_code_in(\"404\")",
                 "Actions": [{"Cmd": "RETURN", "Params": ["200", "text/html", page.path()]}]},
                {"Cond": "res_code_in(\"500\")",
                 "Actions": [{"Cmd": "REDIRECT", "Params": ["http://e.org/a/../b?c"]}]}
            ])
            .to_string(),
        );
        // What happens to the file later has no effect (ERRORS-6).
        drop(page);
        for (status, want_status, want_fields, want_body) in [
            (404, 200, &["Server: bfe", "Content-Type: text/html", "Content-Length: 5"][..], "sorry"),
            (500, 302, &["Server: bfe", "Location: http://e.org/a/../b?c"], ""),
            (502, 502, &["X-Old: 1"], "old"),
        ] {
            let mut req = testing::request("GET", "/");
            let mut old = Response::new(status);
            old.header.add("X-Old", "1");
            old.body = Body::Full("old".into());
            req.response = Some(old);
            assert_eq!(replace(&rules, &mut req), Ok(HandlerResult::GoOn));
            let response = testing::response(&req);
            assert_eq!(response.status, want_status);
            assert_eq!(testing::fields(&response.header), want_fields);
            let body = match &response.body {
                Body::Full(bytes) => bytes.clone(),
                _ => Default::default(),
            };
            assert_eq!(body, want_body);
        }
    }
}
