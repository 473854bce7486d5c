//! Large bodies between plain connections, which the kernel moves: no byte is lost, changed or kept.

use super::{deaf_clients, get, large_or_small, unharmed};
use bfe_tests::{Backend, Bfe, Client, Launch, Reply, Tree, wait_until};
use serde_json::json;

const MB: usize = 1 << 20;

/// A body in which no piece of it looks like another.
fn body(len: usize) -> Vec<u8> {
    (0..len as u32 / 4 + 1).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(len).collect()
}

/// A tree with one worker, so that all share what there is of it.
fn tree(backend: &Backend) -> Tree {
    Tree::proxy(backend).set("MaxCpus", 1)
}

#[test]
fn life_85_large_bodies_pass_whole_whatever_the_pace_of_the_flushes() {
    let backend = Backend::start(|req| {
        let len = req.line().split(['/', ' ']).nth(2).and_then(|len| len.parse().ok()).unwrap_or(1);
        Reply::ok(body(len))
    });
    for interval in [-1, 0, 20] {
        let bfe = Bfe::start(
            &tree(&backend).cluster_conf("c", json!({"ClusterBasic": {"ResFlushInterval": interval}})),
        );
        let mut client = bfe.client();
        // Around where bodies begin to be moved, and of several fillings of a pipe.
        for len in [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 80 * 1024, MB, 5 * MB + 3, 1] {
            let answer = client.ask(get(&format!("/{len}")));
            assert_eq!(answer.status, 200);
            assert!(answer.body == body(len), "{len} bytes, flushed {interval}");
        }
        assert_eq!(backend.open_connections(), 1, "the connection was not used again");
        assert!(client.ask("HEAD /1000000 HTTP/1.1\r\nHost: ok\r\n\r\n").body.is_empty());
        drop(client);
        drop(bfe);
        wait_until("the backend is let go", || backend.open_connections() == 0);
    }
}

#[test]
fn life_85_more_deaf_clients_than_pipes() {
    let whole = body(8 * MB);
    let backend = large_or_small(&whole);
    let conf = json!({"BackendConf": {"MaxIdleConnsPerHost": 0}});
    let bfe = Bfe::start(&tree(&backend).cluster_conf("c", conf));
    let fds = bfe.resting_fds();
    let deaf = deaf_clients(&bfe, 70);
    wait_until("all pipes are taken", || bfe.pipes() == 64);
    let mut good = bfe.client();
    unharmed(&bfe, &mut good);
    // For this one there is none.
    assert!(good.ask(get("/large")).body == whole);
    unharmed(&bfe, &mut good);
    assert_eq!(bfe.pipes(), 64);
    drop((deaf, good));
    bfe.wait_idle();
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1 && bfe.pipes() < 64);
}

#[test]
fn descriptors_that_are_held_back_are_not_for_pipes() {
    let backend = large_or_small(body(8 * MB));
    let bfe = Launch::new(&tree(&backend)).max_fds(512).start();
    let deaf = deaf_clients(&bfe, 30);
    // One to 32 of 448 clients.
    wait_until("all pipes are taken", || bfe.pipes() == 14);
    unharmed(&bfe, &mut bfe.client());
    assert_eq!(bfe.pipes(), 14);
    drop(deaf);
    bfe.wait_idle();
}

#[test]
fn life_85_large_bodies_that_are_cut_end_so_for_the_client() {
    let part = body(2 * MB);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n";
    let cut = [head.as_bytes(), &part].concat();
    let reply = |path: &str, cut: &[u8]| match path {
        "GET /close HTTP/1.1" => Reply::bytes(cut).close(),
        "GET /stall HTTP/1.1" => Reply::bytes(cut).stall(),
        _ => Reply::ok("x"),
    };
    let backend = Backend::start(move |req| reply(req.line(), &cut));
    let bfe = Bfe::start(&tree(&backend).cluster_conf(
        "c",
        json!({
            "ClusterBasic": {"TimeoutWriteClient": 1500},
            "BackendConf": {"MaxIdleConnsPerHost": 0}
        }),
    ));
    let fds = bfe.resting_fds();
    for path in ["/close", "/stall"] {
        let mut client = bfe.client();
        client.send(get(path));
        let cut = client.try_response("GET").unwrap_err();
        assert_eq!(cut.status, 200);
        assert!(cut.body == part, "{path}: {} bytes", cut.body.len());
        client.expect_close();
    }
    // One that leaves while its answer is under way, and one that breaks the connection.
    for leave in [drop, Client::reset] {
        let mut client = bfe.client();
        client.send(get("/stall"));
        client.read_until(&part[MB..MB + 64]);
        leave(client);
    }
    unharmed(&bfe, &mut bfe.client());
    bfe.wait_idle();
    wait_until("the backend is let go", || backend.open_connections() == 0);
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
    assert_eq!(bfe.counter("ERR_CLIENT_WRITE"), 4);
}
