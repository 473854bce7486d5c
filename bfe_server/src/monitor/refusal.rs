//! Requests to the monitor port that Go's server answers by itself.

use super::answer::Answer;
use bfe_http::url::unescape;
use hyper::header::{EXPECT, HOST};
use hyper::{Method, Request, StatusCode, Version};

const PLAIN: &str = "Bad Request";

/// The answer to a request that comes to no page, if it is one.
pub(super) fn refusal<B>(req: &Request<B>) -> Option<Answer> {
    let mut hosts = req.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if req.version() == Version::HTTP_11 => {
            return Some(bad_request("Bad Request: missing required Host header"));
        }
        (_, Some(_)) => return Some(bad_request(PLAIN)),
        (Some(host), None) if !host.as_bytes().iter().copied().all(may_be_in_host) => {
            return Some(bad_request("Bad Request: malformed Host header"));
        }
        _ => {}
    }
    let path = req.uri().path();
    if path == "*" {
        let status = if req.method() == Method::OPTIONS { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let answer = Answer::text(String::new()).status(status);
        return Some(if status == StatusCode::OK { answer } else { answer.field("connection", "close") });
    }
    let nowhere = req.method() != Method::CONNECT && !path.starts_with('/') && req.uri().scheme().is_none();
    if nowhere || unescape(path.as_bytes(), false).is_none() {
        return Some(bad_request(PLAIN));
    }
    let expected = req.headers().get(EXPECT).map(|e| e.as_bytes().to_ascii_lowercase());
    expected.filter(|e| e != b"100-continue").map(|_| {
        Answer::text(String::new()).status(StatusCode::EXPECTATION_FAILED).field("connection", "close")
    })
}

fn bad_request(reason: &'static str) -> Answer {
    let answer = Answer::text(format!("400 {reason}")).status(StatusCode::BAD_REQUEST);
    answer.reason(reason).field("connection", "close")
}

fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mon_2_what_comes_to_no_page() {
        let asked = |method: &str, target: &str, fields: &[(&'static str, &'static str)]| {
            let mut req = Request::builder().method(method).uri(target);
            for (name, value) in fields {
                req = req.header(*name, *value);
            }
            refusal(&req.body(()).unwrap()).map(|a| a.into_response().status().as_u16())
        };
        let host = ("host", "x");
        for (method, target, fields, want) in [
            ("GET", "/monitor", &[host][..], None),
            ("GET", "http://x/monitor", &[host], None),
            ("GET", "/monitor", &[], Some(400)),
            ("GET", "/monitor", &[host, host], Some(400)),
            ("GET", "/monitor", &[("host", "a b")], Some(400)),
            ("GET", "/monitor", &[("host", "[::1]:80")], None),
            ("GET", "/a%zz", &[host], Some(400)),
            ("GET", "/a%", &[host], Some(400)),
            ("GET", "/a?%zz", &[host], None),
            ("GET", "monitor", &[host], Some(400)),
            ("GET", "*", &[host], Some(400)),
            ("OPTIONS", "*", &[host], Some(200)),
            ("GET", "/monitor", &[host, ("expect", "100-Continue")], None),
            ("GET", "/monitor", &[host, ("expect", "more")], Some(417)),
        ] {
            assert_eq!(asked(method, target, fields), want, "{method} {target} {fields:?}");
        }
    }
}
