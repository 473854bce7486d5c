//! A process that has no descriptors left.

use super::GET;
use bfe_tests::{Backend, Client, Launch, Tree, wait_until};
use serde_json::json;
use std::net::Ipv4Addr;

#[test]
fn too_few_descriptors_and_recovery() {
    let backend = Backend::ok("x");
    let tree = Tree::proxy(&backend).cluster_conf("c", json!({"BackendConf": {"MaxIdleConnsPerHost": 0}}));
    let bfe = Launch::new(&tree).max_fds(96).start();
    let fds = bfe.resting_fds();
    let mut good = bfe.client();
    assert_eq!(good.ask(GET).status, 200);
    // More than fit: the rest waits to be accepted.
    let crowd: Vec<_> =
        (0..200).map(|_| Client::try_connect(Ipv4Addr::LOCALHOST, bfe.http_addr()).unwrap()).collect();
    wait_until("the process complains", || bfe.warnings().contains("accept: "));
    // A connection that is there is served, though no backend can be reached without a descriptor.
    let answer = good.ask(GET);
    assert!(matches!(answer.status, 200 | 500), "{answer:?}");
    drop(crowd);
    wait_until("it serves again", || {
        let mut client = bfe.client();
        client.set_patience(std::time::Duration::from_secs(2));
        client.try_send(GET).is_ok() && client.try_response("GET").is_ok_and(|answer| answer.status == 200)
    });
    assert_eq!(good.ask(GET).status, 200);
    assert!(bfe.counter("ERR_CLIENT_CONN_ACCEPT") > 0);
    // Out of descriptors the log must not be flooded.
    assert!(bfe.warnings().lines().count() < 500, "{}", bfe.warnings().lines().count());
    drop(good);
    bfe.wait_idle();
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
}
