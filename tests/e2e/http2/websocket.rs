//! WebSocket on streams of HTTP/2 (RFC 8441), where `EnableHttp2Websocket` is on.

use super::tree;
use crate::programs::Running;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bfe_tests::h2::{TlsClient, block, frame, status};
use bfe_tests::{Backend, Bfe, Launch, peer, python_module, wait_until};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

const ON: &str = "[HttpsBasic]\nEnableHttp2Websocket = true\n";

/// What a backend has seen.
#[derive(Default)]
struct Seen {
    heads: Vec<String>,
    /// How connections ended: by a reset, or not.
    resets: Vec<bool>,
}

/// A backend that agrees, or does something else, by the path; then it echoes.
fn backend() -> (Backend, Arc<Mutex<Seen>>) {
    let mut stands_for = Backend::refusing();
    stands_for.free_port();
    let listener = TcpListener::bind(("127.0.0.1", stands_for.port())).unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let of_thread = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), seen) = (stream, Arc::clone(&of_thread)) else { continue };
            thread::spawn(move || serve(stream, &seen));
        }
    });
    (stands_for, seen)
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let field = |name: &str| {
        head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default().to_owned()
    };
    let key = field("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()));
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().heads.push(head);
    let agreement = |accept: &str| {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
        )
    };
    let answer = match path.as_str() {
        "/refused" => "HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 4\r\n\r\nsent".to_owned(),
        "/plain" => "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsent".to_owned(),
        "/wrong" => agreement("AAAA"),
        "/silent" => String::new(),
        "/early" => agreement(&accept) + "early bird",
        _ => agreement(&accept),
    };
    let _ = stream.write_all(answer.as_bytes());
    let mut piece = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(_) if path == "/close" => return,
            Ok(_) if path == "/reset" => {
                socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
                return;
            }
            Ok(n) => {
                if stream.write_all(&piece[..n]).is_err() {
                    break;
                }
            }
            Err(_) => return seen.lock().unwrap().resets.push(true),
        }
    }
    let _ = stream.write_all(b"bye");
    seen.lock().unwrap().resets.push(false);
}

/// Fields that ask for a WebSocket.
fn connect(path: &str) -> Vec<(&str, &str)> {
    vec![
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "ok"),
        (":path", path),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat, more"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ]
}

fn open(client: &mut TlsClient, stream: u32, path: &str) {
    client.send(frame(1, 4, stream, &block(&connect(path))));
}

/// The status of the answer on a stream.
#[track_caller]
fn answer(client: &mut TlsClient, stream: u32) -> u16 {
    let answer = client.find(|f| f.stream == stream && matches!(f.kind, 1 | 3)).expect("an answer");
    assert_eq!(answer.kind, 1, "reset with {}", answer.code());
    status(&answer.payload)
}

/// Data of a stream until there are so many bytes.
#[track_caller]
fn data(client: &mut TlsClient, stream: u32, n: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < n {
        let next = client.find(|f| f.stream == stream && f.kind != 8).expect("data");
        assert_eq!(next.kind, 0, "reset with {}", next.code());
        if !next.payload.is_empty() {
            let credit = u32::try_from(next.payload.len()).unwrap().to_be_bytes();
            client.send([frame(8, 0, 0, &credit), frame(8, 0, stream, &credit)].concat());
        }
        got.extend(next.payload);
    }
    got
}

#[test]
fn a_stream_becomes_a_websocket() {
    let (backend, seen) = backend();
    let bfe = Bfe::start(&tree(&backend).sections(ON));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    open(&mut client, 1, "/chat?x=%41");
    assert_eq!(answer(&mut client, 1), 200);
    // As any other request over HTTP/1 would ask, with a key that the client did not give.
    let asked = seen.lock().unwrap().heads[0].clone();
    assert!(asked.starts_with("GET /chat?x=%41 HTTP/1.1\r\nHost: ok\r\n"), "{asked}");
    for line in [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-Websocket-Version: 13",
        "Sec-Websocket-Protocol: chat, more",
        "Cookie: a=1; b=2",
    ] {
        assert!(asked.lines().any(|l| l == line), "{line}: {asked}");
    }
    assert!(!asked.to_ascii_lowercase().contains("protocol: websocket"), "{asked}");
    // Other requests go on beside it.
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["WSS_CLIENT_CONN_SERVED"], counters["WSS_CLIENT_CONN_ACTIVE"]), (1, 1));
    assert_eq!((counters["CLIENT_CONN_ACTIVE"], counters["HTTP2_CLIENT_CONN_ACTIVE"]), (1, 1));
    open(&mut client, 3, "/early");
    assert_eq!(answer(&mut client, 3), 200);
    assert_eq!(data(&mut client, 3, 10), b"early bird");
    client.send(frame(0, 0, 1, b"on one"));
    assert_eq!(data(&mut client, 1, 6), b"on one");
    client.send(frame(0, 0, 3, b"on three"));
    assert_eq!(data(&mut client, 3, 8), b"on three");
    // Much more than all windows, each of which is given back as the bytes get through.
    let large: Vec<u8> = (0..4_000_000u32).map(|i| (i % 253) as u8).collect();
    for piece in large.chunks(16_000) {
        client.send(frame(0, 0, 1, piece));
        assert!(data(&mut client, 1, piece.len()) == piece);
    }
    // Each end is an end: the client's is told to the backend, whose last bytes come back.
    client.send(frame(0, 1, 1, b""));
    assert_eq!(data(&mut client, 1, 3), b"bye");
    assert!(client.find(|f| f.stream == 1 && f.kind == 0).is_some_and(|f| f.ends_stream()));
    wait_until("the backend has seen the end", || seen.lock().unwrap().resets == [false]);
    wait_until("one is left", || bfe.counter("WSS_CLIENT_CONN_ACTIVE") == 1);
    let counters = bfe.counters("websocket_state");
    assert_eq!(counters["WEB_SOCKET_BYTES_RECV"], 4_000_006);
    assert_eq!(counters["WEB_SOCKET_BYTES_SENT"], 4_000_009);
    assert_eq!((counters["WEB_SOCKET_ERR_TRANSFER"], counters["WEB_SOCKET_ERR_PROXY"]), (0, 0));
    drop(client);
    bfe.wait_idle();
}

