//! What a backend and a client get of each other.

use super::{ask, field, python, run, tree};
use crate::programs::Running;
use bfe_tests::{Backend, Bfe, Reply, python_module, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

#[test]
fn a_request_and_its_response() {
    let Some(python) = python() else { return };
    let backend = Backend::always(Reply::bytes(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\n\r\nhello",
    ));
    let bfe = Bfe::start(&tree(&backend));
    let fields = json!([["x-two", "2"], ["cookie", "a=1"], ["cookie", "b=2"], ["te", "trailers"]]);
    let answers = ask(&python, &bfe, &json!([{"path": "/a?b=c", "fields": fields}]));
    let answer = &answers[0];
    assert_eq!(
        (&answer["status"], &answer["body"], &answer["ended"]),
        (&json!(200), &json!("hello"), &json!(true))
    );
    assert_eq!(field(answer, "x-one"), Some("1"));
    assert_eq!(field(answer, "content-length"), Some("5"));
    assert_eq!(field(answer, "set-cookie"), Some("a=b"));
    assert!(field(answer, "date").is_some() && field(answer, "content-type").is_some());
    assert_eq!(field(answer, "keep-alive"), None, "what is between backend and proxy stays there");
    let seen = backend.wait_requests(1);
    assert_eq!(seen.line(), "GET /a?b=c HTTP/1.1");
    assert_eq!(seen.header("Host"), Some("ok"));
    assert_eq!(seen.header("X-Two"), Some("2"));
    assert_eq!(seen.header("Cookie"), Some("a=1; b=2"));
    assert_eq!(seen.header("X-Forwarded-Proto").unwrap_or("https"), "https");
    let counters = bfe.counters("http3_state");
    assert_eq!((counters["H3_CLIENT_CONN_SERVED"], counters["H3_CLIENT_REQ_SERVED"]), (1, 1));
}

#[test]
fn bodies_of_requests() {
    let Some(python) = python() else { return };
    let backend = Backend::echo();
    let bfe = Bfe::start(&tree(&backend));
    let size = 3_000_000;
    let answers = ask(
        &python,
        &bfe,
        &json!([
            {"method": "POST", "body": "with a length", "fields": [["content-length", "13"]]},
            {"method": "POST", "body": "without"},
            {"method": "POST", "fields": [["content-length", "0"]]},
            {"method": "PUT", "size": size},
            {"method": "GET", "body": "rare"},
        ]),
    );
    let bodies: Vec<_> = answers.iter().map(|a| (&a["status"], &a["length"])).collect();
    let lengths = [13, 7, 0, size, 4];
    let lengths: Vec<_> = lengths.iter().map(|length| json!(length)).collect();
    for (got, length) in bodies.iter().zip(&lengths) {
        assert_eq!(got, &(&json!(200), length), "{answers:?}");
    }
    assert_eq!(answers[0]["body"], "with a length");
    let requests = backend.requests();
    let of = |line: &str, length: Option<&str>, chunked: bool| {
        requests.iter().any(|r| {
            r.line().starts_with(line)
                && r.header("Content-Length") == length
                && r.header("Transfer-Encoding").is_some() == chunked
        })
    };
    assert!(of("POST", Some("13"), false) && of("POST", None, true) && of("PUT", None, true));
}

#[test]
fn bodies_of_responses() {
    let Some(python) = python() else { return };
    let large = vec![b'x'; 5_000_000];
    let backend = Backend::start(move |request| match request.line() {
        line if line.contains("/large") => Reply::ok(&large),
        line if line.contains("/chunks") => Reply::bytes(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: t\r\n\r\n",
        ),
        line if line.contains("/none") => Reply::bytes("HTTP/1.1 204 No Content\r\n\r\n"),
        line if line.contains("/cut") => {
            Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").close()
        }
        line if line.starts_with("HEAD") => Reply::bytes("HTTP/1.1 200 OK\r\nX-Head: 1\r\n\r\n").close(),
        _ => Reply::ok("ok"),
    });
    let bfe = Bfe::start(&tree(&backend));
    let paths = ["/large", "/chunks", "/none", "/cut"];
    let mut requests: Vec<_> = paths.iter().map(|path| json!({"path": path})).collect();
    requests.push(json!({"method": "HEAD", "path": "/"}));
    let answers = ask(&python, &bfe, &Value::Array(requests));
    assert_eq!((&answers[0]["length"], &answers[0]["ended"]), (&json!(5_000_000), &json!(true)));
    assert_eq!(answers[1]["body"], "abcde");
    assert_eq!((&answers[2]["status"], &answers[2]["length"]), (&json!(204), &json!(0)));
    assert_eq!(field(&answers[2], "content-type"), None);
    // What was cut must not look whole.
    assert_eq!(
        (&answers[3]["ended"], &answers[3]["reset"]),
        (&json!(false), &json!(0x102)),
        "{}",
        answers[3]
    );
    assert_eq!((&answers[4]["status"], &answers[4]["length"]), (&json!(200), &json!(0)));
    assert_eq!(field(&answers[4], "x-head"), Some("1"));
    assert_eq!(answers[4]["ended"], true);
}

#[test]
fn many_requests_at_once() {
    let Some(python) = python() else { return };
    let backend = Backend::start(|request| Reply::ok(request.line()));
    let bfe = Bfe::start(&tree(&backend));
    let batch =
        |from: usize| -> Vec<_> { (from..from + 100).map(|i| json!({"path": format!("/{i}")})).collect() };
    let out = run(&python, &bfe, json!({"batches": [batch(0), batch(100)]}));
    let answers = out["responses"].as_array().unwrap();
    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(answer["body"], format!("GET /{i} HTTP/1.1"));
    }
    bfe.wait_idle();
    let counters = bfe.counters("http3_state");
    assert_eq!((counters["H3_CLIENT_REQ_SERVED"], counters["H3_CLIENT_REQ_ACTIVE"]), (200, 0));
}

