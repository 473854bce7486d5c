//! # mod_auth_jwt: signed bearer tokens
//!
//! **What it does.** Asks for a JSON Web Token: a request for which a rule matches passes with
//! `Authorization: Bearer TOKEN` where one of the rule's keys verifies the token and its times are right, and is
//! answered with 401 else. The header goes to the backend as it came. Encrypted tokens are not supported.
//!
//! **`mod_auth_jwt/mod_auth_jwt.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_auth_jwt/auth_jwt_rule.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect: keys and tokens are never logged |
//!
//! **Rules.** The first rule of the product that matches decides.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {"Cond": "req_path_prefix_in(\"/api\", false)", "KeyFile": "../conf/mod_auth_jwt/key_file", "Realm": "api"}
//!     ]
//!   }
//! }
//! ```
//!
//! `KeyFile` is opened as it stands, relative to the folder where the process was started. `Realm` is
//! `Restricted` where there is none; it is sent as it is.
//!
//! **Key file.** A list of JSON Web Keys (RFC 7517), read when the rules are loaded. All of them are tried, in
//! their order; `kid`, `alg` and `use` choose none.
//!
//! | `kty` | members | verifies |
//! |---|---|---|
//! | `oct` | `k` | `HS256`, `HS384`, `HS512` |
//! | `RSA` | `n`, `e` | `RS256`, `RS384`, `RS512`; `PS256`, `PS384`, `PS512` with any salt |
//! | `EC` | `crv` (`P-256`, `P-384`, `P-521`), `x`, `y` | `ES256`, `ES384`, `ES512` |
//! | `OKP` | `crv` (`Ed25519`), `x` | `EdDSA` |
//!
//! A private key (with `d`), or numbers that are no key, load with a warning and verify nothing. The kind of the key has to fit the
//! token's `alg`, so that no public key is ever taken as a secret; `none` never passes.
//!
//! **Times.** `exp`, `iat` and `nbf`, in seconds, without leeway; 0 counts as absent, what is no number as
//! wrong. No other claim is looked at.
//!
//! **Monitor.** `/monitor/mod_auth_jwt`, `/monitor/mod_auth_jwt.diff`: `REQ_AUTH_RULE_HIT`,
//! `REQ_AUTH_NO_AUTHORIZATION`, `REQ_AUTH_AUTHORIZATION_FORMAT_ERR`, `REQ_AUTH_SUCCESS`, `REQ_AUTH_FAILURE` (the
//! two before included).
//!
//! **Reload.** `/reload/mod_auth_jwt`, with `?path=FILE`; reads the key files again. A wrong file changes
//! nothing.
//!
//! Realises modules-security 3.

mod algorithm;
mod certificate;
mod jwk;
mod key;
mod key_file;
mod raw_rsa;
mod rule;
mod token;

use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::Request;
use bfe_http::Response;
use bfe_module::{Callbacks, Handled, InitError, Module, Point, RequestOutcome, WebHandlers};
use mod_auth_jwt_state as state;
use rule::{JwtRule, RawJwtRule};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use token::Token;

const NAME: &str = "mod_auth_jwt";

bfe_http::counter_group! {
    /// `/monitor/mod_auth_jwt`.
    pub mod_auth_jwt_state "mod_auth_jwt" {
        /// Requests for which a rule matched.
        REQ_AUTH_RULE_HIT,
        /// Of them, those without `Authorization`.
        REQ_AUTH_NO_AUTHORIZATION,
        /// Of them, those whose `Authorization` is no bearer token.
        REQ_AUTH_AUTHORIZATION_FORMAT_ERR,
        /// Of them, those that passed.
        REQ_AUTH_SUCCESS,
        /// Of them, those that did not pass.
        REQ_AUTH_FAILURE,
    }
}

/// The module.
pub struct ModuleAuthJwt;

impl Module for ModuleAuthJwt {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_auth_jwt/auth_jwt_rule.data");
        let rules =
            module_conf::rules::<RawJwtRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        web_handlers.add_counters(NAME, "mod_auth_jwt.diff", state::group())?;
        callbacks
            .add_request_filter(Point::HandleFoundProduct, NAME, move |req| found_product(&rules, req))?;
        Ok(())
    }
}

fn found_product(rules: &RuleFile<RawJwtRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    let rules = table.rules(&req.route.product).unwrap_or_default();
    let Some(rule) = first_match(rules, req)? else { return Ok(RequestOutcome::GO_ON) };
    let group = state::group();
    group.inc(state::REQ_AUTH_RULE_HIT);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let passes = match bearer(req.http.header.get("Authorization").unwrap_or_default()) {
        Ok(token) => verifies(rule, token, i64::try_from(now).unwrap_or(i64::MAX)),
        Err(counter) => {
            group.inc(counter);
            false
        }
    };
    if passes {
        group.inc(state::REQ_AUTH_SUCCESS);
        return Ok(RequestOutcome::GO_ON);
    }
    group.inc(state::REQ_AUTH_FAILURE);
    let mut response = Response::internal(401);
    response.header.set("Www-Authenticate", rule.challenge.clone());
    Ok(RequestOutcome::response(response))
}

/// The token in the value of `Authorization`, or the counter for what is wrong with it.
fn bearer(value: &[u8]) -> Result<&[u8], usize> {
    if value.is_empty() {
        return Err(state::REQ_AUTH_NO_AUTHORIZATION);
    }
    let token = value.strip_prefix(b"Bearer ").filter(|token| !token.contains(&b' '));
    token.ok_or(state::REQ_AUTH_AUTHORIZATION_FORMAT_ERR)
}

/// Whether a token passes: its times are right, and a key verifies it.
fn verifies(rule: &JwtRule, token: &[u8], now: i64) -> bool {
    let Some(token) = Token::parse(token) else { return false };
    token.claims.are_valid_at(now)
        && rule.keys.iter().any(|key| key.verifies(token.algorithm, token.message, &token.signature))
}

#[cfg(test)]
mod tests;
