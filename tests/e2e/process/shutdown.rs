//! SIGQUIT: what is under way ends in peace (LIFE-106, CFG-21, CFG-24).

use bfe_tests::{Backend, Bfe, Reply, Tree, wait_until};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const GET: &str = "GET / HTTP/1.1\r\nHost: ok\r\n\r\n";

/// Asks for a graceful shutdown, and waits until it has begun.
fn quit(bfe: &Bfe) {
    bfe.wait_signals_handled("QUIT");
    bfe.signal("QUIT");
    wait_until("new connections are refused", || TcpStream::connect(bfe.http_addr()).is_err());
}

#[test]
fn life_106_requests_under_way_end_in_peace() {
    let backend = Backend::start(|req| match req.line() {
        "GET /slow HTTP/1.1" => Reply::new().hold().send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow"),
        "GET /body HTTP/1.1" => {
            Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none").hold().send("two")
        }
        _ => Reply::ok("x"),
    });
    let mut bfe = Bfe::start(&Tree::proxy(&backend).set("GracefulShutdownTimeout", 30));
    let mut idle = bfe.client();
    assert_eq!(idle.ask(GET).status, 200);
    let mut slow = bfe.client();
    slow.send("GET /slow HTTP/1.1\r\nHost: ok\r\n\r\n");
    let mut body = bfe.client();
    body.send("GET /body HTTP/1.1\r\nHost: ok\r\n\r\n");
    body.read_until(b"one");
    let mut half = bfe.client();
    half.send("GET /half HTTP/1.1\r\nHo");
    let mut fresh = bfe.client();
    backend.wait_held(2);
    bfe.wait_counter("CLIENT_CONN_SERVED", 5);

    quit(&bfe);
    // A connection that has nothing to do ends at once.
    idle.expect_close();
    // The monitor port is still there.
    assert!(bfe.counter("CLIENT_CONN_SERVED") >= 5);
    // A head that was half read, and a connection that was not used yet, get their answer.
    half.send("st: ok\r\n\r\n");
    let answer = half.read_response("GET");
    assert!(answer.status == 200 && answer.says_close(), "{answer:?}");
    half.expect_close();
    let answer = fresh.ask(GET);
    assert!(answer.status == 200 && answer.says_close(), "{answer:?}");
    fresh.expect_close();
    assert!(!bfe.has_ended());

    backend.release();
    let answer = slow.read_response("GET");
    assert!(answer.text() == "slow" && answer.says_close(), "{answer:?}");
    slow.expect_close();
    // Here the head was sent before the shutdown began.
    assert_eq!(body.read_to_end(), b"two");
    assert_eq!(bfe.wait_exit(), Some(0));
    assert!(bfe.log().contains("graceful shutdown success."));
}

#[test]
fn cfg_21_24_the_limit_holds_and_term_does_not_shorten_it() {
    let backend = Backend::always(Reply::new().stall());
    let mut bfe = Bfe::start(&Tree::proxy(&backend).set("GracefulShutdownTimeout", 1));
    let mut client = bfe.client();
    client.send(GET);
    let _ = backend.wait_requests(1);
    let begin = Instant::now();
    quit(&bfe);
    bfe.signal("TERM");
    assert_eq!(bfe.wait_exit(), Some(0));
    assert!(begin.elapsed() >= Duration::from_millis(900), "SIGTERM ended the wait");
    client.expect_close();
    assert!(bfe.log().contains("graceful shutdown timeout."));
}

#[test]
fn an_idle_process_quits_at_once() {
    let backend = Backend::ok("x");
    let mut bfe = Bfe::start(&Tree::proxy(&backend).set("GracefulShutdownTimeout", 60));
    assert_eq!(bfe.ask(GET).status, 200);
    bfe.wait_idle();
    bfe.wait_signals_handled("QUIT");
    bfe.signal("QUIT");
    assert_eq!(bfe.wait_exit(), Some(0));
}
