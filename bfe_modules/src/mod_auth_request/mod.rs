//! # mod_auth_request: ask another service who may pass
//!
//! **What it does.** For each rule that matches, an HTTP service is asked about the request before it goes on.
//! Where the service says 401 or 403, so does the proxy; any other answer, and none at all, lets the request
//! pass.
//!
//! **`mod_auth_request/mod_auth_request.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_auth_request/auth_request_rule.data` | rules, by product |
//! | `Basic.AuthAddress` | | `http` or `https` URL of the service; a user in it is sent along |
//! | `Basic.AuthTimeout` | | milliseconds, from the connect to the head of the answer |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** All that match and are enabled are for one question each, until the answer to one is no.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [{"Cond": "req_path_prefix_in(\"/account\", false)", "Enable": true}]
//!   }
//! }
//! ```
//!
//! **The question** is `GET AuthAddress` with the client's header fields, `Cookie` and `Authorization` among
//! them, but without those of the connection; `X-Forwarded-Method` and `X-Forwarded-Uri` say what was asked
//! for, unless the client has sent them itself. There is no body, redirects are not followed, and proxy
//! variables of the environment are not looked at.
//!
//! | answer | counter | what follows |
//! |---|---|---|
//! | 2xx | `AUTH_REQUEST_PASS` | the request goes on |
//! | 401 | `AUTH_REQUEST_UNAUTHORIZED` | 401, with the first `WWW-Authenticate` of the answer |
//! | 403 | `AUTH_REQUEST_FORBIDDEN` | 403 |
//! | others | `AUTH_REQUEST_UNCERTAIN` | the request goes on |
//! | none | `AUTH_REQUEST_FAIL` | the request goes on |
//!
//! **Monitor.** `/monitor/mod_auth_request`, `/monitor/mod_auth_request.diff`: also `AUTH_REQUEST_CHECKED`, all
//! questions. `/monitor/mod_auth_request.delay`: how long answers took.
//!
//! **Reload.** `/reload/mod_auth_request`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-security 4.

mod conf;
mod rule;
mod service;

use crate::rule_file::walk::Conditional as _;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::{ErrorCode, NeedBody, Request};
use bfe_http::Response;
use bfe_module::delay::Delay;
use bfe_module::{
    AsyncRequestFilter, Callbacks, Handled, InitError, LocalBoxFuture, Module, Point, RequestOutcome,
    WebHandlers,
};
use mod_auth_request_state as state;
use rule::RawAuthRequestRule;
use service::{Service, Verdict};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_auth_request";
/// In access logs.
const FORBIDDEN: ErrorCode = ErrorCode::new("AUTH_REQ_FORBIDDEN");

bfe_http::counter_group! {
    /// `/monitor/mod_auth_request`.
    pub mod_auth_request_state "mod_auth_request" {
        /// Questions to the service.
        AUTH_REQUEST_CHECKED,
        /// Answers that let the request pass.
        AUTH_REQUEST_PASS,
        /// Answers 403.
        AUTH_REQUEST_FORBIDDEN,
        /// Answers 401.
        AUTH_REQUEST_UNAUTHORIZED,
        /// Questions without an answer.
        AUTH_REQUEST_FAIL,
        /// Answers that say neither yes nor no.
        AUTH_REQUEST_UNCERTAIN,
    }
}

/// The module.
pub struct ModuleAuthRequest;

impl Module for ModuleAuthRequest {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let conf = conf::load(conf_root)?;
        let rules = Arc::new(RuleFile::<RawAuthRequestRule>::load(conf.rules)?);
        let delay = Arc::new(Delay::new(NAME, 60, 1, 20));
        rules.register_reload(web_handlers, NAME, ReloadAnswer::Version)?;
        web_handlers.add_counters(NAME, "mod_auth_request.diff", state::group())?;
        web_handlers.add_delay("mod_auth_request.delay", Arc::clone(&delay))?;
        let service = Service::new(conf.address, conf.timeout, delay).map_err(InitError::Conf)?;
        let on_request = OnRequest { rules, service };
        callbacks.add_async_request_filter(Point::HandleFoundProduct, NAME, on_request)?;
        Ok(())
    }
}

struct OnRequest {
    rules: Arc<RuleFile<RawAuthRequestRule>>,
    service: Service,
}

