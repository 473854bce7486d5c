//! The service that says who may pass: what it is asked, and what its answers mean.

use crate::http_address::Address;
use bfe_basic::Request;
use bfe_http::h1::encode::{OutFraming, RequestHead, request_head};
use bfe_http::transport::side::SideClient;
use bfe_http::{Header, Response};
use bfe_module::delay::Delay;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a client calls itself that has not said so.
const USER_AGENT: &str = "Go-http-client/1.1";

/// Fields of the client's that do not go to the service.
const DROPPED: [&[u8]; 9] = [
    b"Connection",
    b"Keep-Alive",
    b"Proxy-Authenticate",
    b"Proxy-Authorization",
    b"Te",
    b"Trailers",
    b"Transfer-Encoding",
    b"Upgrade",
    b"Content-Length",
];

/// What the service says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 2xx.
    Pass,
    /// 401, with the value of its `WWW-Authenticate`.
    Unauthorized(Option<Bytes>),
    /// 403.
    Forbidden,
    /// Anything else.
    Uncertain,
    /// Nothing, or not in time.
    Fail,
}

/// The service.
pub(super) struct Service {
    client: SideClient,
    address: Address,
    timeout: Duration,
    delay: Arc<Delay>,
}

impl Service {
    pub(super) fn new(address: Address, timeout: Duration, delay: Arc<Delay>) -> Result<Self, String> {
        Ok(Self { client: address.client()?, address, timeout, delay })
    }

    /// Asks whether a request may pass.
    pub(super) async fn ask(&self, req: &Request) -> Verdict {
        let head = self.head(req);
        let begin = Instant::now();
        let answer = tokio::time::timeout(self.timeout, self.client.send(&head)).await;
        self.delay.add(begin.elapsed());
        match answer {
            Ok(Ok(response)) => verdict(&response),
            Ok(Err(error)) => {
                log::info!("mod_auth_request: auth request failed: {error}");
                Verdict::Fail
            }
            Err(_) => {
                log::info!("mod_auth_request: auth request failed: no answer within {:?}", self.timeout);
                Verdict::Fail
            }
        }
    }

    /// The head of the request to the service.
    fn head(&self, req: &Request) -> Vec<u8> {
        let http = &req.http;
        let mut header = http.header.clone();
        header.retain(|name, _| !DROPPED.contains(&name));
        let first = |name: &str| http.header.get(name).filter(|value| !value.is_empty());
        let set = |header: &mut Header, name: &'static str, value: &[u8]| {
            header.set(name, Bytes::copy_from_slice(value));
        };
        set(&mut header, "X-Forwarded-Method", first("X-Forwarded-Method").unwrap_or(&http.method));
        let target = http.url.request_uri();
        set(&mut header, "X-Forwarded-Uri", first("X-Forwarded-Uri").unwrap_or(&target));
        match http.header.get("User-Agent") {
            None => header.set("User-Agent", USER_AGENT),
            Some(b"") => {
                header.del("User-Agent");
            }
            Some(agent) => set(&mut header, "User-Agent", agent),
        }
        if first("Accept-Encoding").is_none() && first("Range").is_none() {
            header.set("Accept-Encoding", "gzip");
        }
        if let Some(authorization) = &self.address.authorization
            && first("Authorization").is_none()
        {
            header.set("Authorization", authorization.clone());
        }
        let mut head = Vec::with_capacity(512);
        let line = RequestHead {
            method: b"GET",
            target: &self.address.target,
            host: self.address.host.as_bytes(),
            framing: OutFraming::None,
            trailers: b"",
        };
        request_head(&mut head, &line, &header, |_, _| true);
        head
    }
}

fn verdict(response: &Response) -> Verdict {
    match response.status {
        401 => {
            let challenge = response.header.get("Www-Authenticate").filter(|value| !value.is_empty());
            Verdict::Unauthorized(challenge.map(Bytes::copy_from_slice))
        }
        403 => Verdict::Forbidden,
        200..=299 => Verdict::Pass,
        _ => Verdict::Uncertain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn service(address: &str) -> Service {
        let delay = Arc::new(Delay::new("x", 60, 1, 20));
        Service::new(Address::parse(address).unwrap(), Duration::from_secs(1), delay).unwrap()
    }

    #[test]
    fn authreq_1_to_3_what_is_sent() {
        let mut req = testing::request("POST", "/a%20b?c=d");
        for (name, value) in [
            ("Cookie", "a=1"),
            ("Authorization", "Basic x"),
            ("Connection", "X-Kept"),
            ("X-Kept", "1"),
            ("Te", "trailers"),
            ("Trailers", "x"),
            ("Upgrade", "h2c"),
            ("Keep-Alive", "5"),
            ("Proxy-Authorization", "x"),
            ("Proxy-Connection", "x"),
            ("X-Forwarded-Method", ""),
        ] {
            req.http.header.add(name, value);
        }
        let head = |req: &Request, address: &str| String::from_utf8(service(address).head(req)).unwrap();
        assert_eq!(
            head(&req, "http://auth.example:81/check?x=1"),
            "GET /check?x=1 HTTP/1.1\r\nHost: auth.example:81\r\nAccept-Encoding: gzip\r\nAuthorization: Basic x\r\n\
             Cookie: a=1\r\nProxy-Connection: x\r\nUser-Agent: Go-http-client/1.1\r\nX-Forwarded-Method: POST\r\n\
             X-Forwarded-Uri: /a%20b?c=d\r\nX-Kept: 1\r\n\r\n"
        );
        let mut own = testing::request("GET", "/");
        for (name, value) in [
            ("X-Forwarded-Method", "PUT"),
            ("X-Forwarded-Method", "DELETE"),
            ("X-Forwarded-Uri", "/own"),
            ("User-Agent", ""),
            ("Accept-Encoding", "br"),
        ] {
            own.http.header.add(name, value);
        }
        assert_eq!(
            head(&own, "http://u:p@h"),
            "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\nAuthorization: Basic dTpw\r\n\
             X-Forwarded-Method: PUT\r\nX-Forwarded-Uri: /own\r\n\r\n"
        );
    }

    #[test]
    fn authreq_4_and_5_verdicts() {
        for (status, challenge, want) in [
            (200, "", Verdict::Pass),
            (204, "", Verdict::Pass),
            (401, "Basic", Verdict::Unauthorized(Some("Basic".into()))),
            (401, "", Verdict::Unauthorized(None)),
            (403, "x", Verdict::Forbidden),
            (302, "", Verdict::Uncertain),
            (404, "", Verdict::Uncertain),
            (500, "", Verdict::Uncertain),
        ] {
            let mut response = Response::new(status);
            response.header.add("Www-Authenticate", challenge);
            response.header.add("Www-Authenticate", "second");
            assert_eq!(verdict(&response), want, "{status}");
        }
    }
}
