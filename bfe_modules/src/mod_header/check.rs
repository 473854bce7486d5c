//! One action as it is written, and what can be wrong with it.

use super::action::{Action, Name, Op, Side};
use super::template::{CookieValue, Template};
use crate::http_time;
use crate::set_cookie::SetCookie;
use bytes::Bytes;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawAction {
    cmd: Option<String>,
    #[serde(default)]
    params: Vec<String>,
}

/// The field that is wrong, and why.
type Fault = (&'static str, String);

impl RawAction {
    /// Checks and prepares the action.
    pub(super) fn check(self) -> Result<Action, Fault> {
        let cmd = self.cmd.ok_or_else(|| ("Cmd", "no Cmd".to_owned()))?;
        let unknown = || ("Cmd", format!("invalid cmd: {cmd}"));
        let (side, rest) = match cmd.split_at_checked(4) {
            Some(("REQ_", rest)) => (Side::Request, rest),
            Some(("RSP_", rest)) => (Side::Response, rest),
            _ => return Err(unknown()),
        };
        let params = self.params;
        let empty = params.iter().any(String::is_empty);
        let op = match (side, rest) {
            (_, "HEADER_SET") => {
                let [name, value] = exactly(params)?;
                Op::Set(Name::new(&name), Template::parse(&value).map_err(|e| ("Params", e))?)
            }
            (_, "HEADER_ADD") => {
                let [name, value] = exactly(params)?;
                Op::Add(Name::new(&name), Template::parse(&value).map_err(|e| ("Params", e))?)
            }
            (_, "HEADER_DEL") => {
                let [name] = exactly(params)?;
                Op::Del(Name::new(&name))
            }
            (_, "HEADER_RENAME") => {
                let [old, new] = exactly(params)?;
                Op::Rename(Name::new(&old), Name::new(&new))
            }
            (_, "HEADER_MOD") => modification(params).map_err(|e| ("Params", e))?,
            (Side::Request, "COOKIE_SET") => {
                let [name, value] = exactly(params)?;
                Op::SetRequestCookie(name.into(), CookieValue::parse(&value))
            }
            (Side::Request, "COOKIE_DEL") => {
                let [name] = exactly(params)?;
                Op::DelRequestCookie(name.into())
            }
            (Side::Response, "COOKIE_SET") => {
                let (cookie, value) = response_cookie(exactly(params)?).map_err(|e| ("Params", e))?;
                Op::SetResponseCookie(Box::new(cookie), value)
            }
            (Side::Response, "COOKIE_DEL") => {
                let [name, domain, path] = exactly(params)?.map(Bytes::from);
                Op::DelResponseCookie { name, domain, path }
            }
            _ => return Err(unknown()),
        };
        if empty {
            return Err(("Params", "empty Params".into()));
        }
        Ok(Action::new(side, op))
    }
}

fn exactly<const N: usize>(params: Vec<String>) -> Result<[String; N], Fault> {
    <[String; N]>::try_from(params)
        .map_err(|params| ("Params", format!("num of params:[ok:{N}, now:{}]", params.len())))
}

/// `scheme_set name scheme` and `query_add name key value`; the first word in any case.
fn modification(params: Vec<String>) -> Result<Op, String> {
    let what = params.first().map(|what| what.to_ascii_uppercase()).unwrap_or_default();
    let name = |name: &str| {
        let canonical = bfe_http::canonical(name.as_bytes());
        if matches!(canonical.as_ref(), b"Referer" | b"Location") {
            Ok(Name::new(name))
        } else {
            Err(format!("{what} only supports Referer and Location, not {name}"))
        }
    };
    let count = params.len();
    match (what.as_str(), <[String; 3]>::try_from(params)) {
        ("SCHEME_SET", Ok([_, field, scheme])) => {
            if !matches!(scheme.as_str(), "http" | "https") {
                return Err(format!("scheme_set only supports http and https, not {scheme}"));
            }
            Ok(Op::SetScheme(name(&field)?, scheme))
        }
        ("QUERY_ADD", Err(params)) => match <[String; 4]>::try_from(params) {
            Ok([_, field, key, value]) => Ok(Op::AddQuery(name(&field)?, format!("{key}={value}"))),
            Err(_) => Err(format!("query_add should have 4 params, now: {count}")),
        },
        ("QUERY_ADD", Ok(_)) => Err("query_add should have 4 params, now: 3".into()),
        ("SCHEME_SET", Err(_)) => Err(format!("scheme_set should have 3 params, now: {count}")),
        _ => Err(format!("invalid command of HEADER_MOD: {what}, expected scheme_set or query_add")),
    }
}

fn response_cookie(params: [String; 8]) -> Result<(SetCookie, CookieValue), String> {
    let [name, value, domain, path, expires, max_age, http_only, secure] = params;
    let flag = |text: &str, what: &str| match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("{what} should be bool: {text}")),
    };
    let expires = http_time::parse_rfc1123(&expires)
        .ok_or_else(|| format!("expires format error, should be RFC1123 format: {expires}"))?;
    let cookie = SetCookie {
        name: name.into(),
        value: Bytes::new(),
        path: path.into(),
        domain: domain.into(),
        expires: Some(expires),
        max_age: max_age.parse().map_err(|_| format!("max age should be int: {max_age}"))?,
        http_only: flag(&http_only, "http only")?,
        secure: flag(&secure, "secure")?,
        same_site: None,
    };
    Ok((cookie, CookieValue::parse(&value)))
}