impl OnRequest {
    /// How many rules want the service to be asked. All conditions are looked at before the first question, so
    /// that none is asked twice where one wants the body.
    fn questions(&self, req: &Request) -> Result<usize, NeedBody> {
        let table = self.rules.current();
        let Some(rules) = table.rules(&req.route.product) else { return Ok(0) };
        let mut count = 0;
        for (_, rule) in rules.candidates(req, 0).filter(|(_, rule)| rule.enable) {
            if rule.condition().matches(req)? {
                count += 1;
            }
        }
        Ok(count)
    }

    /// Asks the service once; gives the answer to a request that may not pass.
    async fn ask(&self, req: &mut Request) -> Option<Response> {
        let group = state::group();
        group.inc(state::AUTH_REQUEST_CHECKED);
        let (counter, denied) = match self.service.ask(req).await {
            Verdict::Pass => (state::AUTH_REQUEST_PASS, None),
            Verdict::Uncertain => (state::AUTH_REQUEST_UNCERTAIN, None),
            Verdict::Fail => (state::AUTH_REQUEST_FAIL, None),
            Verdict::Forbidden => (state::AUTH_REQUEST_FORBIDDEN, Some(Response::internal(403))),
            Verdict::Unauthorized(challenge) => {
                let mut response = Response::internal(401);
                if let Some(challenge) = challenge {
                    response.header.set("Www-Authenticate", challenge);
                }
                (state::AUTH_REQUEST_UNAUTHORIZED, Some(response))
            }
        };
        group.inc(counter);
        if denied.is_some() {
            req.set_error(FORBIDDEN, "");
        }
        denied
    }
}

impl AsyncRequestFilter for OnRequest {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        match self.questions(req) {
            Ok(0) => Some(Ok(RequestOutcome::GO_ON)),
            Ok(_) => None,
            Err(need_body) => Some(Err(need_body)),
        }
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async {
            for _ in 0..self.questions(req)? {
                if let Some(denied) = self.ask(req).await {
                    return Ok(RequestOutcome::response(denied));
                }
            }
            Ok(RequestOutcome::GO_ON)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn authreq_8_what_loads() {
        for (list, want) in [
            (r#"[{"Cond":"default_t()","enable":true}]"#, ""),
            ("[]", ""),
            ("null", ""),
            ("[{}]", "no Cond"),
            (r#"[{"Cond":"bad("}]"#, "Config.p[0].Cond"),
            (r#"[{"Cond":"default_t()","Enable":1}]"#, "Enable"),
        ] {
            let got = testing::check::<RawAuthRequestRule>(list).err().unwrap_or_default();
            assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{list}: {got}");
        }
        for text in [r#"{"Version":"","Config":{}}"#, r#"{"Version":"1"}"#] {
            assert!(testing::load::<RawAuthRequestRule>(text).is_err(), "{text}");
        }
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(NAME)).unwrap();
        for (conf, want) in [
            ("[Basic]\nAuthAddress = http://h\nAuthTimeout = 5", ""),
            ("", "AuthAddress not set"),
            ("[Basic]\nAuthTimeout = 5", "AuthAddress not set"),
            ("[Basic]\nAuthAddress = http://h", "AuthTimeout must > 0"),
            ("[Basic]\nAuthAddress = http://h\nAuthTimeout = 0", "AuthTimeout must > 0"),
            ("[Basic]\nAuthAddress = x\nAuthTimeout = 5", "expected http://host"),
        ] {
            std::fs::write(root.path().join(NAME).join("mod_auth_request.conf"), conf).unwrap();
            let got = conf::load(root.path()).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{conf}: {got}");
        }
    }

    #[test]
    fn authreq_7_and_8_which_rules_ask() {
        let rules = testing::rules::<RawAuthRequestRule>(
            r#"[{"Cond":"default_t()","Enable":true},{"Cond":"default_t()"},
                {"Cond":"req_path_in(\"/two\", false)","Enable":true}]"#,
        );
        let delay = Arc::new(Delay::new(NAME, 60, 1, 20));
        let address = crate::http_address::Address::parse("http://127.0.0.1:1").unwrap();
        let service = Service::new(address, std::time::Duration::from_millis(1), delay).unwrap();
        let all = OnRequest { rules: Arc::new(rules), service };
        assert_eq!(all.questions(&testing::request("GET", "/")), Ok(1));
        assert_eq!(all.questions(&testing::request("GET", "/two")), Ok(2));
        let mut other = testing::request("GET", "/two");
        other.route.product = "q".into();
        assert_eq!(all.questions(&other), Ok(0));
    }
}
