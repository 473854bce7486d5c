//! A whole connection, with the same code on the client's side of the compressed streams.

use super::Codec;
use super::block::push_field;
use super::frames::{FIN, kind, push_data_head, push_head, push_numbers};
use crate::h1::Stream;
use crate::h1::server::{FlushPolicy, Origin, SendOptions};
use crate::h2::{Connection, Settings};
use crate::{Exchange as _, Response};
use std::future::poll_fn;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::{LocalSet, spawn_local};

/// A control frame, or data of a stream: kind (0 for data), flags, payload; of data the stream comes first.
async fn frame(client: &mut DuplexStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 8];
    client.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize];
    client.read_exact(&mut payload).await.ok()?;
    if head[0] & 0x80 == 0 {
        return Some((0, head[4], [head[..4].to_vec(), payload].concat()));
    }
    assert_eq!((head[0], head[1]), (0x80, 3));
    Some((head[3], head[4], payload))
}

fn syn_stream(codec: &mut Codec, id: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut plain = u32::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for (name, value) in fields {
        push_field(&mut plain, name.as_bytes(), value.as_bytes());
    }
    let mut block = Vec::new();
    codec.write(&plain, &mut block);
    let mut out = Vec::new();
    push_head(&mut out, kind::SYN_STREAM, flags, block.len() + 10);
    out.extend(id.to_be_bytes());
    out.extend([0; 6]);
    out.extend(block);
    out
}

fn get(path: &str) -> [(&str, &str); 5] {
    [(":method", "GET"), (":path", path), (":version", "HTTP/1.1"), (":host", "ok"), (":scheme", "https")]
}

/// Answers each request with its method, path and body.
async fn serve(connection: Connection) {
    while let Some((mut request, exchange)) = poll_fn(|cx| connection.poll_request(cx)).await {
        spawn_local(async move {
            let mut text = [&request.method[..], b" ", &request.request_uri].concat();
            while let Some(Ok(piece)) = request.body.data().await {
                text.extend_from_slice(&piece);
            }
            let mut response = Response::with_content(200, "text/plain", text);
            response.header.add("Set-Cookie", "a");
            response.header.add("Set-Cookie", "b");
            response.header.add("Connection", "close");
            let options = SendOptions {
                flush: FlushPolicy::Immediate,
                origin: Origin::Proxy,
                keep_alive_enabled: true,
                draining: false,
                cancel_on_close: false,
            };
            let sent = exchange.respond(&mut response, &options).await;
            drop((sent, request));
            exchange.finish(false).await;
        });
    }
}

/// Runs a client against a connection.
fn with_client<F: Future<Output = ()>>(client: impl FnOnce(DuplexStream) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (near, far) = tokio::io::duplex(1 << 20);
        let settings = Settings {
            max_streams: 200,
            window: 65_535,
            max_header_bytes: 10_000,
            max_uri_bytes: 100,
            client_read_timeout: Duration::from_secs(5),
            graceful_timeout: Duration::from_secs(5),
            extended_connect: false,
        };
        let connection = Connection::spdy(Stream::Other(Box::new(far)), settings);
        let served = spawn_local(serve(connection));
        client(near).await;
        tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
    });
}

#[test]
fn life_17_requests_are_answered() {
    with_client(|mut client| async move {
        let mut codec = Codec::default();
        assert_eq!(
            frame(&mut client).await,
            Some((kind::SETTINGS, 0, vec![0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0, 0]))
        );
        for id in [1u32, 3, 5] {
            let has_body = id == 5;
            let flags = if has_body { 0 } else { FIN };
            client.write_all(&syn_stream(&mut codec, id, flags, &get("/path"))).await.unwrap();
            if has_body {
                let mut data = Vec::new();
                push_data_head(&mut data, 3, true, id);
                data.extend(b"abc");
                client.write_all(&data).await.unwrap();
            }
            let (what, flags, payload) = frame(&mut client).await.unwrap();
            assert_eq!((what, flags, &payload[..4]), (kind::SYN_REPLY, 0, &id.to_be_bytes()[..]));
            let plain = codec.read(&payload[4..], 10_000).unwrap();
            let plain = String::from_utf8_lossy(&plain).into_owned();
            assert!(
                plain.contains(":status\0\0\0\u{3}200") && plain.contains("set-cookie\0\0\0\u{3}a\0b"),
                "{plain:?}"
            );
            assert!(!plain.contains("connection") && !plain.contains("date"), "{plain:?}");
            let want =
                [&id.to_be_bytes()[..], if has_body { b"GET /pathabc" } else { b"GET /path" }].concat();
            assert_eq!(frame(&mut client).await, Some((0, FIN, want)));
        }
        let mut ping = Vec::new();
        push_numbers(&mut ping, kind::PING, &[7]);
        client.write_all(&ping).await.unwrap();
        assert_eq!(frame(&mut client).await, Some((kind::PING, 0, vec![0, 0, 0, 7])));
    });
}

#[test]
fn life_17_what_is_wrong_ends_a_stream_or_the_connection() {
    with_client(|mut client| async move {
        let mut codec = Codec::default();
        frame(&mut client).await.unwrap();
        let mut fields = get("/").to_vec();
        fields.push(("connection", "close"));
        client.write_all(&syn_stream(&mut codec, 1, FIN, &fields)).await.unwrap();
        let reset = |id: u8, status: u8| Some((kind::RST_STREAM, 0, vec![0, 0, 0, id, 0, 0, 0, status]));
        assert_eq!(frame(&mut client).await, reset(1, 1));
        // Data for a stream that is not there.
        let mut data = Vec::new();
        push_data_head(&mut data, 1, false, 9);
        data.push(b'x');
        client.write_all(&data).await.unwrap();
        assert_eq!(frame(&mut client).await, reset(9, 2));
        // A number that goes back.
        client.write_all(&syn_stream(&mut codec, 7, FIN, &get("/"))).await.unwrap();
        client.write_all(&syn_stream(&mut codec, 3, FIN, &get("/"))).await.unwrap();
        let mut last = None;
        while let Some(next) = frame(&mut client).await {
            last = Some(next);
        }
        assert_eq!(last, Some((kind::GOAWAY, 0, vec![0, 0, 0, 7, 0, 0, 0, 1])));
    });
}
