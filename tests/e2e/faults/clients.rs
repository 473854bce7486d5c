//! Clients that are slow, deaf, impatient, or gone.

use super::{GET, deaf_clients, large_or_small, unharmed};
use bfe_tests::{Backend, Bfe, Client, Launch, Reply, Tree, allow_fds, wait_until};
use serde_json::json;
use std::thread;

const MB: u64 = 1 << 20;

#[test]
fn life_82_slow_senders_of_heads() {
    const SLOW: usize = 2000;
    allow_fds(8192);
    let backend = Backend::ok("x");
    let tree = Tree::proxy(&backend).set("ClientReadTimeout", 6);
    let bfe = Launch::new(&tree).max_fds(8192).start();
    let mut good = bfe.client();
    assert_eq!(good.ask(GET).status, 200);
    let before = bfe.rss();
    let mut slow: Vec<_> = (0..SLOW).map(|_| bfe.client()).collect();
    for piece in ["GET / HT", "TP/1.1\r\nHo", "st: ok\r\nX: ", "a"] {
        for client in &mut slow {
            client.send(piece);
        }
        unharmed(&bfe, &mut good);
    }
    assert!(bfe.counter("CLIENT_CONN_ACTIVE") > i64::try_from(SLOW).unwrap());
    let each = bfe.rss().saturating_sub(before) / SLOW as u64;
    // A read buffer of 8 KiB, and what a build without optimisation needs besides.
    assert!(each < 32 * 1024, "{each} bytes for each slow client");
    // The first head has to come in time, however busy the client looks.
    for client in &mut slow {
        client.expect_close();
    }
    unharmed(&bfe, &mut good);
    assert_eq!(bfe.counter("ERR_CLIENT_TIMEOUT"), i64::try_from(SLOW).unwrap());
    drop((slow, good));
    bfe.wait_idle();
    assert_eq!(backend.count(), 1 + 5 * 2);
}

#[test]
fn life_85_clients_that_never_read() {
    const DEAF: usize = 40;
    let backend = large_or_small("x".repeat(16 << 20));
    let tree = Tree::proxy(&backend).cluster_conf(
        "c",
        json!({"ClusterBasic": {"TimeoutWriteClient": 1500}, "BackendConf": {"MaxIdleConnsPerHost": 0}}),
    );
    let bfe = Bfe::start(&tree);
    let fds = bfe.resting_fds();
    let mut good = bfe.client();
    unharmed(&bfe, &mut good);
    let before = bfe.rss();
    let deaf = deaf_clients(&bfe, DEAF);
    wait_until("all are being answered", || backend.count() >= DEAF + 2);
    unharmed(&bfe, &mut good);
    let grown = bfe.rss().saturating_sub(before);
    assert!(grown < DEAF as u64 * MB, "{grown} bytes for {DEAF} deaf clients");
    // The write deadline ends them, though they are still there.
    bfe.wait_counter("CLIENT_REQ_ACTIVE", 0);
    wait_until("their backends are let go", || backend.open_connections() == 0);
    unharmed(&bfe, &mut good);
    assert!(bfe.counter("ERR_CLIENT_WRITE") >= i64::try_from(DEAF).unwrap());
    drop((deaf, good));
    bfe.wait_idle();
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
}

#[test]
fn connect_and_close_storms() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let fds = bfe.resting_fds();
    let mut good = bfe.client();
    unharmed(&bfe, &mut good);
    let before = bfe.rss();
    let addr = bfe.http_addr();
    let storms: Vec<_> = (0..4)
        .map(|number| {
            thread::spawn(move || {
                for i in 0..1000 {
                    let mut client = Client::connect(addr);
                    match (number + i) % 4 {
                        0 => drop(client),
                        1 => client.reset(),
                        2 => {
                            let _ = client.try_send("GET / HT");
                            client.reset();
                        }
                        _ => {
                            let _ = client.try_send("nonsense\r\n\r\n");
                        }
                    }
                }
            })
        })
        .collect();
    while storms.iter().any(|storm| !storm.is_finished()) {
        unharmed(&bfe, &mut good);
    }
    drop(good);
    bfe.wait_idle();
    backend.close_connections();
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
    let grown = bfe.rss().saturating_sub(before);
    assert!(grown < 64 * MB, "{grown} bytes after the storm");
}

#[test]
fn half_closed_clients_get_their_answers() {
    let backend = Backend::start(|req| match req.line() {
        "GET /hold HTTP/1.1" => Reply::new().hold().send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld"),
        _ => Reply::ok(&req.body),
    });
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let mut upload = bfe.client();
    upload.send("POST / HTTP/1.1\r\nHost: ok\r\nContent-Length: 5\r\n\r\nhello");
    upload.half_close();
    assert_eq!(upload.read_response("POST").text(), "hello");
    upload.expect_close();
    let mut waiting = bfe.client();
    waiting.send("GET /hold HTTP/1.1\r\nHost: ok\r\n\r\n");
    waiting.half_close();
    backend.wait_held(1);
    backend.release();
    assert_eq!(waiting.read_response("GET").text(), "held");
    waiting.expect_close();
    bfe.wait_idle();
}

#[test]
fn clients_that_go_during_an_upload() {
    let backend = Backend::echo();
    let tree = Tree::proxy(&backend).cluster_conf("c", json!({"BackendConf": {"MaxIdleConnsPerHost": 0}}));
    let bfe = Bfe::start(&tree);
    let fds = bfe.resting_fds();
    for (framing, part) in
        [("Content-Length: 1000000", "part"), ("Transfer-Encoding: chunked", "4\r\npart\r\n")]
    {
        for how in ["reset", "close", "half-close"] {
            let connections = backend.raw().len();
            let mut client = bfe.client();
            client.send(format!("POST / HTTP/1.1\r\nHost: ok\r\n{framing}\r\n\r\n{part}"));
            wait_until("the backend has got the part", || {
                backend.raw().get(connections).is_some_and(|raw| raw.ends_with(part.as_bytes()))
            });
            match how {
                "reset" => client.reset(),
                "close" => drop(client),
                _ => {
                    client.half_close();
                    let answer = client.try_response("POST").unwrap_or_else(|part| part);
                    assert_eq!(answer.status, 500, "{framing}");
                    client.expect_close();
                }
            }
            // The backend must not wait for the rest, nor take the part for the whole.
            wait_until("the backend is let go", || backend.open_connections() == 0);
        }
    }
    assert_eq!(backend.count(), 0, "no upload was whole");
    bfe.wait_idle();
    wait_until("descriptors are given back", || bfe.fds() <= fds + 1);
}
