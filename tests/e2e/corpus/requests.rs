//! Raw requests: what the client gets, and what the backend gets.

use super::lenient;
use super::text::Case;
use bfe_tests::{Backend, Bfe, Client, Reply, Tree, wait_until};
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// What is asked on a connection that is kept.
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: ok\r\n\r\n";
/// A client that waits that long has been forgotten.
const PATIENCE: Duration = Duration::from_secs(4);
/// Pieces of requests that are sent piece by piece.
const PIECE: usize = 3;

/// What became of a request.
#[derive(Default)]
struct Outcome {
    /// Statuses, as in the corpus.
    statuses: Vec<String>,
    end: &'static str,
    /// Whole requests at the backend.
    sees: usize,
    /// All bytes at the backend.
    gets: Vec<u8>,
    /// What must not be, if it was.
    holes: String,
}

fn backend() -> Backend {
    Backend::start(|req| match req.line().split(' ').next() {
        Some("HEAD") => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        _ if req.line() == "GET /next HTTP/1.1" => Reply::ok("next"),
        _ => Reply::ok("ok"),
    })
}

fn tree(backend: &Backend) -> Tree {
    // A connection for each request, so that it is known which bytes belong to which.
    Tree::proxy(backend).set("MaxHeaderBytes", 16384).set("MaxHeaderUriBytes", 1024).cluster_conf(
        "c",
        json!({"BackendConf": {"MaxIdleConnsPerHost": 0}, "ClusterBasic": {"TimeoutReadClient": 500}}),
    )
}

fn run(bfe: &Bfe, backend: &Backend, case: &Case, piece: usize) -> Outcome {
    let served = bfe.counter("CLIENT_REQ_SERVED");
    let (requests, connections) = (backend.count(), backend.raw().len());
    let mut outcome = Outcome::default();
    let mut client = bfe.client();
    client.set_patience(PATIENCE);
    let bytes = case.bytes("send", "raw");
    for piece in bytes.chunks(piece.max(bytes.len() / 500)) {
        // The proxy may have had enough before all is sent.
        if client.try_send(piece).is_err() {
            break;
        }
    }
    if case.has("fin") {
        client.half_close();
    }
    let wanted = case.text("want").unwrap_or_default();
    for wanted in wanted.split_whitespace() {
        if wanted == "0.9" {
            outcome.statuses.push("0.9".into());
            if client.read_to_end() != b"ok" {
                outcome.statuses.push("not".into());
            }
            continue;
        }
        let method = if bytes.starts_with(b"HEAD") { "HEAD" } else { "GET" };
        match client.try_response(method) {
            Ok(answer) => outcome.statuses.push(answer.status.to_string()),
            Err(part) if part.status > 0 => outcome.statuses.push(format!("{}-cut", part.status)),
            Err(_) => break,
        }
    }
    outcome.end =
        if case.text("end").as_deref() == Some("keep") { next(&mut client) } else { end(&mut client) };
    if client.has_stalled() {
        outcome.holes.push_str("the client waits for ever; ");
    }
    drop(client);

    bfe.wait_counter("CLIENT_CONN_ACTIVE", 0);
    wait_until("the backend's connections end", || backend.open_connections() == 0);
    let served = bfe.counter("CLIENT_REQ_SERVED") - served;
    let is_next = |raw: &[u8]| raw.starts_with(NEXT.as_bytes());
    let raw: Vec<_> = backend.raw().split_off(connections);
    outcome.sees = backend.requests()[requests..].iter().filter(|r| r.head != NEXT).count();
    outcome.gets = raw.iter().filter(|raw| !is_next(raw)).flatten().copied().collect();
    let used = raw.iter().filter(|raw| !raw.is_empty()).count();
    if i64::try_from(used).unwrap() > served {
        let _ = write!(outcome.holes, "{used} requests at the backend, {served} counted; ");
    }
    for raw in &raw {
        if lenient::most_requests(raw) > 1 {
            let _ = write!(outcome.holes, "more than one request in {:?}; ", String::from_utf8_lossy(raw));
        }
    }
    outcome
}

/// Whether the connection serves another request.
fn next(client: &mut Client) -> &'static str {
    if client.try_send(NEXT).is_err() {
        return "close";
    }
    match client.try_response("GET") {
        Ok(answer) if answer.text() == "next" => "keep",
        Ok(_) => "another answer",
        Err(_) => "close",
    }
}

fn end(client: &mut Client) -> &'static str {
    if client.read_to_end().is_empty() { "close" } else { "more bytes" }
}

/// What differs from what the case says.
fn differences(case: &Case, outcome: &Outcome, in_pieces: bool) -> String {
    let mut text = outcome.holes.clone();
    let wanted = case.text("want").unwrap_or_else(|| panic!("{}: no want", case.name));
    let statuses = outcome.statuses.join(" ");
    if statuses != wanted {
        let _ = write!(text, "want {wanted:?}, got {statuses:?}; ");
    }
    let end = case.text("end").unwrap_or_else(|| panic!("{}: no end", case.name));
    if end != outcome.end {
        let _ = write!(text, "end {end}, got {}; ", outcome.end);
    }
    let sees = case.text("sees").unwrap_or_else(|| panic!("{}: no sees", case.name));
    if sees != outcome.sees.to_string() {
        let _ = write!(text, "sees {sees}, got {}; ", outcome.sees);
    }
    let gets = case.bytes("gets", "gets-raw");
    let said = case.has("gets") || case.has("gets-raw");
    // Chunks go on as they come, so pieces of chunks become chunks.
    let other_chunks = in_pieces && String::from_utf8_lossy(&gets).contains("\nTransfer-Encoding: chunked");
    if said && !other_chunks && gets != outcome.gets {
        let (want, got) = (String::from_utf8_lossy(&gets), String::from_utf8_lossy(&outcome.gets));
        let _ = write!(text, "gets {want:?}, got {got:?}; ");
    }
    text
}

fn check(piece: usize) {
    let cases = Case::load("requests");
    assert!(cases.len() >= 150, "only {} cases", cases.len());
    let backend = backend();
    let bfe = Bfe::start(&tree(&backend));
    let mut failed = String::new();
    for case in &cases {
        let text = differences(case, &run(&bfe, &backend, case, piece), piece == PIECE);
        if !text.is_empty() {
            let _ = writeln!(failed, "{}: {text}", case.name);
        }
    }
    assert!(failed.is_empty(), "{failed}");
    // LIFE-45: what was refused was never a request; what was one is over.
    bfe.wait_idle();
}

#[test]
fn requests_sent_at_once() {
    check(usize::MAX);
}

#[test]
fn requests_sent_in_pieces() {
    check(PIECE);
}
