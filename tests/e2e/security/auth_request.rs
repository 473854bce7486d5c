//! mod_auth_request.

use super::{expect_refused, write};
use bfe_tests::{Backend, Bfe, Reply, Tree};
use std::time::{Duration, Instant};

const DATA: &str = "mod_auth_request/auth_request_rule.data";
const RULES: &str =
    r#"{"Version": "v1", "Config": {"p": [{"Cond": "req_path_in(\"/a\", false)", "Enable": true}]}}"#;

fn tree(backend: &Backend, auth_port: u16) -> Tree {
    let conf = format!("[Basic]\nAuthAddress = http://127.0.0.1:{auth_port}/check?x=1\nAuthTimeout = 300\n");
    Tree::proxy(backend)
        .module("mod_auth_request")
        .file("mod_auth_request/mod_auth_request.conf", conf)
        .file(DATA, RULES)
}

fn get(verdict: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: ok\r\nX-Verdict: {verdict}\r\nContent-Length: 4\r\n\r\nbody")
}

#[test]
fn authreq_1_to_6_and_9_verdicts_and_reload() {
    let backend = Backend::ok("hello");
    let auth = Backend::start(|req| match req.header("X-Verdict") {
        Some("stall") => Reply::new().stall(),
        Some("close") => Reply::new().close(),
        verdict => Reply::bytes(format!(
            "HTTP/1.1 {} X\r\nContent-Length: 4\r\nWww-Authenticate: Basic realm=\"x\"\r\nX-More: 1\r\n\r\nauth",
            verdict.unwrap_or("500")
        )),
    });
    let bfe = Bfe::start(&tree(&backend, auth.port()));
    let mut client = bfe.client();
    let statuses =
        ["200", "204", "302", "500", "403", "401", "close"].map(|verdict| client.ask(get(verdict)).status);
    assert_eq!(statuses, [200, 200, 200, 200, 403, 401, 200]);
    let begin = Instant::now();
    assert_eq!(client.ask(get("stall")).status, 200);
    assert!((300..2000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());

    let asked = &auth.requests()[0];
    assert_eq!(
        asked.head,
        format!(
            "GET /check?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept-Encoding: gzip\r\n\
             User-Agent: Go-http-client/1.1\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /a\r\nX-Verdict: 200\r\n\r\n",
            auth.port()
        )
    );
    assert_eq!(backend.requests()[0].body, b"body");
    let answer = client.ask(get("401"));
    assert_eq!(answer.header("Www-Authenticate"), Some("Basic realm=\"x\""));
    assert_eq!((answer.header("X-More"), answer.text()), (None, ""));
    let counters = bfe.counters("mod_auth_request");
    let names = ["CHECKED", "PASS", "FORBIDDEN", "UNAUTHORIZED", "FAIL", "UNCERTAIN"];
    assert_eq!(names.map(|name| counters[&format!("AUTH_REQUEST_{name}")]), [9, 2, 1, 2, 2, 2]);
    let delay = bfe.monitor_json("/monitor/mod_auth_request.delay");
    assert_eq!(delay["KeyPrefix"], "mod_auth_request");
    // Questions are no requests to backends.
    assert_eq!(bfe.counters("http_state")["HTTP_BACKEND_REQ_ALL"], 6);

    write(&bfe, DATA, &RULES.replace("req_path_in", "nope"));
    expect_refused(&bfe, "mod_auth_request", &["auth_request_rule.data:1:", "Config.p[0].Cond", "nope"]);
    assert_eq!(client.ask(get("403")).status, 403);
    write(&bfe, DATA, &RULES.replace("true", "false").replace("v1", "v2"));
    assert_eq!(
        bfe.monitor("/reload/mod_auth_request"),
        r#"{"error":null,"version":"auth_request_rule.data=v2"}"#
    );
    assert_eq!(client.ask(get("403")).status, 200);
}

#[test]
fn a_service_that_is_not_there_lets_requests_pass() {
    let backend = Backend::ok("hello");
    let refusing = Backend::refusing();
    let bfe = Bfe::start(&tree(&backend, refusing.port()));
    let begin = Instant::now();
    for _ in 0..20 {
        assert_eq!(bfe.ask(get("403")).status, 200);
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(bfe.counters("mod_auth_request")["AUTH_REQUEST_FAIL"], 20);
}
