//! `BFEMockWaf`: a firewall that is asked over HTTP.
//!
//! `POST /detect` with the client's request as the body; the answer is JSON, `{"event_id": "...", "result_flag": 0}`,
//! where 0 lets the request pass. `GET /hccheck` on a connection of its own tells how it is, in the same way.

use super::redirect::Location;
use super::{Agent, Inspected, VendorError, Verdict};
use crate::json_answer;
use arc_swap::ArcSwap;
use bfe_http::Response;
use bfe_http::transport::Kind;
use bfe_http::transport::side::SideClient;
use bfe_module::LocalBoxFuture;
use bytes::Bytes;
use serde::Deserialize;
use std::io::Write as _;
use std::time::Duration;
use tokio::sync::Semaphore;

/// In `WafProductName`.
pub(super) const NAME: &str = "BFEMockWaf";

/// How long one question may take, redirects included.
const LIMIT: Duration = Duration::from_secs(10);
/// How long connecting for a health check may take.
const CHECK_CONNECT: Duration = Duration::from_secs(1);
/// Most bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;
/// Most requests of one question, whose answers are redirects.
const MAX_HOPS: usize = 10;
/// What the instance is called in URLs.
const OWN_HOST: &str = "127.0.0.1:8899";

/// An instance.
pub(super) struct MockWaf {
    addr: String,
    client: ArcSwap<SideClient>,
    pool_size: usize,
    /// A question holds one from its connection to the end of its answer.
    connections: Semaphore,
}

/// What an answer says; to both kinds of question.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    event_id: String,
    result_flag: i64,
}

impl MockWaf {
    pub(super) fn new(addr: &str, pool_size: usize, connect: Duration) -> Self {
        let client = client(addr, connect, pool_size);
        let connections = Semaphore::new(pool_size);
        Self { addr: addr.to_owned(), client: ArcSwap::from_pointee(client), pool_size, connections }
    }

    async fn ask(&self, request: &Inspected, log_id: &str) -> Result<Verdict, VendorError> {
        let mut body = request.wire();
        let mut method = "POST";
        let host = if request.host.is_empty() {
            Bytes::from_static(OWN_HOST.as_bytes())
        } else {
            request.host.clone()
        };
        let mut place = Location { host, authority: OWN_HOST.to_owned(), target: "/detect".to_owned() };
        let mut referer: Option<String> = None;
        for _ in 0..MAX_HOPS {
            let head = head(method, &place, body.len(), log_id, referer.as_deref());
            // It is never closed.
            let _connection = self.connections.acquire().await;
            let mut response = self.client.load().send_with_body(&head, &body).await?;
            let status = response.status;
            let next = response.header.get("Location").and_then(|value| place.follow(value));
            let next = match (status, next) {
                (301..=303, Some(next)) => {
                    method = "GET";
                    body = Bytes::new();
                    next
                }
                (307 | 308, Some(next)) => next,
                _ => return verdict(&mut response).await,
            };
            referer = Some(format!("http://{}{}", place.authority, place.target));
            place = next;
        }
        Err(VendorError::Redirects(MAX_HOPS))
    }

    async fn ask_health(&self, addr: &str) -> Result<(), VendorError> {
        let client = SideClient::with_limits(Kind::Http, addr, Some(CHECK_CONNECT), 0);
        let head = format!("GET /hccheck HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        match verdict(&mut client.send(head.as_bytes()).await?).await? {
            Verdict::Pass => Ok(()),
            Verdict::Block(_) => Err(VendorError::NotWell),
        }
    }
}

impl Agent for MockWaf {
    fn detect<'a>(
        &'a self,
        request: &'a Inspected,
        log_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<Verdict, VendorError>> {
        Box::pin(within(self.ask(request, log_id)))
    }

    fn set_connect_timeout(&self, limit: Duration) {
        self.client.store(client(&self.addr, limit, self.pool_size).into());
    }

    fn check<'a>(&'a self, addr: &'a str) -> LocalBoxFuture<'a, Result<(), VendorError>> {
        Box::pin(within(self.ask_health(addr)))
    }
}

/// For an instance. How often a question is asked is for others to say.
fn client(addr: &str, connect: Duration, pool_size: usize) -> SideClient {
    SideClient::with_limits(Kind::Http, addr, Some(connect), pool_size).sending_once()
}

async fn within<T>(question: impl Future<Output = Result<T, VendorError>>) -> Result<T, VendorError> {
    tokio::time::timeout(LIMIT, question).await.unwrap_or(Err(VendorError::TimedOut(LIMIT)))
}

fn head(method: &str, place: &Location, length: usize, log_id: &str, referer: Option<&str>) -> Vec<u8> {
    let mut head = Vec::with_capacity(256);
    // Writing to memory cannot fail.
    let _ = write!(head, "{method} {} HTTP/1.1\r\nHost: ", place.target);
    head.extend_from_slice(&place.host);
    head.extend_from_slice(b"\r\nUser-Agent: Go-http-client/1.1\r\n");
    if length > 0 {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    if let Some(referer) = referer {
        let _ = write!(head, "Referer: {referer}\r\n");
    }
    let _ = write!(head, "Xinner-Logid: {log_id}\r\nAccept-Encoding: gzip\r\n\r\n");
    head
}

async fn verdict(response: &mut Response) -> Result<Verdict, VendorError> {
    if response.status != 200 {
        return Err(VendorError::Status(response.status));
    }
    let answer = json_answer::read::<Answer>(response, MAX_ANSWER).await?;
    Ok(if answer.result_flag == 0 { Verdict::Pass } else { Verdict::Block(answer.event_id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn uwaf_3_and_4_answers() {
        let block = |id: &str| Some(Verdict::Block(id.into()));
        for (text, want) in [
            (r#"{"event_id":"e","result_flag":0}"#, Some(Verdict::Pass)),
            (r#"{"EVENT_ID":"e","Result_Flag":7}"#, block("e")),
            (r#"{"result_flag":-1} "#, block("")),
            ("{}", Some(Verdict::Pass)),
            ("null", Some(Verdict::Pass)),
            (r#"{"result_flag":0} x"#, None),
            (r#"{"result_flag":"1"}"#, None),
            (r#"{"result_flag":1.5}"#, None),
            (r#"{"event_id":1}"#, None),
            ("[]", None),
            ("", None),
        ] {
            let mut response = Response::with_content(200, "", text.to_owned());
            assert_eq!(verdict(&mut response).await.ok(), want, "{text}");
        }
        let mut other = Response::with_content(201, "", "{}");
        assert!(matches!(verdict(&mut other).await, Err(VendorError::Status(201))));
        let mut long = Response::with_content(200, "", vec![b' '; MAX_ANSWER + 1]);
        assert!(matches!(verdict(&mut long).await, Err(VendorError::Answer(_))));
    }

    #[test]
    fn uwaf_2_the_head_of_a_question() {
        let place = Location { host: "example.org".into(), authority: "a".into(), target: "/detect".into() };
        let text = |head: Vec<u8>| String::from_utf8(head).unwrap();
        assert_eq!(
            text(head("POST", &place, 9, "L1", None)),
            "POST /detect HTTP/1.1\r\nHost: example.org\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 9\r\n\
             Xinner-Logid: L1\r\nAccept-Encoding: gzip\r\n\r\n"
        );
        assert!(
            text(head("GET", &place, 0, "", Some("http://r"))).contains("1.1\r\nReferer: http://r\r\nXinner")
        );
    }
}
