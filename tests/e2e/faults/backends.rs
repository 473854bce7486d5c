//! Backends that stall, cut, reset, dribble.

use super::{GET, unharmed};
use bfe_tests::{Backend, Bfe, Reply, Step, Tree, wait_until};
use serde_json::json;
use std::time::Duration;

fn faulty() -> Backend {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    Backend::start(move |req| match req.line().split(' ').nth(1).unwrap() {
        "/stall" => Reply::new().stall(),
        "/stall-head" => Reply::bytes("HTTP/1.1 200 OK\r\nConte").stall(),
        "/stall-body" => Reply::bytes(head).send("part").stall(),
        "/stall-chunks" => Reply::bytes(chunked).stall(),
        "/cut" => Reply::bytes(head).send("part").close(),
        "/cut-chunks" => Reply::bytes(chunked).close(),
        "/reset" => Reply::new().reset(),
        "/reset-body" => Reply::bytes(head).send("part").then(Step::Pause(Duration::from_millis(50))).reset(),
        "/dribble" => {
            let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec();
            Reply::new().then(Step::Dribble(whole, 1, Duration::from_millis(2)))
        }
        _ => Reply::ok("x"),
    })
}

#[test]
fn life_89_61_one_backend_with_every_fault() {
    let backend = faulty();
    let tree = Tree::proxy(&backend).cluster_conf(
        "c",
        json!({
            "BackendConf": {"TimeoutResponseHeader": 800, "MaxIdleConnsPerHost": 0},
            "ClusterBasic": {"TimeoutWriteClient": 1200}
        }),
    );
    let bfe = Bfe::start(&tree);
    let fds = bfe.resting_fds();
    let mut good = bfe.client();
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n";
    let chunks = "HTTP/1.1 200 OK\r\n";
    for (path, status, starts, text, complete, keep) in [
        ("/stall", 500, "HTTP/1.1 500", "", true, true),
        ("/stall-head", 500, "HTTP/1.1 500", "", true, true),
        ("/reset", 500, "HTTP/1.1 500", "", true, true),
        // Where a body has begun, the client gets what there is, and then the end of the connection. A
        // chunked body ends in due form (lifecycle 10.3).
        ("/stall-body", 200, body, "part", false, false),
        ("/stall-chunks", 200, chunks, "hello", true, false),
        ("/cut", 200, body, "part", false, false),
        ("/cut-chunks", 200, chunks, "hello", true, false),
        ("/reset-body", 200, body, "part", false, false),
        ("/dribble", 200, chunks, "hello", true, true),
    ] {
        let mut client = bfe.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: ok\r\n\r\n"));
        unharmed(&bfe, &mut good);
        let answer = client.try_response("GET").unwrap_or_else(|part| part);
        assert_eq!((answer.status, answer.text()), (status, text), "{path}");
        assert!(answer.head.starts_with(starts), "{path}: {answer:?}");
        assert_eq!(answer.complete, complete, "{path}: {answer:?}");
        if keep {
            assert_eq!(client.ask(GET).status, 200, "{path}");
        } else {
            client.expect_close();
        }
    }
    drop(good);
    bfe.wait_idle();
    wait_until("no connection to the backend is left", || backend.open_connections() == 0);
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
}

#[test]
fn life_56_57_retries_reach_a_backend_that_works() {
    // Which of the two is asked first is left to the balancing; no request may fail.
    for (level, retry, dead) in
        [(0, "refuses", Backend::refusing()), (1, "closes", Backend::always(Reply::new().close()))]
    {
        let good = Backend::ok("x");
        let tree = Tree::proxy(&good)
            .cluster(bfe_tests::Cluster::new("c").sub("c.s", 100, &[&dead, &good]))
            .cluster_conf("c", json!({"BackendConf": {"RetryLevel": level}, "GslbBasic": {"RetryMax": 2}}));
        let bfe = Bfe::start(&tree);
        let mut client = bfe.client();
        for _ in 0..20 {
            assert_eq!(client.ask(GET).status, 200, "{retry}");
        }
        assert_eq!(good.count(), 20);
        assert!(bfe.counter("CLIENT_REQ_WITH_RETRY") > 0, "{retry}");
        assert_eq!(bfe.counter("CLIENT_REQ_FAIL"), 0, "{retry}");
    }
}

#[test]
fn q36_a_connection_that_the_backend_closed_is_not_used_again() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let mut client = bfe.client();
    for _ in 0..20 {
        assert_eq!(client.ask("POST / HTTP/1.1\r\nHost: ok\r\nContent-Length: 1\r\n\r\nx").status, 200);
        backend.close_connections();
        wait_until("closed", || backend.open_connections() == 0);
    }
    assert_eq!(backend.raw().len(), 20);
}
