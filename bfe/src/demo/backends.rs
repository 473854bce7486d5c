//! Backends for the demo: they say who they are, and what they were asked.

use bfe_http::h1::Stream;
use bfe_http::h1::server::{Connection, FlushPolicy, Limits, Origin, SendOptions};
use bfe_http::{Body, Response};
use bytes::{Bytes, BytesMut};
use std::net::TcpListener;
use std::thread;
use tokio::runtime::{Builder, LocalOptions};

const LIMITS: Limits = Limits { max_header_bytes: 64 * 1024, max_uri_bytes: 16 * 1024 };
/// Most of a request body that is sent back.
const ECHOED: usize = 64 * 1024;

/// Starts a backend on a thread of its own.
pub(super) fn start(name: &'static str, listener: TcpListener) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    thread::Builder::new().name(name.into()).spawn(move || {
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(e) => return log::error!("{name}: {e}"),
        };
        runtime.block_on(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(name, stream));
            }
        });
    })?;
    Ok(())
}

async fn serve(name: &'static str, stream: tokio::net::TcpStream) {
    let connection = Connection::new(Stream::Tcp(stream), BytesMut::new(), LIMITS);
    let options = SendOptions {
        flush: FlushPolicy::Buffered,
        origin: Origin::Proxy,
        keep_alive_enabled: true,
        draining: false,
        cancel_on_close: false,
    };
    while let Ok(mut req) = connection.read_request().await {
        let body = req.body.peek(ECHOED).await.unwrap_or_default();
        let mut response = Response::new(200);
        response.header.set("Content-Type", "text/plain; charset=utf-8");
        response.header.set("X-Backend", name);
        response.body = Body::Full(describe(name, &req, &body));
        if !connection.send_response(&mut response, &options).await.keep {
            break;
        }
    }
    connection.close(None).await;
}

fn describe(name: &str, req: &bfe_http::Request, body: &[u8]) -> Bytes {
    let mut out = format!("I am {name}. You asked:\n\n").into_bytes();
    for part in [&req.method[..], b" ", &req.request_uri, b"\nHost: ", &req.host, b"\n"] {
        out.extend_from_slice(part);
    }
    for (field, value) in req.header.iter() {
        out.extend_from_slice(&[field, b": ", value, b"\n"].concat());
    }
    if !body.is_empty() {
        out.push(b'\n');
        out.extend_from_slice(body);
        out.push(b'\n');
    }
    out.into()
}
