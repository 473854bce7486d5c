//! Parser and evaluator of conditions: `cargo +nightly fuzz run condition`.
//!
//! The input is an expression, a request target, a header value and a body, each ended by a zero byte.
//! Nothing may panic, and printing a parsed expression must give text that parses to the same.

#![no_main]

use bfe_basic::condition::{Condition, parse};
use bfe_basic::{BodyPeek, NeedBody, Request, Session};
use bfe_http::Body;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::rc::Rc;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(4, |b| *b == 0);
    let mut next = || parts.next().unwrap_or_default();
    let Ok(expression) = std::str::from_utf8(next()) else { return };
    if let Ok(expr) = parse(expression) {
        assert_eq!(parse(&expr.to_string()).as_ref(), Ok(&expr), "{expr}");
    }
    let Ok(condition) = Condition::build(expression) else { return };
    let target = String::from_utf8_lossy(next());
    let Ok(mut http) = bfe_http::Request::new("POST", &target, "example.org") else { return };
    let value = Bytes::copy_from_slice(next());
    http.header.add("Cookie", value.clone());
    http.header.add("X-A", value);
    let body = Bytes::copy_from_slice(next());
    http.body = Body::Full(body.clone());
    let mut request = Request::new(Rc::new(Session::default()), http);
    if condition.matches(&request) == Err(NeedBody) {
        request.body_peek = BodyPeek::Read(body);
        assert!(condition.matches(&request).is_ok());
    }
});
