//! Every cell of the table of results, over HTTP/1.

use super::Trace;
use bfe_tests::{Backend, Bfe, Client, Tree};
use std::net::Ipv4Addr;

const POINTS: [&str; 3] = ["HandleBeforeLocation", "HandleFoundProduct", "HandleAfterLocation"];

/// What one answer at one point leads to.
struct Cell {
    point: &'static str,
    word: &'static str,
    /// The head that the client gets, without its last line end; none where it gets nothing.
    head: Option<&'static str>,
    body: &'static str,
    keep: bool,
    /// The chains that run, up to the end of the request.
    letters: &'static str,
    /// What RequestFinish sees.
    finish: &'static str,
    /// Requests that the backend sees.
    forwarded: usize,
}

const PROXIED: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\nContent-Type: text/plain; charset=utf-8\r\n";
const FROM_PROBE: &str = "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nServer: bfe\r\nDate: now\r\n";
const EMPTY_200: &str =
    "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\nContent-Type: text/plain; charset=utf-8\r\n";
const REDIRECT: &str = "HTTP/1.1 302 Found\r\nLocation: /new\r\nServer: bfe\r\nDate: now\r\nContent-Length: 27\r\nContent-Type: text/html; charset=utf-8\r\n";
const REDIRECT_BODY: &str = "<a href=\"/new\">Found</a>.\n\n";
/// Where the cluster is known, its flush policy sends the head of an empty body before its length is known.
const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\nServer: bfe\r\nDate: now\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n";

/// The chains that have run when a request point is through.
fn until(point: &str) -> &'static str {
    match point {
        "HandleBeforeLocation" => "B",
        "HandleFoundProduct" => "BP",
        _ => "BPL",
    }
}

fn check(bfe: &Bfe, backend: &Backend, cell: &Cell, letters: &str) {
    let name = format!("{}:{}", cell.point, cell.word);
    let before = backend.count();
    let mut client = bfe.client();
    let request = format!("GET /dir/page HTTP/1.1\r\nHost: ok\r\nX-Probe: {name}\r\n\r\n");
    if let Some(head) = cell.head {
        let answer = client.ask(&request);
        assert_eq!(answer.head, format!("{head}\r\n"), "{name}");
        assert_eq!(answer.text(), cell.body, "{name}");
    } else {
        client.send(&request);
    }
    assert_eq!(backend.count() - before, cell.forwarded, "{name}: requests at the backend");
    let mut expected = format!("A{letters}");
    if cell.keep {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200, "{name}: next request");
        expected.push_str("BPLFRQ");
    } else {
        client.expect_close();
    }
    expected.push('E');
    let port = client.port();
    drop(client);
    let trace = Trace::of(bfe, port);
    assert_eq!(trace.letters(), expected, "{name}");
    assert_eq!(trace.seen("HandleRequestFinish", 0), cell.finish, "{name}");
}

#[test]
fn life_8_to_14_request_points() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    let cell = |word, head, body, keep, letters, finish, forwarded| Cell {
        point: "",
        word,
        head,
        body,
        keep,
        letters,
        finish,
        forwarded,
    };
    let cells = [
        // LIFE-8: the handler's response, no ReadResponse, closed without a word.
        cell("finish", Some(FROM_PROBE), "probe", false, "!Q", "response=418 bfe=500 error=-", 0),
        // LIFE-9
        cell("finish-bare", Some(EMPTY_200), "", false, "!Q", "response=none bfe=500 error=-", 0),
        // LIFE-10
        cell("redirect", Some(REDIRECT), REDIRECT_BODY, true, "!Q", "response=none bfe=302 error=-", 0),
        // LIFE-11
        cell("response", Some(FROM_PROBE), "probe", true, "!RQ", "response=418 bfe=0 error=-", 0),
        // LIFE-13
        cell("close", None, "", false, "!Q", "response=none bfe=0 error=-", 0),
    ];
    for point in POINTS {
        for cell in &cells {
            let letters = format!("{}{}", until(point), cell.letters);
            // Once the cluster is known, a response goes out as its flush policy says; these have a length.
            check(&bfe, &backend, &Cell { point, ..*cell }, &letters);
        }
        // LIFE-14: a response beside GoOn is nothing.
        let left = cell("leave", Some(PROXIED), "hello", true, "", "response=200 bfe=0 error=-", 1);
        check(&bfe, &backend, &Cell { point, ..left }, "BPLFRQ");
    }
}

#[test]
fn life_15_forward() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    let cell = |word, head, body, keep, letters, finish, forwarded| Cell {
        point: "HandleForward",
        word,
        head: Some(head),
        body,
        keep,
        letters,
        finish,
        forwarded,
    };
    for cell in [
        cell("finish", FAILED, "", false, "BPLF!RQ", "response=500 bfe=500 error=-", 0),
        cell("go-on", PROXIED, "hello", true, "BPLFRQ", "response=200 bfe=0 error=-", 1),
        cell("redirect", PROXIED, "hello", true, "BPLF!RQ", "response=200 bfe=0 error=-", 1),
        cell("response", PROXIED, "hello", true, "BPLF!RQ", "response=200 bfe=0 error=-", 1),
        cell("close", PROXIED, "hello", true, "BPLF!RQ", "response=200 bfe=0 error=-", 1),
    ] {
        check(&bfe, &backend, &cell, cell.letters);
    }
}