#[test]
fn ends_and_resets_of_one_side_are_told_to_the_other() {
    let (backend, seen) = backend();
    let bfe = Bfe::start(&tree(&backend).sections(ON));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    // The backend closes: END_STREAM, then the stream is over.
    open(&mut client, 1, "/close");
    assert_eq!(answer(&mut client, 1), 200);
    client.send(frame(0, 0, 1, b"x"));
    let end = client.find(|f| f.stream == 1 && matches!(f.kind, 0 | 3)).unwrap();
    assert!(end.kind == 0 && end.ends_stream(), "{end:?}");
    assert_eq!(client.find(|f| f.stream == 1 && f.kind == 3).map(|f| f.code()), Some(0));
    // It resets: so does the proxy, with CANCEL.
    open(&mut client, 3, "/reset");
    assert_eq!(answer(&mut client, 3), 200);
    client.send(frame(0, 0, 3, b"x"));
    assert_eq!(client.find(|f| f.stream == 3 && matches!(f.kind, 0 | 3)).map(|f| f.code()), Some(8));
    assert!(seen.lock().unwrap().resets.is_empty());
    // The client resets.
    open(&mut client, 5, "/chat");
    assert_eq!(answer(&mut client, 5), 200);
    client.send(frame(3, 0, 5, &[0, 0, 0, 8]));
    wait_until("the backend is reset", || seen.lock().unwrap().resets == [true]);
    // It does so while the backend has not answered.
    open(&mut client, 7, "/silent");
    wait_until("the backend has been asked", || seen.lock().unwrap().heads.len() == 4);
    client.send(frame(3, 0, 7, &[0, 0, 0, 8]));
    wait_until("the backend is told", || seen.lock().unwrap().resets.len() == 2);
    wait_until("none is left", || bfe.counter("WSS_CLIENT_CONN_ACTIVE") == 0);
    // Nothing but data belongs into a tunnel.
    open(&mut client, 9, "/chat");
    assert_eq!(answer(&mut client, 9), 200);
    client.send(frame(1, 5, 9, &block(&[("x-a", "1")])));
    assert_eq!(client.find(|f| f.stream == 9 && f.kind == 3).map(|f| f.code()), Some(1));
    unharmed_after(&mut client, 11);
    drop(client);
    bfe.wait_idle();
}

/// That the connection still serves another tunnel.
#[track_caller]
fn unharmed_after(client: &mut TlsClient, stream: u32) {
    open(client, stream, "/chat");
    assert_eq!(answer(client, stream), 200);
    client.send(frame(0, 0, stream, b"x"));
    assert_eq!(data(client, stream, 1), b"x");
}

#[test]
fn what_is_no_agreement_is_an_answer() {
    let (backend, _) = backend();
    let bfe = Bfe::start(&tree(&backend).sections(ON));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    // What the client would take for an agreement is none; all else is passed on.
    for (stream, path, status, body) in
        [(1, "/refused", 403, &b"sent"[..]), (3, "/plain", 500, b""), (5, "/wrong", 500, b"")]
    {
        open(&mut client, stream, path);
        assert_eq!(answer(&mut client, stream), status, "{path}");
        assert_eq!(data(&mut client, stream, body.len()), body);
    }
    // Another protocol.
    let mut fields = connect("/chat");
    fields[1].1 = "connect-udp";
    client.send(frame(1, 4, 7, &block(&fields)));
    assert_eq!(answer(&mut client, 7), 501);
    // A host that nobody serves.
    let mut fields = connect("/chat");
    fields[3].1 = "elsewhere";
    client.send(frame(1, 4, 9, &block(&fields)));
    assert_eq!(answer(&mut client, 9), 500);
    unharmed_after(&mut client, 11);
    let counters = bfe.counters("websocket_state");
    assert_eq!((counters["WEB_SOCKET_ERR_BACKEND_REJECT"], counters["WEB_SOCKET_ERR_HANDSHAKE"]), (3, 3));
    assert_eq!((counters["WEB_SOCKET_ERR_BALANCE"], counters["WEB_SOCKET_ERR_PROXY"]), (3, 1));
    drop(client);
    bfe.wait_idle();
    // No backend at all.
    let bfe = Bfe::start(&tree(&Backend::refusing()).sections(ON));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    open(&mut client, 1, "/chat");
    assert_eq!(answer(&mut client, 1), 500);
    assert_eq!(bfe.counters("websocket_state")["WEB_SOCKET_ERR_CONNECT"], 3);
}

