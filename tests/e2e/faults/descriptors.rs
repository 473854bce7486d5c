//! A process that has few descriptors, or none left.

use super::GET;
use bfe_tests::{Backend, Bfe, Client, Launch, Tree, wait_until};
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;

fn tree(backend: &Backend) -> Tree {
    Tree::proxy(backend).cluster_conf("c", json!({"BackendConf": {"MaxIdleConnsPerHost": 0}}))
}

/// Connections to the port, whoever accepts them.
fn crowd(bfe: &Bfe, n: usize) -> Vec<Client> {
    (0..n).map(|_| Client::try_connect(Ipv4Addr::LOCALHOST, bfe.http_addr()).unwrap()).collect()
}

/// Waits until a new client is served.
fn wait_served(bfe: &Bfe) {
    wait_until("it serves again", || {
        let mut client = bfe.client();
        client.set_patience(Duration::from_secs(2));
        client.try_send(GET).is_ok() && client.try_response("GET").is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn clients_never_get_all_descriptors() {
    let backend = Backend::ok("x");
    let tree = tree(&backend);
    // A third of these is for clients, half of that for those of each worker.
    let bfe = Launch::new(&tree).max_fds(96).start();
    let fds = bfe.resting_fds();
    let mut good = bfe.client();
    assert_eq!(good.ask(GET).status, 200);
    let crowd = crowd(&bfe, 200);
    // As many as fit are served; the rest waits to be accepted.
    bfe.wait_counter("CLIENT_CONN_ACTIVE", 32);
    for _ in 0..10 {
        assert_eq!(good.ask(GET).status, 200, "a backend can always be reached");
    }
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["CLIENT_CONN_ACTIVE"], counters["ERR_CLIENT_CONN_ACCEPT"]), (32, 0));
    drop(crowd);
    wait_served(&bfe);
    assert_eq!(good.ask(GET).status, 200);
    drop(good);
    bfe.wait_idle();
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
}

#[test]
fn no_descriptors_left_and_recovery() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&tree(&backend));
    let fds = bfe.resting_fds();
    let mut good = bfe.client();
    assert_eq!(good.ask(GET).status, 200);
    // Fewer than it has counted on.
    bfe.limit_fds(fds + 10);
    let crowd = crowd(&bfe, 100);
    wait_until("the process complains", || bfe.warnings().contains("accept: "));
    // A connection that is there is answered, though no backend can be reached without a descriptor.
    let answer = good.ask(GET);
    assert!(matches!(answer.status, 200 | 500), "{answer:?}");
    drop(crowd);
    wait_served(&bfe);
    assert_eq!(good.ask(GET).status, 200);
    assert!(bfe.counter("ERR_CLIENT_CONN_ACCEPT") > 0);
    // Out of descriptors the log must not be flooded.
    assert!(bfe.warnings().lines().count() < 500, "{}", bfe.warnings().lines().count());
    drop(good);
    bfe.wait_idle();
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
}
