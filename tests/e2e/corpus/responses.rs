//! Raw responses of backends: what the client gets.

use super::text::Case;
use bfe_tests::{Backend, Bfe, Reply, Step, Tree};
use serde_json::json;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

/// The reply of a case: sent at once, or byte by byte, unless there are too many of them.
fn reply(case: &Case, piece: usize) -> Reply {
    let bytes = case.bytes("reply", "reply-raw");
    let piece = piece.max(bytes.len() / 500);
    let reply = if bytes.len() > piece {
        Reply::new().then(Step::Dribble(bytes, piece, Duration::from_micros(50)))
    } else {
        Reply::bytes(bytes)
    };
    match case.text("then").as_deref() {
        Some("close") => reply.close(),
        Some("reset") => reply.reset(),
        Some(other) => panic!("{}: then {other}", case.name),
        None => reply,
    }
}

fn differences(bfe: &Bfe, case: &Case) -> String {
    let mut text = String::new();
    let mut client = bfe.client();
    let ask = case.bytes("ask", "ask-raw");
    let ask = if ask.is_empty() { b"GET / HTTP/1.1\r\nHost: ok\r\n".to_vec() } else { ask };
    client.send([&ask[..], b"X-Case: ", case.name.as_bytes(), b"\r\n\r\n"].concat());
    let method = String::from_utf8_lossy(ask.split(|b| *b == b' ').next().unwrap()).into_owned();
    let answer = client.try_response(&method).unwrap_or_else(|part| part);
    let wanted = case.text("want").unwrap_or_else(|| panic!("{}: no want", case.name));
    if wanted != answer.status.to_string() {
        let _ = write!(text, "want {wanted}, got {}; ", answer.status);
    }
    for line in case.all("head").map(String::from_utf8_lossy) {
        if !answer.head.lines().any(|l| l == line) {
            let _ = write!(text, "no line {line:?} in {:?}; ", answer.head);
        }
    }
    for line in case.all("no").map(String::from_utf8_lossy) {
        if answer.head.lines().any(|l| l.starts_with(&*line)) {
            let _ = write!(text, "a line {line:?} in {:?}; ", answer.head);
        }
    }
    let body = case.all("body").next().unwrap_or_default();
    if body != answer.body {
        let (want, got) = (String::from_utf8_lossy(body), String::from_utf8_lossy(&answer.body));
        let _ = write!(text, "body {want:?}, got {got:?}; ");
    }
    if answer.complete == case.has("cut") {
        let _ = write!(text, "complete: {}; ", answer.complete);
    }
    let end = match client.try_send("GET /next HTTP/1.1\r\nHost: ok\r\n\r\n") {
        Err(_) => "close",
        Ok(()) => match client.try_response("GET") {
            Ok(next) if next.text() == "next" => "keep",
            Ok(next) => panic!("{}: the next request got {next:?}", case.name),
            Err(part) if part.head.is_empty() => "close",
            Err(part) => panic!("{}: the next request got {part:?}", case.name),
        },
    };
    let wanted = case.text("end").unwrap_or_else(|| panic!("{}: no end", case.name));
    if wanted != end {
        let _ = write!(text, "end {wanted}, got {end}; ");
    }
    text
}

fn check(piece: usize) {
    let cases = Case::load("responses");
    assert!(cases.len() >= 80, "only {} cases", cases.len());
    let replies: HashMap<_, _> = cases.iter().map(|case| (case.name.clone(), reply(case, piece))).collect();
    assert_eq!(replies.len(), cases.len(), "names are unique");
    let backend = Backend::start(move |req| match req.header("X-Case") {
        None => Reply::ok("next"),
        Some(name) => replies[name].clone(),
    });
    let tree = Tree::proxy(&backend).cluster_conf(
        "c",
        json!({
            "BackendConf": {"TimeoutResponseHeader": 500, "MaxIdleConnsPerHost": 10},
            "ClusterBasic": {"TimeoutWriteClient": 2000}
        }),
    );
    let bfe = Bfe::start(&tree);
    let mut failed = String::new();
    let in_pieces = piece == 1;
    for case in cases.iter().filter(|case| !in_pieces || !case.has("at-once")) {
        let text = differences(&bfe, case);
        if !text.is_empty() {
            let _ = writeln!(failed, "{}: {text}", case.name);
        }
    }
    assert!(failed.is_empty(), "{failed}");
    bfe.wait_idle();
}

#[test]
fn responses_sent_at_once() {
    check(usize::MAX);
}

#[test]
fn responses_sent_in_pieces() {
    check(1);
}