#[test]
fn expectations_and_trailers() {
    let Some(python) = python() else { return };
    let backend = Backend::echo();
    let bfe = Bfe::start(&tree(&backend));
    let answers = ask(
        &python,
        &bfe,
        &json!([
            {"method": "POST", "body": "abc", "fields": [["expect", "100-continue"]]},
            {"method": "POST", "body": "abc", "fields": [["trailer", "x-sum"]], "trailers": [["x-sum", "6"]]},
        ]),
    );
    assert_eq!((&answers[0]["interim"], &answers[0]["status"]), (&json!([100]), &json!(200)));
    assert_eq!(answers[1]["body"], "abc");
    let raw = backend.raw().concat();
    let text = String::from_utf8_lossy(&raw);
    // Those of a request end here, as they do by HTTP/2 (LIFE-41).
    assert!(text.contains("Trailer: X-Sum") && !text.contains("X-Sum: 6"), "{text}");
}

/// An event stream is passed on as it comes, and its head before it.
#[test]
fn what_comes_bit_by_bit() {
    let Some(python) = python() else { return };
    let backend = Backend::start(|request| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let reply = Reply::new().send(head);
        if request.line().contains("/head") {
            reply.stall()
        } else {
            reply.send("9\r\ndata: a\n\n\r\n").stall()
        }
    });
    let conf = json!({"ClusterBasic": {"ResFlushInterval": -1}});
    let bfe = Bfe::start(&tree(&backend).cluster_conf("c", conf));
    let requests = json!([{"path": "/head"}, {"path": "/first"}]);
    let out = run(&python, &bfe, json!({"batches": [requests], "limit": 3}));
    let answers = out["responses"].as_array().unwrap();
    assert_eq!((&answers[0]["status"], &answers[0]["ended"]), (&json!(200), &json!(false)), "{out}");
    assert_eq!((&answers[1]["body"], &answers[1]["ended"]), (&json!("data: a\n\n"), &json!(false)), "{out}");
}

/// What follows the body of a gRPC response says what came of the call.
#[test]
fn bal_93_a_grpc_call() {
    let (Some(python), Some(_)) = (python(), python_module("grpc")) else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/grpc_peer.py");
    let mut backend = Backend::refusing();
    backend.free_port();
    let port = backend.port();
    let _server =
        Running::start(Command::new(&python).arg(&script).args(["server", &port.to_string()]), port);
    let bfe = Bfe::start(&tree(&backend).cluster_conf("c", json!({"BackendConf": {"Protocol": "h2c"}})));
    let fields = [["content-type", "application/grpc"], ["te", "trailers"], ["x-mark", "m"]];
    let call = |method: &str| json!({"method": "POST", "path": format!("/t.T/{method}"), "fields": fields, "body": "\0\0\0\0\u{2}hi"});
    let answers = ask(&python, &bfe, &json!([call("Unary"), call("Fail")]));
    assert_eq!(answers[0]["body"], "\0\0\0\0\u{2}HI");
    for trailer in [["grpc-status", "0"], ["x-trailer", "after"], ["x-seen", "m"]] {
        assert!(answers[0]["trailers"].as_array().unwrap().contains(&json!(trailer)), "{}", answers[0]);
    }
    // One without a body has all of it at once.
    assert_eq!(
        (field(&answers[1], "grpc-status"), &answers[1]["trailers"]),
        (Some("5"), &json!([])),
        "{}",
        answers[1]
    );
}

/// What clients do not read stays with the backends.
#[test]
fn clients_that_never_read() {
    let Some(python) = python() else { return };
    let backend = Backend::start(|_| Reply::ok(vec![b'x'; 10_000_000]));
    let bfe = Bfe::start(&tree(&backend));
    let before = bfe.rss();
    thread::scope(|scope| {
        let plan = json!({"deaf": true, "batches": [vec![json!({}); 60]], "limit": 3});
        let client = scope.spawn(|| run(&python, &bfe, plan));
        wait_until("all requests are there", || bfe.counters("http3_state")["H3_CLIENT_REQ_ACTIVE"] == 60);
        thread::sleep(Duration::from_secs(1));
        let grown = bfe.rss().saturating_sub(before);
        assert!(grown < 50 << 20, "{grown} bytes for responses of 600 MB");
        client.join().unwrap();
    });
    bfe.wait_idle();
}

/// A client that goes away, and one that stops reading, leave nothing behind.
#[test]
fn responses_that_are_not_wanted() {
    let Some(python) = python() else { return };
    let backend = Backend::start(|_| Reply::ok(vec![b'x'; 4_000_000]));
    let bfe = Bfe::start(&tree(&backend));
    let answers = ask(&python, &bfe, &json!([{"reset": 100_000}, {"path": "/whole"}]));
    assert_eq!(answers[1]["length"], 4_000_000);
    let out = run(&python, &bfe, json!({"batches": [[{"path": "/gone"}]], "limit": 0.05}));
    assert_eq!(out["responses"][0]["ended"], false);
    bfe.wait_idle();
    assert_eq!(bfe.counters("http3_state")["H3_CLIENT_REQ_ACTIVE"], 0);
}
