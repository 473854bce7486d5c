//! All at once: afterwards nothing is left of it.

use super::{GET, get, unharmed};
use bfe_tests::{Backend, Bfe, Client, Cluster, Reply, TellsOver, Tree, wait_until};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long it goes on.
const TIME: Duration = Duration::from_secs(3);
/// Time between two misdeeds of the same kind. They are to be many kinds at once, not a flood: a test must not
/// take the machine from those that run beside it.
const PAUSE: Duration = Duration::from_millis(10);

fn backend() -> Backend {
    let large = Reply::ok("x".repeat(4 << 20));
    Backend::start(move |req| match req.line().split(' ').nth(1).unwrap() {
        "/stall" => Reply::new().stall(),
        "/cut" => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart").close(),
        "/reset" => Reply::new().reset(),
        "/large" => large.clone(),
        _ => Reply::ok("x"),
    })
}

/// One misdeed of a client, or of a backend on its behalf.
fn misdeed(number: usize, addr: SocketAddr) {
    let mut client = Client::connect(addr);
    match number % 8 {
        0 => {
            let _ = client.try_send(get("/stall"));
            let _ = client.try_response("GET");
        }
        1 => {
            let _ = client.try_send(get("/cut"));
            client.read_to_end();
        }
        2 => {
            let _ = client.try_send(get("/reset"));
            let _ = client.try_response("GET");
        }
        3 => {
            let _ = client.try_send(get("/large"));
            client.read_until(b"xxxx");
            client.reset();
        }
        4 => {
            let _ = client.try_send("POST / HTTP/1.1\r\nHost: ok\r\nContent-Length: 1000\r\n\r\npart");
            client.reset();
        }
        5 => {
            let _ = client.try_send(get("/stall"));
            client.reset();
        }
        6 => {
            let _ = client.try_send("POST / HTTP/1.1\r\nHost: ok\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n");
            client.read_to_end();
        }
        _ => {
            let _ = client.try_send(&get("/")[..20]);
            client.half_close();
            client.read_to_end();
        }
    }
}

#[test]
fn gauges_connections_and_descriptors_are_given_back() {
    let (one, two) = (backend(), backend());
    // Of backends with as many requests under way, this mode takes turns; of others it takes the less busy
    // one. So a second backend, which comes when all is over, shows what the first still counts as busy.
    let tree = |backends: &[&Backend]| {
        Tree::proxy(&one).cluster(Cluster::new("c").sub("c.s", 100, backends).conf(json!({
            "GslbBasic": {"BalanceMode": "WLC", "RetryMax": 0},
            "BackendConf": {"TimeoutResponseHeader": 200, "MaxIdleConnsPerHost": 0},
            "ClusterBasic": {"TimeoutWriteClient": 2000}
        })))
    };
    let bfe = Bfe::start(&tree(&[&one]));
    let fds = bfe.resting_fds();
    let mut good = bfe.client();
    unharmed(&bfe, &mut good);
    let before = bfe.rss();
    let (addr, over) = (bfe.http_addr(), AtomicBool::new(false));
    thread::scope(|scope| {
        for number in 0..8 {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    misdeed(number, addr);
                    thread::sleep(PAUSE);
                }
            });
        }
        let _over = TellsOver(&over);
        let begin = Instant::now();
        while begin.elapsed() < TIME {
            unharmed(&bfe, &mut good);
        }
    });
    bfe.wait_counter("CLIENT_REQ_ACTIVE", 0);
    bfe.rewrite(&tree(&[&one, &two]));
    assert_eq!(bfe.reload("gslb_data_conf"), None);
    let one_before = one.count();
    for _ in 0..20 {
        assert_eq!(good.ask(GET).status, 200);
    }
    let spread = (one.count() - one_before, two.count());
    assert_eq!(spread, (10, 10), "the first backend counts as busy");
    drop(good);
    bfe.wait_idle();
    wait_until("connections to backends are closed", || one.open_connections() + two.open_connections() == 0);
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
    let grown = bfe.rss().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    assert_eq!(bfe.counter("PANIC_CLIENT_CONN_SERVE"), 0);
}
