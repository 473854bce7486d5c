//! RequestFinish and Finish run exactly once, whatever happens.

use super::Trace;
use bfe_tests::{Backend, Bfe, Client, Reply, Tree};
use serde_json::json;

/// Serves one connection that `client` makes something of; says what the handlers saw.
fn trace(bfe: &Bfe, talk: impl FnOnce(Client) -> Option<Client>) -> Trace {
    let client = bfe.client();
    let port = client.port();
    let left = talk(client);
    let trace = Trace::of(bfe, port);
    drop(left);
    trace
}

#[track_caller]
fn expect(trace: &Trace, letters: &str, finish: Option<&str>) {
    assert_eq!(trace.letters(), letters, "{:#?}", trace.0);
    if let Some(finish) = finish {
        assert_eq!(trace.seen("HandleRequestFinish", 0), finish);
    }
}

fn get(probe: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: ok\r\nX-Probe: {probe}\r\n\r\n")
}

#[test]
fn life_18_connections_without_a_request() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend).set("ClientReadTimeout", 1));
    for (id, bytes, error) in [
        ("closed at once", &b""[..], "CLIENT_CLOSE"),
        ("parse error", b"nonsense\r\n\r\n", "CLIENT_BAD_REQUEST"),
        ("cut head", b"GET / HT", "CLIENT_BAD_REQUEST"),
        (
            "LIFE-42 nothing to continue with",
            b"POST / HTTP/1.1\r\nHost: ok\r\nExpect: 100-continue\r\n\r\n",
            "CLIENT_ZERO_CONTENTLEN",
        ),
        (
            "LIFE-42 another expectation",
            b"POST / HTTP/1.1\r\nHost: ok\r\nExpect: foo\r\n\r\n",
            "CLIENT_EXPECT_FAIL",
        ),
    ] {
        let trace = trace(&bfe, |mut client| {
            client.send(bytes);
            client.half_close();
            client.read_to_end();
            None
        });
        // LIFE-45: none of these is a request.
        expect(&trace, "AE", None);
        assert_eq!(trace.seen("HandleFinish", 0), format!("requests=0 active=0 error={error}"), "{id}");
    }
    // LIFE-82: a client that says nothing is closed in silence.
    let trace = trace(&bfe, |mut client| {
        client.expect_close();
        None
    });
    assert_eq!(trace.seen("HandleFinish", 0), "requests=0 active=0 error=CLIENT_TIMEOUT");
    assert_eq!(bfe.counter("CLIENT_REQ_SERVED"), 0);
}

#[test]
fn a_second_request_that_cannot_be_read() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    let trace = trace(&bfe, |mut client| {
        client.send([get("").as_bytes(), b"\r\nGET / HTTP/1.1\r\nHost: ok\r\n\r\n"].concat());
        assert_eq!(client.read_response("GET").status, 200);
        assert_eq!(client.read_to_end(), b"HTTP/1.1 400 Bad Request\r\n\r\n", "Q15");
        None
    });
    expect(&trace, "ABPLFRQE", Some("response=200 bfe=0 error=-"));
}

#[test]
fn no_product_no_cluster() {
    let backend = Backend::ok("x");
    let tree = Tree::proxy(&backend).host("q", "norule").route("q", "req_path_in(\"/x\", false)", "c");
    let bfe = Bfe::start_probe(&tree);
    for (host, letters, error) in
        [("nope", "ABRQE", "BK_FIND_PRODUCT"), ("norule", "ABPRQE", "BK_FIND_LOCATION")]
    {
        let trace = trace(&bfe, |mut client| {
            assert_eq!(client.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).status, 500);
            client.expect_close();
            None
        });
        expect(&trace, letters, Some(&format!("response=500 bfe=500 error={error}")));
    }
}

#[test]
fn life_19_forward_runs_for_each_attempt() {
    let refusing = Backend::refusing();
    let bfe = Bfe::start_probe(&Tree::proxy(&refusing));
    let trace = trace(&bfe, |mut client| {
        assert_eq!(client.ask(get("")).status, 500);
        None
    });
    expect(&trace, "ABPLFFFRQE", Some("response=500 bfe=500 error=BK_CONNECT_BACKEND"));
}

