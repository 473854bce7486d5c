//! What tests of modules have in common.

use crate::rule_file::{RawRule, RuleFile};
use bfe_basic::{Request, Session};
use bfe_http::Response;
use std::io::Write as _;
use std::rc::Rc;

/// A request of the product `p`.
pub(crate) fn request(method: &str, target: &str) -> Request {
    request_on(Session::default(), method, target)
}

/// A request of the product `p` on that connection.
pub(crate) fn request_on(session: Session, method: &str, target: &str) -> Request {
    let http = bfe_http::Request::new(method, target, "example.org").unwrap();
    let mut req = Request::new(Rc::new(session), http);
    req.route.product = "p".into();
    req
}

/// Header fields as `Name: value`, in order of arrival.
pub(crate) fn fields(header: &bfe_http::Header) -> Vec<String> {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    header.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
}

/// The response of a request.
pub(crate) fn response(req: &Request) -> &Response {
    req.response.as_ref().unwrap()
}

/// A file with that text, loaded as rules.
pub(crate) fn load<Raw: RawRule>(text: &str) -> Result<RuleFile<Raw>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    RuleFile::load(file.path().to_owned()).map_err(|e| e.to_string())
}

/// A file with the rules of product `p`, given as a JSON list.
pub(crate) fn rules<Raw: RawRule>(rules: &str) -> RuleFile<Raw> {
    load(&format!(r#"{{"Version":"v1","Config":{{"p":{rules}}}}}"#)).unwrap()
}

/// Whether the rules of product `p`, given as a JSON list, are accepted; else the first reason.
pub(crate) fn check<Raw: RawRule>(rules: &str) -> Result<(), String> {
    let text = format!(r#"{{"Version":"v1","Config":{{"p":{rules}}}}}"#);
    let error = load::<Raw>(&text).err();
    error.map_or(Ok(()), |e| Err(e.lines().next().unwrap_or_default().to_owned()))
}
