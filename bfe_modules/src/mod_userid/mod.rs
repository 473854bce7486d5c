//! # mod_userid: a cookie for each new user
//!
//! **What it does.** Gives requests without a certain cookie a new one: the backend sees it in `Cookie`, and
//! the client gets it with `Set-Cookie`. Its value is unique and opaque; it proves nothing about a user.
//!
//! **`mod_userid/mod_userid.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_userid/userid_rule.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides; where the request has its cookie already, nothing happens.
//! The rules of `global` are for products that have no list of their own.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "req_path_prefix_in(\"/cart\", false)",
//!         "Params": {"Name": "uid", "Domain": "", "Path": "/", "MaxAge": 31536000}
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! `MaxAge` is in seconds; without it the cookie expires at once. An answer of mod_redirect has no cookie.
//!
//! **Reload.** `/reload/mod_userid`, with `?path=FILE`; it answers with the version. A wrong file changes nothing.
//!
//! Realises modules-traffic 10.

mod rule;

use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use crate::set_cookie::SetCookie;
use crate::{hex, module_conf};
use bfe_basic::{ContextValue, Request};
use bfe_module::{Callbacks, Handled, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use bytes::Bytes;
use rule::{RawUserIdRule, UserIdRule};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const NAME: &str = "mod_userid";
/// Product whose rules are for products without any.
const GLOBAL: &str = "global";
/// Where the new cookie waits for the response.
const UID_COOKIE: &str = "mod_userid.uid_cookie";

/// The module.
pub struct ModuleUserId;

impl Module for ModuleUserId {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_userid/userid_rule.data");
        let rules =
            module_conf::rules::<RawUserIdRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Version)?;
        callbacks.add_request_filter(Point::HandleFoundProduct, "mod_userid.request", move |req| {
            on_request(&rules, req)
        })?;
        callbacks.add_response_filter("mod_userid.response", |req| {
            on_response(req);
            Ok(HandlerResult::GoOn)
        });
        Ok(())
    }
}

fn on_request(rules: &RuleFile<RawUserIdRule>, req: &mut Request) -> Handled {
    let table = rules.current();
    let rules = table.rules(&req.route.product).or_else(|| table.rules(GLOBAL)).unwrap_or_default();
    if let Some(rule) = first_match(rules, req)?
        && !req.cookies().contains(&rule.name)
    {
        let cookie = new_cookie(rule);
        add_cookie(req, &cookie.name, &cookie.value);
        req.context.set(UID_COOKIE, ContextValue::Any(Box::new(cookie)));
    }
    Ok(RequestOutcome::GO_ON)
}

fn new_cookie(rule: &UserIdRule) -> SetCookie {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let value = format!("{}_{}", now.as_nanos(), rand::random_range(0..0x7fff_ffff_u32));
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    SetCookie {
        name: rule.name.clone(),
        value: Bytes::from(hex::encode(value.as_bytes())),
        path: rule.path.clone(),
        domain: rule.domain.clone(),
        expires: Some(now.saturating_add(rule.max_age)),
        max_age: rule.max_age,
        ..SetCookie::default()
    }
}

/// Adds a cookie behind those that the client sent.
fn add_cookie(req: &mut Request, name: &[u8], value: &[u8]) {
    let pair = [name, b"=", value].concat();
    let field = match req.http.header.get("Cookie") {
        Some(old) if !old.is_empty() => [old, b"; ", pair.as_slice()].concat(),
        _ => pair,
    };
    // As in the original, what stands in further Cookie fields is dropped.
    req.http.header.set("Cookie", field);
    req.edit_cookies(|cookies| cookies.set(name, value));
}

fn on_response(req: &mut Request) {
    if req.context.is_empty() {
        return;
    }
    let Some(response) = &mut req.response else { return };
    if let Some(cookie) = req.context.any::<SetCookie>(UID_COOKIE) {
        cookie.add_to(&mut response.header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_http::Response;

    fn run(rules: &RuleFile<RawUserIdRule>, cookie: Option<&'static str>) -> (Vec<String>, Vec<String>) {
        let mut req = testing::request("GET", "/a");
        if let Some(cookie) = cookie {
            req.http.header.add("Cookie", cookie);
        }
        on_request(rules, &mut req).unwrap();
        req.response = Some(Response::new(200));
        on_response(&mut req);
        (testing::fields(&req.http.header), testing::fields(&testing::response(&req).header))
    }

    fn is_user_id(hex: &str) -> bool {
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let text = String::from_utf8(bytes).unwrap();
        let (time, random) = text.split_once('_').unwrap();
        time.len() == 19 && time.parse::<u64>().is_ok() && random.parse::<u32>().is_ok()
    }

    #[test]
    fn userid_1_2_5_and_6_a_new_cookie_goes_both_ways() {
        let rules = testing::rules(
            r#"[{"Cond":"default_t()","Params":{"Name":"u","Path":"/","Domain":"ex.org","MaxAge":100}},
                {"Cond":"default_t()","Params":{"Name":"v"}}]"#,
        );
        let (request, response) = run(&rules, Some("x=1"));
        let id = request[0].strip_prefix("Cookie: x=1; u=").unwrap();
        assert!(is_user_id(id), "{id}");
        let rest = response[0]
            .strip_prefix(&format!("Set-Cookie: u={id}; Path=/; Domain=ex.org; Expires="))
            .unwrap();
        assert!(rest.ends_with(" GMT; Max-Age=100"), "{rest}");
        let (request, response) = run(&rules, Some("u=1"));
        assert_eq!((request[0].as_str(), response.len()), ("Cookie: u=1", 0));
        let (request, _) = run(&rules, None);
        assert!(request[0].starts_with("Cookie: u="));
    }

    #[test]
    fn userid_3_global_is_for_products_without_a_list() {
        let global = r#""global":[{"Cond":"default_t()","Params":{"Name":"g"}}]"#;
        let list = r#""p":[{"Cond":"!default_t()","Params":{"Name":"u"}}]"#;
        for (config, want) in [(global.to_owned(), true), (format!("{global},{list}"), false)] {
            let rules = testing::load(&format!("{{\"Config\":{{{config}}}}}")).unwrap();
            assert_eq!(!run(&rules, None).0.is_empty(), want, "{config}");
        }
    }
}
