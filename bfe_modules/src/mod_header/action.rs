//! Actions, and what they do to header fields.

use super::cookie;
use super::template::{CookieValue, Template};
use crate::set_cookie::SetCookie;
use crate::url_edit;
use bfe_basic::Request;
use bfe_http::Header;
use bytes::Bytes;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// The name of a header field, canonical.
#[derive(Clone, Debug)]
pub(super) struct Name {
    bytes: Bytes,
    text: Box<str>,
}

impl Name {
    pub(super) fn new(name: &str) -> Self {
        let canonical = bfe_http::canonical(name.as_bytes());
        // Only letters of ASCII change their case, so that the name stays text.
        let text = String::from_utf8_lossy(&canonical).into_owned().into_boxed_str();
        Self { bytes: Bytes::copy_from_slice(&canonical), text }
    }
}

/// What is done.
#[derive(Debug)]
pub(super) enum Op {
    /// Replaces all values.
    Set(Name, Template),
    /// Adds a field.
    Add(Name, Template),
    /// Removes all values.
    Del(Name),
    /// Gives the first value to another name that has none.
    Rename(Name, Name),
    /// Sets the scheme of a URL.
    SetScheme(Name, String),
    /// Adds `key=value` to the query of a URL.
    AddQuery(Name, String),
    /// Sets a cookie of the request.
    SetRequestCookie(Bytes, CookieValue),
    /// Removes a cookie of the request.
    DelRequestCookie(Bytes),
    /// Sets a cookie of the response; the value is filled in.
    SetResponseCookie(Box<SetCookie>, CookieValue),
    /// Removes a cookie of the response.
    DelResponseCookie { name: Bytes, domain: Bytes, path: Bytes },
}

/// An action of a rule.
#[derive(Debug)]
pub(super) struct Action {
    side: Side,
    op: Op,
}

impl Action {
    pub(super) fn new(side: Side, op: Op) -> Self {
        Self { side, op }
    }

    pub(super) fn is_for_response(&self) -> bool {
        self.side == Side::Response
    }

    /// The header that is changed; `None` where there is no response.
    fn header<'r>(&self, req: &'r mut Request) -> Option<&'r mut Header> {
        match self.side {
            Side::Request => Some(&mut req.http.header),
            Side::Response => req.response.as_mut().map(|response| &mut response.header),
        }
    }

    /// Runs the action.
    pub(super) fn run(&self, req: &mut Request) {
        match &self.op {
            Op::Set(name, template) => {
                let value = template.value(req);
                self.change(req, |header| header.set(name.bytes.clone(), value));
            }
            Op::Add(name, template) => {
                let value = template.value(req);
                self.change(req, |header| header.add(name.bytes.clone(), value));
            }
            Op::Del(name) => self.change(req, |header| {
                header.del(&name.text);
            }),
            Op::Rename(old, new) => self.change(req, |header| rename(header, old, new)),
            Op::SetScheme(name, scheme) => {
                self.change(req, |header| edit(header, name, |url| url_edit::set_scheme(url, scheme)));
            }
            Op::AddQuery(name, pair) => {
                self.change(req, |header| edit(header, name, |url| url_edit::add_query(url, pair)));
            }
            Op::SetRequestCookie(name, value) => {
                let value = value.value(req);
                cookie::set_in_request(req, name, &value);
            }
            Op::DelRequestCookie(name) => cookie::del_in_request(req, name),
            Op::SetResponseCookie(cookie, value) => {
                let cookie = SetCookie { value: value.value(req), ..SetCookie::clone(cookie) };
                self.change(req, |header| cookie::set_in_response(header, &cookie));
            }
            Op::DelResponseCookie { name, domain, path } => {
                self.change(req, |header| cookie::del_in_response(header, name, domain, path));
            }
        }
    }

    fn change(&self, req: &mut Request, change: impl FnOnce(&mut Header)) {
        if let Some(header) = self.header(req) {
            change(header);
        }
    }
}

fn rename(header: &mut Header, old: &Name, new: &Name) {
    let has_value = |name: &Name| header.get(&name.text).is_some_and(|v| !v.is_empty());
    if !has_value(old) || has_value(new) {
        return;
    }
    let value = header.get(&old.text).map(Bytes::copy_from_slice).unwrap_or_default();
    header.set(new.bytes.clone(), value);
    header.del(&old.text);
}

/// Puts the edited first value in place of all; one that does not parse stays.
fn edit(header: &mut Header, name: &Name, edit: impl FnOnce(&[u8]) -> Option<Vec<u8>>) {
    let Some(value) = header.get(&name.text).filter(|v| !v.is_empty()) else { return };
    let value = edit(value).unwrap_or_else(|| value.to_vec());
    header.set(name.bytes.clone(), value);
}
