//! Connections that become tunnels: raw TCP inside TLS, and WebSocket over TLS.

use bfe_tests::h2::TlsClient;
use bfe_tests::{Backend, Bfe, Tree, wait_until};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// A server that answers each connection's first bytes with `greeting` and those bytes, until both are closed.
fn echo(greeting: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            thread::spawn(move || {
                let mut piece = [0; 4096];
                let mut first = true;
                while let Ok(n @ 1..) = stream.read(&mut piece) {
                    let greeting = if std::mem::take(&mut first) { greeting } else { "" };
                    let _ = stream.write_all(&[greeting.as_bytes(), &piece[..n]].concat());
                }
                let _ = stream.write_all(b"bye");
            });
        }
    });
    port
}

/// A tree whose backend is on that port.
fn tree(port: u16, protos: &str) -> Tree {
    let stands_in = Backend::refusing();
    let table = format!(
        r#"{{"Version": "1", "Config": {{"c": {{"c.s": [{{"Name": "b", "Addr": "127.0.0.1", "Port": {port}, "Weight": 10}}]}}}}}}"#
    );
    let rules = format!(
        r#"{{"Version": "1", "DefaultNextProtos": ["http/1.1"], "Config": {{"r": {{
            "VipConf": [], "SniConf": ["ok"], "CertName": "server", "NextProtos": [{protos}]}}}}}}"#
    );
    Tree::proxy(&stands_in)
        .default_product("p")
        .file("cluster_conf/cluster_table.data", table)
        .file("tls_conf/tls_rule_conf.data", rules)
}

#[test]
fn life_101_stream_passes_bytes_both_ways() {
    for (protos, alpn, proxy_line) in [
        (r#""stream", "http/1.1""#, &["stream"][..], false),
        (r#""stream;level=2""#, &[], false),
        (r#""stream;pp=1", "http/1.1""#, &["stream"], true),
    ] {
        let bfe = Bfe::start(&tree(echo("hello "), protos));
        let mut client = TlsClient::connect(bfe.https_addr(), alpn);
        client.send("first");
        if proxy_line {
            let line = String::from_utf8(client.read_exact(6 + 20)).unwrap();
            assert!(line.starts_with("hello PROXY TCP4 127.0.0."), "{line}");
        } else {
            assert_eq!(client.read_exact(11), b"hello first");
        }
        let large = b"0123456789abcdef".repeat(1 << 14);
        client.send(&large);
        if !proxy_line {
            assert!(client.read_exact(large.len()) == large);
        }
        assert_eq!(bfe.counters("proxy_state")["STREAM_CLIENT_CONN_ACTIVE"], 1);
        // The end of what the client sends is told, and the last bytes come back.
        client.end();
        let rest = client.read_to_end();
        assert!(rest.ends_with(b"bye"), "{:?}", String::from_utf8_lossy(&rest));
        bfe.wait_idle();
        let counters = bfe.counters("stream_state");
        assert_eq!(counters["STREAM_BYTES_RECV"], 5 + 262_144);
        assert!(counters["STREAM_BYTES_SENT"] >= 11 + 262_144);
        assert_eq!((counters["STREAM_ERR_PROXY"], counters["STREAM_ERR_TRANSFER"]), (0, 0));
    }
}

#[test]
fn life_101_stream_without_a_backend_closes() {
    let refusing = Backend::refusing();
    let bfe = Bfe::start(&tree(refusing.port(), r#""stream;level=2""#));
    let mut client = TlsClient::connect(bfe.https_addr(), &[]);
    client.send("anything");
    assert_eq!(client.read_to_end(), b"");
    wait_until("it is counted", || bfe.counters("stream_state")["STREAM_ERR_PROXY"] == 1);
    assert_eq!(bfe.counters("stream_state")["STREAM_ERR_CONNECT"], 3);
    bfe.wait_idle();
}

#[test]
fn life_98_websocket_over_tls() {
    let port = echo("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    let bfe = Bfe::start(&tree(port, r#""h2", "http/1.1""#));
    let mut client = TlsClient::connect(bfe.https_addr(), &["http/1.1"]);
    client.send("GET /chat HTTP/1.1\r\nHost: ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    let head = client.read_until(b"\r\n\r\n");
    assert!(
        head.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"),
        "{:?}",
        String::from_utf8_lossy(&head)
    );
    // What the backend got, which it sends back as if it were frames.
    let request = String::from_utf8(client.read_until(b"\r\n\r\n")).unwrap();
    assert!(request.starts_with("GET /chat HTTP/1.1\r\nHost: ok\r\n"), "{request}");
    client.send("frame");
    assert_eq!(client.read_exact(5), b"frame");
    // A body belongs to the request.
    let mut other = TlsClient::connect(bfe.https_addr(), &["http/1.1"]);
    other.send("GET / HTTP/1.1\r\nHost: ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabcframe");
    other.read_until(b"\r\n\r\n");
    let request = String::from_utf8(other.read_until(b"\r\n\r\n")).unwrap();
    assert!(request.contains("\r\nContent-Length: 3\r\n"), "{request}");
    assert_eq!(other.read_exact(8), b"abcframe");
    drop(other);
    wait_until("it has ended", || bfe.counters("proxy_state")["WSS_CLIENT_CONN_ACTIVE"] == 1);
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["WSS_CLIENT_CONN_ACTIVE"], counters["WSS_CLIENT_CONN_SERVED"]), (1, 2));
    drop(client);
    bfe.wait_idle();
}

/// A 101 that is no agreement is passed on without a byte behind its head, which would look like one of a tunnel.
#[test]
fn life_99_websocket_that_is_not_agreed_to() {
    let port = echo("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
    let bfe = Bfe::start(&tree(port, r#""http/1.1""#));
    let mut client = bfe.client();
    client.send("GET / HTTP/1.1\r\nHost: ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    let head = client.read_until(b"\r\n\r\n");
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{:?}", String::from_utf8_lossy(&head));
    assert_eq!(client.read_to_end(), b"");
    let counters = bfe.counters("websocket_state");
    assert_eq!((counters["WEB_SOCKET_ERR_BACKEND_REJECT"], counters["WEB_SOCKET_ERR_HANDSHAKE"]), (1, 1));
    // What is about a body has no place in an agreement.
    let port = echo(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nTrailer: X\r\n\r\n",
    );
    let bfe = Bfe::start(&tree(port, r#""http/1.1""#));
    let mut client = bfe.client();
    client.send("GET / HTTP/1.1\r\nHost: ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    let head = String::from_utf8(client.read_until(b"\r\n\r\n")).unwrap();
    assert!(head.contains("\r\nUpgrade: websocket\r\n") && !head.contains("Trailer"), "{head}");
}
