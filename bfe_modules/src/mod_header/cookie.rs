//! Cookies of requests and responses.

use crate::set_cookie::{SET_COOKIE, SetCookie};
use bfe_basic::Request;
use bfe_http::{Cookies, Header};
use bytes::Bytes;

const COOKIE: &str = "Cookie";

/// Sets a cookie of a request: all of that name, or a new one behind those that are there.
pub(super) fn set_in_request(req: &mut Request, name: &[u8], value: &[u8]) {
    let mut line = Vec::new();
    let mut found = false;
    Cookies::for_each_sent(&req.http.header, |sent, old| {
        found |= sent == name;
        push_pair(&mut line, sent, if sent == name { value } else { old });
    });
    if !found {
        // What is there stays as it is written; further fields are dropped, as in the original.
        line = req.http.header.get(COOKIE).unwrap_or_default().to_vec();
        push_pair(&mut line, name, value);
    }
    req.http.header.set(COOKIE, line);
    req.edit_cookies(|cookies| cookies.set(name, value));
}

/// Removes all cookies of that name from a request.
pub(super) fn del_in_request(req: &mut Request, name: &[u8]) {
    let mut line = Vec::new();
    let mut found = false;
    Cookies::for_each_sent(&req.http.header, |sent, value| {
        if sent == name {
            found = true;
        } else {
            push_pair(&mut line, sent, value);
        }
    });
    if !found {
        return;
    }
    if line.is_empty() {
        req.http.header.del(COOKIE);
    } else {
        req.http.header.set(COOKIE, line);
    }
    req.edit_cookies(|cookies| cookies.remove(name));
}

fn push_pair(line: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if !line.is_empty() {
        line.extend_from_slice(b"; ");
    }
    line.extend_from_slice(name);
    line.push(b'=');
    line.extend_from_slice(value);
}

fn is_set(cookies: &[SetCookie], name: &[u8], domain: &[u8], path: &[u8]) -> bool {
    cookies.iter().any(|c| c.name == name && c.domain == domain && c.path == path)
}

/// Sets a cookie of a response. Where it is there already, with that domain and path, it replaces all of its
/// name; else it is added.
pub(super) fn set_in_response(header: &mut Header, cookie: &SetCookie) {
    let cookies = SetCookie::read_all(header);
    if is_set(&cookies, &cookie.name, &cookie.domain, &cookie.path) {
        header.del(SET_COOKIE);
        for old in &cookies {
            if old.name == cookie.name { cookie } else { old }.add_to(header);
        }
    } else {
        cookie.add_to(header);
    }
}

/// Removes all cookies of that name from a response, where one of them has that domain and path.
pub(super) fn del_in_response(header: &mut Header, name: &Bytes, domain: &Bytes, path: &Bytes) {
    let cookies = SetCookie::read_all(header);
    if is_set(&cookies, name, domain, path) {
        header.del(SET_COOKIE);
        for cookie in cookies.iter().filter(|cookie| cookie.name != name) {
            cookie.add_to(header);
        }
    }
}
