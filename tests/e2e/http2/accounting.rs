//! What the access log and the counters say of streams that do not end well.

use crate::logs::wait_lines;
use bfe_tests::h2::{TlsClient, block, frame, get};
use bfe_tests::{Backend, Bfe, Reply, Step, wait_until};
use std::path::Path;

/// A proxy in front of that backend with an access log: path, status and error.
fn proxy(backend: &Backend, log: &Path) -> Bfe {
    let conf = format!(
        "[Log]\nLogFile = {}\n[Template]\nRequestTemplate = \"$req_uri $status_code $error\"\nSessionTemplate = \"S\"\n",
        log.display()
    );
    Bfe::start(&super::tree(backend).module("mod_access").file("mod_access/mod_access.conf", conf))
}

fn post<'a>(path: &'a str, length: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![(":method", "POST"), (":scheme", "https"), (":authority", "ok"), (":path", path)];
    fields.extend(length.map(|n| ("content-length", n)));
    fields
}

/// Lines of requests so far, in order of their text.
fn lines(log: &Path, n: usize) -> Vec<String> {
    let mut lines = wait_lines(log, n);
    lines.retain(|line| line != "S");
    lines.sort();
    lines
}

#[test]
fn life_96_what_is_said_of_a_body_that_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (backend, log) = (Backend::ok("x"), dir.path().join("a.log"));
    let bfe = proxy(&backend, &log);
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    let open = |id, fields: &[(&str, &str)]| frame(1, 4, id, &block(fields));
    client.send([open(1, &post("/1", None)), frame(3, 0, 1, &[0, 0, 0, 8])].concat());
    client.send([open(3, &post("/3", Some("3"))), frame(0, 0, 3, b"abcd")].concat());
    client.send([open(5, &post("/5", Some("5"))), frame(0, 1, 5, b"abc")].concat());
    client.send([open(7, &post("/7", None)), frame(1, 4, 7, &block(&[("x-t", "1")]))].concat());
    let write = "500 BK_WRITE_REQUEST,WriteRequestError:";
    let want = [
        format!("/1 {write} stream error: stream ID 1; CANCEL; stream reset by peer"),
        format!("/3 {write} sender tried to send more than declared Content-Length of 3 bytes"),
        format!("/5 {write} request declared a Content-Length of 5 but only wrote 3 bytes"),
        format!(
            "/7 {write} stream error: stream ID 7; PROTOCOL_ERROR; MetaHeadersFrame for trailer without END_STREAM flag"
        ),
    ];
    assert_eq!(lines(&log, 4), want);
    client.send(open(9, &post("/9", None)));
    wait_until("it is served", || bfe.counter("HTTP2_CLIENT_REQ_ACTIVE") == 1);
    drop(client);
    let last = lines(&log, 6).pop().unwrap();
    assert_eq!(last, format!("/9 {write} client disconnected"));
    // The answers to them are too short for anybody to notice that they were lost.
    assert_eq!(bfe.counters("proxy_state")["ERR_CLIENT_WRITE"], 0);
    bfe.wait_idle();
}

#[test]
fn life_95_a_short_response_that_nobody_reads_counts_as_sent() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let backend = Backend::start(|req| match req.line() {
        "GET /1 HTTP/1.1" => Reply::new().hold().send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        "GET /3 HTTP/1.1" => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").then(Step::Stall),
        _ => Reply::ok("x".repeat(50_000)),
    });
    let bfe = proxy(&backend, &log);
    // Nothing but heads is taken.
    let mut client = TlsClient::h2(bfe.https_addr(), &[(4, 0)]);
    for id in [1, 3, 5] {
        client.request(id, &get(&format!("/{id}")));
    }
    for _ in [3, 5] {
        assert!(client.find(|f| f.kind == 1).is_some(), "heads come, in any order");
    }
    backend.wait_held(1);
    client.send([1, 3, 5].map(|id| frame(3, 0, id, &[0, 0, 0, 8])).concat());
    wait_until("the resets have come", || bfe.counters("http2_state")["H2_ERR_GOT_RESET"] == 3);
    backend.release();
    assert_eq!(lines(&log, 3), ["/1 200 -", "/3 200 -", "/5 200 CLIENT_WRITE,http2: stream closed"]);
    assert_eq!(bfe.counters("proxy_state")["ERR_CLIENT_WRITE"], 1);
    drop(client);
    bfe.wait_idle();
}

#[test]
fn life_94_what_a_content_length_says() {
    let backend = Backend::echo();
    let bfe = Bfe::start(&super::tree(&backend));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    // Of an empty body nothing can be missing, whatever becomes of its stream.
    client.send([frame(1, 4, 1, &block(&post("/open", Some("0")))), frame(0, 0, 1, b"x")].concat());
    assert_eq!(client.find(|f| f.stream == 1 && f.kind == 3).map(|f| f.code()), Some(1));
    assert_eq!(backend.wait_requests(1).line(), "POST /open HTTP/1.1");
    // An empty text is no length, and one that is no number is 0.
    for (id, length) in [(3, ""), (5, "-1"), (7, "x")] {
        client.request(id, &post("/ended", Some(length)));
        assert!(client.answer(id).is_some());
    }
    let told: Vec<_> =
        backend.requests().iter().map(|r| r.header("Content-Length").map(str::to_owned)).collect();
    let zero = Some("0".to_owned());
    assert_eq!(told, [zero.clone(), None, zero.clone(), zero]);
    client.request(9, &post("/negative", Some("-5")));
    assert_eq!(client.find(|f| f.stream == 9 && f.kind == 3).map(|f| f.code()), Some(1));
    drop(client);
    bfe.wait_idle();
}

/// Trailers count, and blocks of requests that are refused for what they ask for.
#[test]
fn life_97_sizes_of_all_sound_header_blocks() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&super::tree(&backend));
    let size = || bfe.counters("http2_state")["H2_REQ_HEADER_ORIGINAL_SIZE"];
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    client.send(frame(1, 4, 1, &block(&post("/", None))));
    client.send(frame(1, 5, 1, &block(&[("x-t", "12")])));
    assert!(client.answer(1).is_some());
    assert_eq!(size(), 11 + 12 + 12 + 6 + 5);
    client.request(3, &[(":path", "/")]);
    assert!(client.find(|f| f.stream == 3 && f.kind == 3).is_some());
    assert_eq!(size(), 46 + 6);
    client.request(5, &[(":path", "/"), ("X", "y")]);
    assert!(client.find(|f| f.stream == 5 && f.kind == 3).is_some());
    assert_eq!(size(), 52, "what is no name ends the counting");
}
