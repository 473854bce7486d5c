//! A whole connection whose streams carry bytes (RFC 8441).

use crate::h1::Stream;
use crate::h2::frame::{HEAD, flag, kind, push_head, push_numbers, push_settings, settings};
use crate::h2::{Connection, Settings};
use crate::{Header, h2::frame::Head};
use std::future::poll_fn;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy};
use tokio::task::{LocalSet, spawn_local};

const WINDOW: u32 = 65_535;

/// A header block without any compression; texts are short.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            out.push(u8::try_from(text.len()).unwrap());
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

const CONNECT: [(&str, &str); 5] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":path", "/chat"),
    (":authority", "ok"),
];

struct Client(DuplexStream);

impl Client {
    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut out = Vec::new();
        push_head(&mut out, payload.len(), kind, flags, stream);
        out.extend_from_slice(payload);
        self.0.write_all(&out).await.unwrap();
    }

    async fn open(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.send(kind::HEADERS, flag::END_HEADERS, stream, &block(fields)).await;
    }

    /// The next frame that is about a stream; `None` at the end.
    async fn frame(&mut self) -> Option<(Head, Vec<u8>)> {
        loop {
            let (head, payload) = self.any_frame().await?;
            if head.stream != 0 {
                return Some((head, payload));
            }
        }
    }

    async fn any_frame(&mut self) -> Option<(Head, Vec<u8>)> {
        let mut head = [0; HEAD];
        self.0.read_exact(&mut head).await.ok()?;
        let head = Head::parse(&head).unwrap();
        let mut payload = vec![0; head.length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head, payload))
    }

    /// The code of the reset that is the next frame.
    async fn reset_code(&mut self) -> Option<u32> {
        self.reset_of().await.map(|(_, code)| code)
    }

    /// The same, after its stream.
    async fn reset_of(&mut self) -> Option<(u32, u32)> {
        let (head, payload) = self.frame().await?;
        let code = (head.kind == kind::RST_STREAM).then(|| u32::from_be_bytes(payload.try_into().unwrap()));
        code.map(|code| (head.stream, code))
    }
}

/// Echoes what comes on `/chat`, to its end; keeps `/kept` without reading it; drops other tunnels at once.
async fn serve(connection: Connection) {
    while let Some((request, exchange)) = poll_fn(|cx| connection.poll_request(cx)).await {
        spawn_local(async move {
            assert_eq!(exchange.protocol(), Some(&b"websocket"[..]));
            assert!(request.body.is_empty() && request.method.as_ref() == b"CONNECT");
            let mut agreement = Header::new();
            agreement.add("Upgrade", "websocket");
            agreement.add("Content-Length", "0");
            let mut tunnel = exchange.into_tunnel(&agreement);
            if request.url.path.as_ref() == b"/chat" {
                let (mut from, mut to) = tokio::io::split(&mut tunnel);
                if copy(&mut from, &mut to).await.is_ok() {
                    to.shutdown().await.unwrap();
                }
            } else if request.url.path.as_ref() == b"/kept" {
                std::future::pending::<()>().await;
            }
        });
    }
}

/// Runs a client that has seen the settings of the proxy, and gives them to it.
fn with_client<F: Future<Output = ()>>(enabled: bool, client: impl FnOnce(Client, Vec<(u16, u32)>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (near, far) = tokio::io::duplex(1 << 16);
        let conf = Settings {
            max_streams: 200,
            window: WINDOW,
            max_header_bytes: 10_000,
            max_uri_bytes: 100,
            client_read_timeout: Duration::from_secs(5),
            graceful_timeout: Duration::from_secs(5),
            extended_connect: enabled,
        };
        let served = spawn_local(serve(Connection::new(Stream::Other(Box::new(far)), conf)));
        let mut it = Client(near);
        it.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut first = Vec::new();
        push_settings(&mut first, &[]);
        it.0.write_all(&first).await.unwrap();
        let (_, payload) = it.any_frame().await.unwrap();
        let told = settings(&payload).collect();
        let talk = async { client(it, told).await };
        tokio::time::timeout(Duration::from_secs(20), talk).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
    });
}

#[test]
fn the_setting_is_told_only_where_it_is_on() {
    for (enabled, expected) in [(true, Some(1)), (false, None)] {
        with_client(enabled, |_, told| async move {
            assert_eq!(told.iter().find(|(id, _)| *id == 8).map(|(_, value)| *value), expected);
        });
    }
}

#[test]
fn what_is_no_extended_connect_is_refused() {
    with_client(false, |mut client, _| async move {
        client.open(1, &CONNECT).await;
        assert_eq!(client.reset_code().await, Some(1), "the client has not been told of it");
    });
    with_client(true, |mut client, _| async move {
        let mut stream = 1;
        for (changed, to) in [
            (":method", Some("GET")),
            (":protocol", Some("")),
            (":scheme", None),
            (":scheme", Some("ftp")),
            (":path", None),
            (":path", Some("chat")),
            (":authority", None),
        ] {
            let mut fields = CONNECT.to_vec();
            fields.retain(|(name, _)| *name != changed);
            fields.extend(to.map(|to| (changed, to)));
            client.open(stream, &fields).await;
            assert_eq!(client.reset_code().await, Some(1), "{changed}: {to:?}");
            stream += 2;
        }
        let twice = [&CONNECT[..], &[(":protocol", "websocket")]].concat();
        client.open(stream, &twice).await;
        assert_eq!(client.reset_code().await, Some(1), "twice");
    });
}

