//! Two readers of the same bytes: our own codec, and hyper.

#![allow(clippy::unwrap_used, reason = "test code")]

use bfe_http::h1::Stream;
use bfe_http::h1::server::{Connection, Limits};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use tokio::io::AsyncWriteExt;

/// A request as a reader understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    /// Names in lower case, sorted; without those that frame the body.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// `None` where the body was broken or cut.
    pub(crate) body: Option<Vec<u8>>,
}

const MAX_REQUESTS: usize = 8;
const LIMITS: Limits = Limits { max_header_bytes: 16 * 1024, max_uri_bytes: 4096 };

fn framing(name: &[u8]) -> bool {
    [&b"content-length"[..], b"transfer-encoding", b"trailer", b"expect"].contains(&name)
}

/// Reads as our codec does.
pub(crate) async fn ours(bytes: &[u8]) -> Vec<Reading> {
    let (mut client, server) = tokio::io::duplex(bytes.len().max(1) + 4096);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let connection = Connection::new(Stream::Other(Box::new(server)), BytesMut::new(), LIMITS);
    let mut readings = Vec::new();
    while readings.len() < MAX_REQUESTS {
        let Ok(mut req) = connection.read_request().await else { break };
        let _ = connection.expectation(&mut req);
        let mut fields: Vec<_> = req
            .header
            .iter()
            .map(|(n, v)| (n.to_ascii_lowercase(), v.to_vec()))
            .filter(|(n, _)| !framing(n))
            .collect();
        // The fix of Pragma adds a field that was not sent.
        if req.header.get("Pragma") == Some(b"no-cache") {
            fields.retain(|(n, _)| n != b"cache-control");
        }
        fields.sort();
        let mut body = Some(Vec::new());
        while let Some(piece) = req.body.data().await {
            match (piece, &mut body) {
                (Ok(piece), Some(body)) => body.extend_from_slice(&piece),
                _ => {
                    body = None;
                    break;
                }
            }
        }
        let broken = body.is_none();
        readings.push(Reading {
            method: req.method.to_vec(),
            target: req.request_uri.to_vec(),
            fields,
            body,
        });
        if broken {
            break;
        }
    }
    readings
}

/// Reads as hyper does.
pub(crate) async fn hypers(bytes: &[u8]) -> Vec<Reading> {
    let (mut client, server) = tokio::io::duplex(bytes.len().max(1) + 64 * 1024);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let readings = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&readings);
    let service = service_fn(move |req: hyper::Request<hyper::body::Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let (parts, body) = req.into_parts();
            let mut fields: Vec<_> = parts
                .headers
                .iter()
                .map(|(n, v)| (n.as_str().as_bytes().to_vec(), v.as_bytes().to_vec()))
                .filter(|(n, _)| !framing(n) && n != b"host")
                .collect();
            if parts.headers.get_all("pragma").iter().next().is_some_and(|p| p == "no-cache") {
                fields.retain(|(n, _)| n != b"cache-control");
            }
            fields.sort();
            let body = body.collect().await.ok().map(|b| b.to_bytes().to_vec());
            let target = parts.uri.to_string().into_bytes();
            let method = parts.method.as_str().as_bytes().to_vec();
            seen.borrow_mut().push(Reading { method, target, fields, body });
            Ok::<_, Infallible>(hyper::Response::new(Empty::<Bytes>::new()))
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(server), service);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), served).await;
    readings.take()
}

/// Panics where both read a request, but not the same one.
pub(crate) fn compare(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (ours, hypers) = runtime.block_on(async { (ours(bytes).await, hypers(bytes).await) });
    for (own, other) in ours.iter().zip(&hypers) {
        let shown =
            || format!("\nbytes {:?}\nours   {own:?}\nhyper  {other:?}", String::from_utf8_lossy(bytes));
        assert_eq!(own.method, other.method, "{}", shown());
        assert_eq!(own.fields, other.fields, "{}", shown());
        match (&own.body, &other.body) {
            (Some(a), Some(b)) => assert_eq!(a, b, "{}", shown()),
            // One of them refuses: nothing after it is read alike, and nothing has to be.
            _ => return,
        }
    }
}
