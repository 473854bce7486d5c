//! Requests described in a line of facts, such as `GET /a ; h Cookie: a=1 ; cip 1.1.1.1`.

use bfe_basic::condition::Condition;
use bfe_basic::{BodyPeek, ContextValue, NeedBody, Proto, Request, Session, TlsState};
use bfe_http::{Body, Response, canonical};
use bytes::Bytes;
use std::net::SocketAddr;
use std::rc::Rc;

/// A request, and how its body can be read.
pub(crate) struct Facts {
    pub(crate) request: Request,
    /// Whether there is a request at all, besides the session.
    pub(crate) has_request: bool,
    body: Option<Vec<u8>>,
    body_is_cut: bool,
    accessible: usize,
}

fn socket(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 1234)
}

impl Facts {
    pub(crate) fn parse(line: &str) -> Self {
        let facts: Vec<(&str, &str)> = if line == "-" {
            Vec::new()
        } else {
            line.split(" ; ").map(|fact| fact.split_once([' ', '=']).unwrap_or((fact, ""))).collect()
        };
        let get = |name: &str| facts.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);

        let session = Session {
            vip: get("vip").map(|ip| ip.parse().unwrap()),
            remote_addr: get("sip").map(socket),
            is_secure: get("tls").or(get("tls-nostate")).is_some(),
            ..Session::default()
        };
        session.trust_source.set(get("trusted").is_some());
        if let Some(proto) = get("tls") {
            session.proto.set(match proto {
                "h2" => Proto::H2,
                "https" => Proto::Https,
                other => panic!("protocol {other}"),
            });
            let mut tls = TlsState { server_name: get("sni").unwrap_or("").into(), ..TlsState::default() };
            tls.client_auth.authenticated = get("client-auth").is_some();
            tls.client_auth.ca_name = get("client-ca").unwrap_or("").into();
            *session.tls.borrow_mut() = Some(Box::new(tls));
        }

        let known = [
            "host",
            "v",
            "h",
            "body",
            "short-body",
            "cip",
            "vip",
            "sip",
            "trusted",
            "tls",
            "tls-nostate",
            "sni",
            "client-auth",
            "client-ca",
            "tag",
            "ctx",
            "ctxint",
            "hosttag",
            "res",
            "rh",
            "no-http",
            "accessible",
        ];
        let line = facts.iter().find(|(name, _)| !known.contains(name));
        let (method, target) = line.copied().unwrap_or(("GET", "/"));
        let mut http = bfe_http::Request::new(method, target, get("host").unwrap_or("ex.org")).unwrap();
        if !http.url.host.is_empty() {
            http.host = http.url.host.clone();
        }
        if let Some(version) = get("v") {
            http.proto = Bytes::copy_from_slice(version.as_bytes());
        }
        let is_cut = get("short-body").is_some();
        let body = get("body").or(get("short-body")).map(|body| body.as_bytes().to_vec());
        if let Some(body) = &body {
            http.body = Body::Full(body.clone().into());
        }

        let mut request = Request::new(Rc::new(session), http);
        request.client_addr = get("cip").map(socket);
        request.route.host_tag = get("hosttag").unwrap_or("").into();
        request.response = get("res").map(|code| Response::new(code.parse().unwrap()));
        for (name, value) in &facts {
            let pair = || value.split_once('=').unwrap();
            match *name {
                "tag" => {
                    let (key, tag) = pair();
                    request.tags.entry(key.into()).or_default().push(tag.into());
                }
                "ctx" => request.context.set_text(pair().0.to_owned(), pair().1),
                "ctxint" => {
                    let number = ContextValue::Int(pair().1.parse().unwrap());
                    request.context.set(pair().0.to_owned(), number);
                }
                "h" | "rh" => add_field(&mut request, *name == "rh", value),
                _ => {}
            }
        }
        Self {
            request,
            has_request: get("no-http").is_none(),
            body,
            body_is_cut: is_cut,
            accessible: get("accessible").map_or(2 << 20, |n| n.parse().unwrap()),
        }
    }

    /// Evaluates as the pipeline does: it reads the body when a condition asks for it.
    pub(crate) fn matches(&mut self, condition: &Condition) -> bool {
        if !self.has_request {
            return condition.matches_session(&self.request.session);
        }
        match condition.matches(&self.request) {
            Ok(found) => found,
            Err(NeedBody) => {
                let body = self.body.as_deref().unwrap_or_default();
                self.request.body_peek = if self.body_is_cut {
                    BodyPeek::Failed
                } else {
                    BodyPeek::Read(Bytes::copy_from_slice(&body[..body.len().min(self.accessible)]))
                };
                condition.matches(&self.request).unwrap()
            }
        }
    }
}

/// Adds a header field as the reader of HTTP/1 does: what frames the body is not kept.
fn add_field(request: &mut Request, to_response: bool, field: &str) {
    let (name, value) = field.split_once(':').unwrap();
    let name = Bytes::from(canonical(name.as_bytes()).into_owned());
    let value = Bytes::copy_from_slice(value.trim().as_bytes());
    if to_response {
        return request.response.as_mut().unwrap().header.add(name, value);
    }
    let header = &mut request.http.header;
    if name == "Pragma" && value == "no-cache" && !header.contains("Cache-Control") {
        header.add("Cache-Control", "no-cache");
    }
    if !["Host", "Transfer-Encoding", "Trailer"].iter().any(|n| name == n) {
        header.add(name, value);
    }
}