#[test]
fn bytes_go_both_ways_to_their_end() {
    with_client(true, |mut client, _| async move {
        // What goes through has no length, whatever is said.
        let fields = [&CONNECT[..], &[("content-length", "3")]].concat();
        client.open(1, &fields).await;
        let (head, payload) = client.frame().await.unwrap();
        assert_eq!((head.kind, head.flags, payload[0]), (kind::HEADERS, flag::END_HEADERS, 0x88));
        let text = String::from_utf8_lossy(&payload).into_owned();
        assert!(!text.contains("websocket"), "fields of the connection: {text:?}");
        // More than any window, so each of them has to be raised on the way.
        let (mut sent, mut got, mut may) = (0usize, 0usize, WINDOW as usize);
        let total = 5 * WINDOW as usize;
        while got < total {
            let next = may.min(total - sent).min(10_000);
            if next > 0 {
                let piece: Vec<u8> = (sent..sent + next).map(|i| (i % 251) as u8).collect();
                client.send(kind::DATA, 0, 1, &piece).await;
                (sent, may) = (sent + next, may - next);
                continue;
            }
            let (head, payload) = client.frame().await.unwrap();
            match head.kind {
                kind::DATA => {
                    assert!(payload.iter().enumerate().all(|(i, b)| *b == ((got + i) % 251) as u8));
                    got += payload.len();
                    let credit = u32::try_from(payload.len()).unwrap();
                    let mut updates = Vec::new();
                    push_numbers(&mut updates, kind::WINDOW_UPDATE, 0, &[credit]);
                    push_numbers(&mut updates, kind::WINDOW_UPDATE, 1, &[credit]);
                    client.0.write_all(&updates).await.unwrap();
                }
                kind::WINDOW_UPDATE => may += u32::from_be_bytes(payload.try_into().unwrap()) as usize,
                other => panic!("frame of kind {other}"),
            }
        }
        client.send(kind::DATA, flag::END_STREAM, 1, b"").await;
        loop {
            let (head, payload) = client.frame().await.unwrap();
            if head.kind == kind::DATA {
                assert_eq!((head.flags, payload.len()), (flag::END_STREAM, 0));
                break;
            }
        }
    });
}

#[test]
fn what_breaks_a_tunnel_is_told() {
    with_client(true, |mut client, _| async move {
        // The proxy drops it.
        let mut fields = CONNECT.to_vec();
        fields[3].1 = "/drop";
        client.open(1, &fields).await;
        assert_eq!(client.frame().await.map(|(head, _)| head.kind), Some(kind::HEADERS));
        assert_eq!(client.reset_code().await, Some(8));
        // Nothing but data may follow.
        client.open(3, &CONNECT).await;
        assert_eq!(client.frame().await.map(|(head, _)| head.kind), Some(kind::HEADERS));
        client.send(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, &block(&[("x", "y")])).await;
        assert_eq!(client.reset_code().await, Some(1));
        // The client breaks it: the other streams go on.
        client.open(5, &CONNECT).await;
        assert_eq!(client.frame().await.map(|(head, _)| head.kind), Some(kind::HEADERS));
        client.send(kind::DATA, 0, 5, b"abc").await;
        assert_eq!(client.frame().await.map(|(_, payload)| payload), Some(b"abc".to_vec()));
        client.send(kind::RST_STREAM, 0, 5, &[0, 0, 0, 8]).await;
        client.open(7, &CONNECT).await;
        assert_eq!(client.frame().await.map(|(head, _)| (head.kind, head.stream)), Some((kind::HEADERS, 7)));
    });
}

/// RFC 9113, 6.9: a frame that ends beyond the window of its stream is taken, from one stream at a time.
#[test]
fn one_frame_may_end_beyond_its_window() {
    with_client(true, |mut client, _| async move {
        for stream in [1, 3] {
            let mut fields = CONNECT.to_vec();
            fields[3].1 = "/kept";
            client.open(stream, &fields).await;
            assert_eq!(client.frame().await.map(|(head, _)| head.kind), Some(kind::HEADERS));
        }
        let frame = vec![0; WINDOW as usize + 1000];
        client.send(kind::DATA, 0, 1, &frame).await;
        client.send(kind::DATA, 0, 3, &frame).await;
        assert_eq!(client.reset_of().await, Some((3, 3)));
        // There is no window left that another frame could begin in.
        client.send(kind::DATA, 0, 1, b"x").await;
        assert_eq!(client.reset_of().await, Some((1, 3)));
        // Once the stream is over, another may.
        client.open(5, &CONNECT).await;
        assert_eq!(client.frame().await.map(|(head, _)| head.kind), Some(kind::HEADERS));
        client.send(kind::DATA, 0, 5, &frame).await;
        assert_eq!(client.frame().await.map(|(head, _)| (head.kind, head.stream)), Some((kind::DATA, 5)));
    });
}