#[test]
fn it_is_off_unless_it_is_on() {
    let (backend, _) = backend();
    for (sections, announced) in [("", false), (ON, true)] {
        let bfe = Bfe::start(&tree(&backend).sections(sections));
        let mut client = TlsClient::connect(bfe.https_addr(), &["h2"]);
        client.send([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat());
        let settings = client.frame().unwrap().payload;
        assert_eq!(settings.chunks(6).any(|s| s == [0, 8, 0, 0, 0, 1]), announced);
        assert_eq!(settings.len(), if announced { 30 } else { 24 });
        if !announced {
            open(&mut client, 1, "/chat");
            assert_eq!(client.find(|f| f.stream == 1).map(|f| (f.kind, f.code())), Some((3, 1)));
        }
    }
    // The value is looked at.
    let broken = tree(&backend).sections("[HttpsBasic]\nEnableHttp2Websocket = perhaps\n");
    let tested = Launch::new(&broken).finish_with(&["-t"]);
    assert_eq!(tested.code, Some(1));
    assert!(tested.log.contains("HttpsBasic.EnableHttp2Websocket"), "{tested:?}");
}

#[test]
fn a_shutdown_ends_tunnels_at_its_limit() {
    let (backend, _) = backend();
    let mut bfe = Bfe::start(&tree(&backend).sections(ON).set("GracefulShutdownTimeout", 2));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    open(&mut client, 1, "/chat");
    assert_eq!(answer(&mut client, 1), 200);
    bfe.signal("QUIT");
    assert_eq!(client.find(|f| f.kind == 7).map(|f| f.code()), Some(0));
    client.send(frame(0, 0, 1, b"still here"));
    assert_eq!(data(&mut client, 1, 10), b"still here");
    assert_eq!(bfe.wait_exit(), Some(0));
}

#[test]
fn a_tunnel_that_is_not_read_costs_little() {
    let (backend, _) = backend();
    let bfe = Bfe::start(&tree(&backend).sections(ON));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    let before = bfe.rss();
    // What comes back stays with the backend once the windows are full.
    for i in 0..20u32 {
        let stream = 2 * i + 1;
        open(&mut client, stream, "/chat");
        assert_eq!(answer(&mut client, stream), 200);
        client.send(frame(0, 0, stream, &[b'x'; 16_000]).repeat(4));
    }
    let mut other = TlsClient::h2(bfe.https_addr(), &[]);
    unharmed_after(&mut other, 1);
    let grown = bfe.rss().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more than before");
    drop((client, other));
    bfe.wait_idle();
}

/// A server that is a library's.
fn library(python: &Path) -> (Backend, Running) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/websocket_peer.py");
    let mut backend = Backend::refusing();
    backend.free_port();
    let port = backend.port();
    let server = Running::start(Command::new(python).arg(script).args(["server", &port.to_string()]), port);
    (backend, server)
}

#[test]
fn a_browser_talks_through_it() {
    let Some(chromium) = peer("chromium") else { return };
    let Some(python) = python_module("websockets.asyncio.server") else { return };
    let (backend, _server) = library(&python);
    let bfe = Bfe::start(&tree(&backend).sections(ON));
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args(["--ignore-certificate-errors", "--no-proxy-server", "--host-resolver-rules=MAP ok 127.0.0.1"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("https://ok:{}/page", bfe.https_addr().port()))
        .output()
        .unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("200003 came, to the end"), "{page} {output:?}");
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["WSS_CLIENT_CONN_SERVED"], counters["HTTPS_CLIENT_CONN_SERVED"]), (1, 0));
    bfe.wait_idle();
}

#[test]
fn libraries_talk_through_it() {
    let Some(python) = python_module("h2.connection, websockets.asyncio.server") else { return };
    let (backend, _server) = library(&python);
    let bfe = Bfe::start(&tree(&backend).sections(ON));
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/websocket_over_h2.py");
    let output = Command::new(&python)
        .arg(client)
        .arg(bfe.https_addr().port().to_string())
        .arg(bfe.conf().join("tls_conf/server.crt"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bfe.wait_idle();
    assert_eq!(bfe.counter("WSS_CLIENT_CONN_SERVED"), 2);
}