#[test]
fn backends_that_fail() {
    let backend = Backend::start(|req| match req.header("X-Do").unwrap_or_default() {
        "stall" => Reply::new().stall(),
        "close" => Reply::new().close(),
        "reset" => Reply::new().reset(),
        "garbage" => Reply::bytes("garbage\r\n\r\n").close(),
        "cut" => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close(),
        "cut chunk" => {
            Reply::bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").close()
        }
        other => panic!("{other}"),
    });
    let tree =
        Tree::proxy(&backend).cluster_conf("c", json!({"BackendConf": {"TimeoutResponseHeader": 200}}));
    let bfe = Bfe::start_probe(&tree);
    for (what, status, keep, error) in [
        ("stall", 500, true, "BK_RESP_HEADER_TIMEOUT"),
        ("close", 500, true, "BK_READ_RESP_HEADER"),
        ("reset", 500, true, "BK_READ_RESP_HEADER"),
        ("garbage", 500, true, "BK_READ_RESP_HEADER"),
        ("cut", 200, false, "CLIENT_WRITE"),
        ("cut chunk", 200, false, "CLIENT_WRITE"),
    ] {
        let trace = trace(&bfe, |mut client| {
            client.send(format!("GET / HTTP/1.1\r\nHost: ok\r\nX-Do: {what}\r\n\r\n"));
            let answer = client.try_response("GET").unwrap_or_else(|part| part);
            assert_eq!(answer.status, status, "{what}");
            if !keep {
                client.expect_close();
            }
            None
        });
        let bfe_status = if status == 500 { 500 } else { 0 };
        let finish = format!("response={status} bfe={bfe_status} error={error}");
        expect(&trace, "ABPLFRQE", Some(&finish));
    }
    bfe.wait_idle();
}

#[test]
fn clients_that_go() {
    let large = "x".repeat(32 << 20);
    let backend = Backend::start(move |req| match req.line() {
        "GET /large HTTP/1.1" => Reply::ok(&large),
        "GET /hold HTTP/1.1" => Reply::new()
            .hold()
            .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{large}", large.len())),
        _ => Reply::ok("x"),
    });
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    // In the middle of an upload.
    let upload = trace(&bfe, |mut client| {
        client.send("POST / HTTP/1.1\r\nHost: ok\r\nContent-Length: 100\r\n\r\npart");
        client.reset();
        None
    });
    assert_eq!(upload.letters().matches('Q').count(), 1, "{:#?}", upload.0);
    assert!(upload.letters().ends_with("QE"));
    // In the middle of a download.
    let download = trace(&bfe, |mut client| {
        client.send("GET /large HTTP/1.1\r\nHost: ok\r\n\r\n");
        client.read_until(b"xxxx");
        client.reset();
        None
    });
    expect(&download, "ABPLFRQE", Some("response=200 bfe=0 error=CLIENT_WRITE"));
    // While the backend thinks.
    let thinking = trace(&bfe, |mut client| {
        client.send("GET /hold HTTP/1.1\r\nHost: ok\r\n\r\n");
        backend.wait_held(1);
        client.reset();
        backend.release();
        None
    });
    expect(&thinking, "ABPLFRQE", Some("response=200 bfe=0 error=CLIENT_WRITE"));
    bfe.wait_idle();
}

#[test]
fn many_requests_on_one_connection() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start_probe(&Tree::proxy(&backend));
    let trace = trace(&bfe, |mut client| {
        for _ in 0..50 {
            assert_eq!(client.ask(get("")).status, 200);
        }
        None
    });
    expect(&trace, &format!("A{}E", "BPLFRQ".repeat(50)), None);
    assert_eq!(trace.seen("HandleFinish", 0), "requests=50 active=0 error=CLIENT_CLOSE");
}
