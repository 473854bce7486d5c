//! Where the gateway begins and ends.

use super::{answering, cluster, gateway, one_table, post, rule};
use crate::programs::Running;
use bfe_tests::{Backend, Bfe, Reply, Tree, peer};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Instant;

fn tree(backend: &Backend, fallback: &Backend) -> Tree {
    let rules = json!([rule("r", "default_t()", "c", &[("f", "")])]);
    let tree = cluster(gateway(&["ok"], &one_table(&rules)), "c", backend, &Value::Null);
    cluster(tree, "f", fallback, &Value::Null)
}

#[test]
fn aig_1_the_module_does_nothing_where_the_gateway_is_off() {
    let (backend, fallback) = (answering(500), answering(200));
    let tree =
        tree(&backend, &fallback).set("EnableAiGateway", false).route("ai_product", "default_t()", "c");
    let bfe = Bfe::start(&tree);
    let body = r#"{"model":"m"}"#;
    assert_eq!(bfe.ask(post("ok", "ak_user_a", body)).status, 500);
    let seen = backend.wait_requests(1);
    assert_eq!((seen.header("Content-Length"), seen.body.as_slice()), (Some("13"), body.as_bytes()));
    assert_eq!(fallback.count(), 0);
    let counters = bfe.counters("mod_ai_route");
    assert_eq!((counters["REQ_TOTAL"], counters["REQ_MISS"]), (1, 0));
}

#[test]
fn aig_8_and_10_hosts_and_websockets() {
    let (backend, fallback) = (answering(200), answering(200));
    let tree = tree(&backend, &fallback).route("ai_product", "default_t()", "f");
    let bfe = Bfe::start(&tree);
    let mut client = bfe.client();
    assert_eq!(client.ask(post("ok", "ak_user_a", "{}")).status, 200);
    assert_eq!((backend.count(), fallback.count()), (1, 0), "route_rule.data does not count");
    assert_eq!(client.ask(post("nobody", "ak_user_a", "{}")).status, 500);
    client.expect_close();
    let mut client = bfe.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: ok\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert!(fallback.wait_requests(1).line().starts_with("GET / "));
    assert_eq!(backend.count(), 1);
}

#[test]
fn aif_5_and_14_bodies_of_the_largest_size_and_none() {
    let (backend, fallback) = (Backend::always(Reply::new().close()), answering(200));
    let tree = tree(&backend, &fallback)
        .set("accessibleBodySize", 1000)
        .cluster_conf("c", json!({"BackendConf": {"RetryLevel": 1}, "GslbBasic": {"RetryMax": 3}}));
    let bfe = Bfe::start(&tree);
    for (length, want) in [(999, 200), (1000, 500), (1001, 500)] {
        assert_eq!(bfe.ask(post("ok", "ak_user_a", vec![b'x'; length])).status, want, "{length}");
    }
    // A GET is not tried again at the same cluster.
    let get = "GET / HTTP/1.1\r\nHost: ok\r\nAuthorization: ak_user_a\r\n\r\n";
    assert_eq!(bfe.ask(get).status, 200);
    assert_eq!((backend.count(), fallback.count()), (4, 2));
    let seen = fallback.wait_requests(2);
    assert_eq!((seen.line(), seen.header("Transfer-Encoding")), ("GET / HTTP/1.1", Some("chunked")), "AIF-4");
}

#[test]
fn aif_12_an_event_stream_that_is_not_flushed_at_once() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let backend = Backend::always(Reply::bytes(head).hold().send("0\r\n\r\n"));
    let fallback = answering(200);
    let tree = tree(&backend, &fallback).cluster_conf("c", json!({"ClusterBasic": {"ResFlushInterval": 0}}));
    let bfe = Bfe::start(&tree);
    let mut client = bfe.client();
    let start = Instant::now();
    client
        .send("GET / HTTP/1.1\r\nHost: ok\r\nAuthorization: ak_user_a\r\nAccept: text/event-stream\r\n\r\n");
    client.read_until(b"hello\r\n");
    let waited = start.elapsed().as_millis();
    assert!((800..1800).contains(&waited), "{waited}");
    backend.release();
    client.read_until(b"0\r\n\r\n");
}

#[test]
fn a_fallback_may_speak_http2_in_the_clear() {
    let Some(nghttpd) = peer("nghttpd") else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("answer"), "from the other").unwrap();
    let (backend, mut fallback) = (answering(500), Backend::refusing());
    fallback.free_port();
    let mut command = Command::new(nghttpd);
    command.args(["--no-tls", "-d"]).arg(dir.path()).arg(fallback.port().to_string());
    let _nghttpd = Running::start(&mut command, fallback.port());
    let tree = tree(&backend, &fallback).cluster_conf("f", json!({"BackendConf": {"Protocol": "h2c"}}));
    let bfe = Bfe::start(&tree);
    let mut client = bfe.client();
    let body = "x".repeat(100_000);
    let length = body.len();
    for _ in 0..2 {
        let answer = client.ask(format!(
            "POST /answer HTTP/1.1\r\nHost: ok\r\nAuthorization: ak_user_a\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        assert_eq!((answer.status, answer.text()), (200, "from the other"));
    }
    assert_eq!(backend.count(), 2);
}

#[test]
fn a_client_that_does_not_send_its_body_is_left() {
    let (backend, fallback) = (answering(200), answering(200));
    let bfe = Bfe::start(&tree(&backend, &fallback).set("ClientReadTimeout", 1));
    let mut client = bfe.client();
    client.send("POST / HTTP/1.1\r\nHost: ok\r\nAuthorization: ak_user_a\r\nContent-Length: 10\r\n\r\n123");
    client.expect_close();
    assert_eq!((backend.count(), fallback.count()), (0, 0));
    bfe.wait_counter("CLIENT_REQ_FAIL", 1);
}
