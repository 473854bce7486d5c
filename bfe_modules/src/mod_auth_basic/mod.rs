//! # mod_auth_basic: user and password
//!
//! **What it does.** Asks for HTTP Basic authentication: a request for which a rule matches passes with the name
//! and password of a user, and is answered with 401 without. `Authorization` goes to the backend as it came.
//!
//! **`mod_auth_basic/mod_auth_basic.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_auth_basic/auth_basic_rule.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect: passwords are never logged |
//!
//! **Rules.** The first rule of the product that matches decides.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {"Cond": "req_path_prefix_in(\"/admin\", false)", "UserFile": "../conf/mod_auth_basic/userfile", "Realm": "admin"}
//!     ]
//!   }
//! }
//! ```
//!
//! `UserFile` is opened as it stands, relative to the folder where the process was started. `Realm` is
//! `Restricted` where there is none; it is sent as it is.
//!
//! **User file.** A line each: `user:hash`, or `user:hash:comment`. Empty lines, and lines with a `#` anywhere,
//! are skipped; of two lines of a user the later one counts. It is read when the rules are loaded. Hashes:
//!
//! | hash | |
//! |---|---|
//! | `$2a$`, `$2b$`, `$2x$`, `$2y$` | bcrypt; the one to choose (`htpasswd -B`) |
//! | `$apr1$salt$...`, `$1$salt$...` | MD5-crypt, with the whole salt; also with another word for `apr1` |
//! | `{SHA}...` | SHA-1 in base64, unsalted; old |
//!
//! Anything else, a password in the clear among it, never matches. Slow hashes are computed beside the workers,
//! at most half as many at a time as there are CPUs.
//!
//! **Monitor.** `/monitor/mod_auth_basic`, `/monitor/mod_auth_basic.diff`: `REQ_AUTH_RULE_HIT`,
//! `REQ_AUTH_CHALLENGE` (no credentials, or none that can be read), `REQ_AUTH_SUCCESS`, `REQ_AUTH_FAILURE`.
//!
//! **Reload.** `/reload/mod_auth_basic`, with `?path=FILE`; reads the user files again. A wrong file changes
//! nothing.
//!
//! Realises modules-security 2.

mod credentials;
mod hash;
mod md5_crypt;
mod rule;
mod user_file;

use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use crate::{module_conf, offload};
use bfe_basic::{NeedBody, Request};
use bfe_http::Response;
use bfe_module::{
    AsyncRequestFilter, Callbacks, Handled, InitError, LocalBoxFuture, Module, Point, RequestOutcome,
    WebHandlers,
};
use bytes::Bytes;
use credentials::Credentials;
use hash::Hash;
use mod_auth_basic_state as state;
use rule::RawAuthRule;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_auth_basic";

bfe_http::counter_group! {
    /// `/monitor/mod_auth_basic`.
    pub mod_auth_basic_state "mod_auth_basic" {
        /// Requests for which a rule matched.
        REQ_AUTH_RULE_HIT,
        /// Of them, those without credentials that can be read.
        REQ_AUTH_CHALLENGE,
        /// Of them, those with a user and his password.
        REQ_AUTH_SUCCESS,
        /// Of them, those of an unknown user, or with a wrong password.
        REQ_AUTH_FAILURE,
    }
}

/// The module.
pub struct ModuleAuthBasic;

impl Module for ModuleAuthBasic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_auth_basic/auth_basic_rule.data");
        let rules =
            module_conf::rules::<RawAuthRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        web_handlers.add_counters(NAME, "mod_auth_basic.diff", state::group())?;
        callbacks.add_async_request_filter(Point::HandleFoundProduct, NAME, OnRequest(rules))?;
        Ok(())
    }
}

struct OnRequest(Arc<RuleFile<RawAuthRule>>);

/// What is to be done with a request.
enum Verdict {
    /// No rule matches.
    NoRule,
    /// A rule matches, and this is found: the counter to move beside that of the rule.
    Found(usize, Challenge),
    /// A rule matches, and a hash that takes long has to be looked at.
    Hash(Arc<Hash>, Credentials, Challenge),
}

/// Value of `WWW-Authenticate` for those that do not pass.
type Challenge = Bytes;

impl OnRequest {
    fn verdict(&self, req: &Request) -> Result<Verdict, NeedBody> {
        let table = self.0.current();
        let Some(rules) = table.rules(&req.route.product) else { return Ok(Verdict::NoRule) };
        let Some(rule) = first_match(rules, req)? else { return Ok(Verdict::NoRule) };
        let found = |counter| Ok(Verdict::Found(counter, rule.challenge.clone()));
        let Some(credentials) = req.http.header.get("Authorization").and_then(Credentials::read) else {
            return found(state::REQ_AUTH_CHALLENGE);
        };
        match rule.users.get(credentials.user()) {
            Some(hash) if hash.is_slow() => {
                Ok(Verdict::Hash(Arc::clone(hash), credentials, rule.challenge.clone()))
            }
            Some(hash) => found(outcome(hash.matches(credentials.password()))),
            None => found(state::REQ_AUTH_FAILURE),
        }
    }
}

impl AsyncRequestFilter for OnRequest {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        match self.verdict(req) {
            Ok(Verdict::NoRule) => Some(Ok(RequestOutcome::GO_ON)),
            Ok(Verdict::Found(counter, challenge)) => Some(Ok(answer(counter, challenge))),
            Ok(Verdict::Hash(..)) => None,
            Err(need_body) => Some(Err(need_body)),
        }
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async move {
            Ok(match self.verdict(req)? {
                Verdict::NoRule => RequestOutcome::GO_ON,
                Verdict::Found(counter, challenge) => answer(counter, challenge),
                Verdict::Hash(hash, credentials, challenge) => {
                    let matches = offload::run(move || hash.matches(credentials.password())).await;
                    answer(outcome(matches == Some(true)), challenge)
                }
            })
        })
    }
}

/// The counter of a password that was looked at.
fn outcome(matches: bool) -> usize {
    if matches { state::REQ_AUTH_SUCCESS } else { state::REQ_AUTH_FAILURE }
}

/// Counts a request for which a rule matched, and answers it unless it passes.
fn answer(counter: usize, challenge: Challenge) -> RequestOutcome {
    let group = state::group();
    group.inc(state::REQ_AUTH_RULE_HIT);
    group.inc(counter);
    if counter == state::REQ_AUTH_SUCCESS {
        return RequestOutcome::GO_ON;
    }
    let mut response = Response::internal(401);
    response.header.set("Www-Authenticate", challenge);
    RequestOutcome::response(response)
}

#[cfg(test)]
mod tests;