#[test]
fn life_16_read_response() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    let cell = |word, head, body, keep, finish| Cell {
        point: "HandleReadResponse",
        word,
        head: Some(head),
        body,
        keep,
        letters: "BPLFR!Q",
        finish,
        forwarded: 1,
    };
    for cell in [
        cell("finish", PROXIED, "hello", false, "response=200 bfe=500 error=-"),
        // The backend's response is dropped, but stays to be seen.
        cell("redirect", REDIRECT, REDIRECT_BODY, true, "response=200 bfe=302 error=-"),
        cell("response", PROXIED, "hello", true, "response=200 bfe=0 error=-"),
        cell("close", PROXIED, "hello", true, "response=200 bfe=0 error=-"),
    ] {
        check(&bfe, &backend, &cell, cell.letters);
    }
}

#[test]
fn life_17_request_finish() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    for (word, keep) in [("finish", false), ("redirect", true), ("response", true), ("close", true)] {
        let cell = Cell {
            point: "HandleRequestFinish",
            word,
            head: Some(PROXIED),
            body: "hello",
            keep,
            letters: "BPLFRQ!",
            finish: "response=200 bfe=0 error=-",
            forwarded: 1,
        };
        check(&bfe, &backend, &cell, cell.letters);
    }
}

#[test]
fn life_7_accept_and_finish_of_connections() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    for (last, closed) in [(1, false), (11, false), (12, false), (13, false), (14, true)] {
        let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, last), bfe.http_addr());
        let port = client.port();
        if closed {
            client.expect_close();
        } else {
            assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").text(), "hello");
        }
        drop(client);
        let expected = match last {
            1 => "ABPLFRQE",
            14 => "A!E!",
            // The rest of both chains is not called, and that is all.
            _ => "A!BPLFRQE!",
        };
        assert_eq!(Trace::of(&bfe, port).letters(), expected, "127.0.0.{last}");
    }
    assert_eq!(backend.count(), 4);
}

#[test]
fn life_6_a_response_that_was_left_is_seen_by_the_next_point_only() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    let mut client = bfe.client();
    let ask = |client: &mut Client, probe: &str| {
        client.ask(format!("GET / HTTP/1.1\r\nHost: ok\r\nX-Probe: {probe}\r\n\r\n"))
    };
    assert_eq!(ask(&mut client, "HandleBeforeLocation:leave").status, 200);
    assert_eq!(ask(&mut client, "HandleFoundProduct:leave").status, 200);
    let port = client.port();
    drop(client);
    let trace = Trace::of(&bfe, port);
    for (point, n, response) in [
        ("HandleFoundProduct", 0, "418"),
        ("HandleAfterLocation", 0, "none"),
        ("HandleForward", 0, "none"),
        ("HandleFoundProduct", 1, "none"),
        ("HandleAfterLocation", 1, "418"),
        ("HandleForward", 1, "none"),
    ] {
        let seen = trace.seen(point, n);
        assert!(seen.starts_with(&format!("response={response} ")), "{point} {n}: {seen}");
    }
}

#[test]
fn life_81_redirects() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    let mut client = bfe.client();
    let mut location = |method: &str, url: &str, code: u16| {
        let answer = client.ask(format!(
            "{method} /dir/sub/page HTTP/1.1\r\nHost: ok\r\nX-Probe: HandleFoundProduct:redirect\r\nX-Redirect: {url}\r\nX-Redirect-Code: {code}\r\n\r\n"
        ));
        assert_eq!(answer.status, code);
        (answer.header("Location").unwrap_or_default().to_owned(), answer.text().to_owned())
    };
    for (url, expected) in [
        ("//host/p", "/host/p"),
        ("/a/../b/?q=//", "/b/?q=//"),
        ("rel", "/dir/sub/rel"),
        ("../up/", "/dir/up/"),
        ("?q=1", "/dir/sub/?q=1"),
        ("/a//b", "/a/b"),
        ("http://h/a/../b", "http://h/a/../b"),
        ("%zz", "%zz"),
    ] {
        assert_eq!(location("POST", url, 302), (expected.to_owned(), String::new()), "{url}");
    }
    let (_, body) = location("GET", "/new?a=1&b=<x>\"'", 302);
    assert_eq!(body, "<a href=\"/new?a=1&amp;b=&lt;x&gt;&#34;&#39;\">Found</a>.\n\n");
    let (_, body) = location("GET", "/n", 308);
    assert_eq!(body, "<a href=\"/n\"></a>.\n\n");
    assert_eq!(backend.count(), 0);
}
