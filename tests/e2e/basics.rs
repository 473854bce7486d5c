//! One request through the whole house, and what the harness itself has to be able to see.

use bfe_tests::{Backend, Bfe, Received, Reply, Tree, wait_until};
use serde_json::json;

#[test]
fn life_46_48_66_a_request_and_its_answer() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let mut client = bfe.client();
    let answer = client.ask("GET /a?b=%zz HTTP/1.1\r\nHost: ok\r\nx-foo-BAR: 1\r\nAccept: */*\r\n\r\n");
    assert_eq!(
        answer.head,
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    assert_eq!(answer.text(), "hello");
    assert_eq!(
        backend.requests()[0].head,
        "GET /a?b=%zz HTTP/1.1\r\nHost: ok\r\nAccept: */*\r\nX-Foo-Bar: 1\r\n\r\n"
    );
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    assert_eq!(bfe.counter("CLIENT_REQ_SERVED"), 2);
    assert_eq!(bfe.counter("CLIENT_CONN_ACTIVE"), 1);
    drop(client);
    bfe.wait_idle();
}

#[test]
fn bodies_go_both_ways() {
    let backend = Backend::echo();
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let mut client = bfe.client();
    let large = "0123456789abcdef".repeat(64 * 1024);
    let length = large.len();
    let answer =
        client.ask(format!("POST / HTTP/1.1\r\nHost: ok\r\nContent-Length: {length}\r\n\r\n{large}"));
    assert!(answer.text() == large, "Content-Length: {} of {length} bytes", answer.body.len());
    let chunks = "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
    let answer =
        client.ask(format!("POST / HTTP/1.1\r\nHost: ok\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
    assert_eq!(answer.text(), "abc0123456789");
    assert_eq!(backend.requests()[1].header("Transfer-Encoding"), Some("chunked"));
}

#[test]
fn life_44_pipelined_requests_are_answered_in_order() {
    let backend = Backend::start(|req| Reply::ok(req.line()));
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let mut client = bfe.client();
    let requests: Vec<_> = (0..20).map(|i| format!("GET /{i} HTTP/1.1\r\nHost: ok\r\n\r\n")).collect();
    client.send(requests.concat());
    for i in 0..20 {
        assert_eq!(client.read_response("GET").text(), format!("GET /{i} HTTP/1.1"));
    }
}

#[test]
fn q1_q3_internal_errors() {
    let backend = Backend::refusing();
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let mut client = bfe.client();
    let answer = client.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
    assert_eq!(
        answer.head,
        "HTTP/1.1 500 Internal Server Error\r\nServer: bfe\r\nDate: now\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let answer = client.ask("GET / HTTP/1.1\r\nHost: nope\r\n\r\n");
    assert_eq!(
        answer.head,
        "HTTP/1.1 500 Internal Server Error\r\nServer: bfe\r\nDate: now\r\nContent-Length: 0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    client.expect_close();
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["ERR_BK_CONNECT_BACKEND"], counters["ERR_BK_FIND_PRODUCT"]), (3, 1));
}

#[test]
fn the_harness_sees_descriptors_and_memory() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let before = bfe.resting_fds();
    let clients: Vec<_> = (0..20).map(|_| bfe.client()).collect();
    wait_until("descriptors of clients", || bfe.fds() >= before + 20);
    drop(clients);
    wait_until("descriptors given back", || bfe.fds() <= before + 1);
    assert!(bfe.rss() > 1 << 20);
}

#[test]
fn life_70_a_body_of_a_status_that_has_none_stays_here() {
    let backend = Backend::start(|req: &Received| {
        let code = if req.line().contains("304") { "304 Not Modified" } else { "204 No Content" };
        Reply::bytes(format!("HTTP/1.1 {code}\r\nEtag: x\r\n\r\n"))
    });
    let action = |flush| {
        let tree =
            Tree::proxy(&backend).cluster_conf("c", json!({"ClusterBasic": {"ResFlushInterval": flush}}));
        tree.module("mod_compress").file(
            "mod_compress/mod_compress.conf",
            "[basic]\nProductRulePath = mod_compress/compress_rule.data\n",
        ).file(
            "mod_compress/compress_rule.data",
            r#"{"Version":"1","Config":{"p":[{"Cond":"default_t()","Action":{"Cmd":"GZIP","Quality":6,"FlushSize":512}}]}}"#,
        )
    };
    for flush in [-1, 0] {
        let bfe = Bfe::start(&action(flush));
        let mut client = bfe.client();
        for status in [204, 304, 204] {
            let answer =
                client.ask(format!("GET /{status} HTTP/1.1\r\nHost: ok\r\nAccept-Encoding: gzip\r\n\r\n"));
            assert_eq!((answer.status, answer.header("Content-Encoding")), (status, Some("gzip")), "{flush}");
        }
        assert_eq!(bfe.counter("ERR_CLIENT_WRITE"), 0);
    }
}

#[test]
fn life_77_a_module_ends_connections_by_their_field() {
    let backend = Backend::ok("hello");
    let rules = json!({"Version": "1", "Config": {"p": [{
        "cond": "req_path_prefix_in(\"/last\", false)",
        "actions": [{"cmd": "REQ_HEADER_SET", "params": ["Connection", "close"]}], "last": true
    }, {
        "cond": "req_path_prefix_in(\"/stay\", false)",
        "actions": [{"cmd": "REQ_HEADER_DEL", "params": ["Connection"]}], "last": true
    }]}});
    let tree = Tree::proxy(&backend)
        .module("mod_header")
        .file("mod_header/mod_header.conf", "[basic]\nDataPath = mod_header/header_rule.data\n")
        .file("mod_header/header_rule.data", rules.to_string());
    let bfe = Bfe::start(&tree);
    let mut client = bfe.client();
    let answer = client.ask("GET /stay HTTP/1.1\r\nHost: ok\r\nConnection: close\r\n\r\n");
    assert_eq!((answer.status, answer.header("Connection")), (200, None));
    let answer = client.ask("GET /last HTTP/1.1\r\nHost: ok\r\n\r\n");
    assert_eq!((answer.status, answer.header("Connection")), (200, Some("close")));
    client.expect_close();
}
