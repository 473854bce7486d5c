//! Reading the PROXY header in front of a connection (lifecycle 4.2).

use bfe_http::proxy_protocol::{Addresses, Parsed, parse, proxy_protocol_state as s};
use bytes::{Buf, BytesMut};
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Reads the header, if there is one; what follows it stays in `early`. `None` where the connection speaks
/// for itself.
pub(crate) async fn read(
    stream: &mut TcpStream,
    early: &mut BytesMut,
    max: usize,
    deadline: Instant,
) -> Result<Option<Addresses>, String> {
    let read = tokio::time::timeout_at(deadline.into(), read_until_known(stream, early, max)).await;
    read.unwrap_or_else(|_| {
        s::group().inc(s::PROXY_ERR_READ_HEADER);
        Err("i/o timeout".into())
    })
}

async fn read_until_known(
    stream: &mut TcpStream,
    early: &mut BytesMut,
    max: usize,
) -> Result<Option<Addresses>, String> {
    let group = s::group();
    let mut version = 0;
    loop {
        if version == 0 && !early.is_empty() {
            if early.starts_with(b"PROXY") {
                group.inc(s::PROXY_MATCHED_V1_SIGNATURE);
                version = 1;
            } else if early.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
                group.inc(s::PROXY_MATCHED_V2_SIGNATURE);
                version = 2;
            }
        }
        let normal = if version == 1 { s::PROXY_NORMAL_V1_HEADER } else { s::PROXY_NORMAL_V2_HEADER };
        match parse(early, max) {
            Ok(Parsed::NeedMore) => {}
            Ok(Parsed::Absent) => {
                group.inc(s::PROXY_ERR_NO_PROXY_PROTOCOL);
                return Ok(None);
            }
            Ok(Parsed::Header(addresses, len)) => {
                group.inc(normal);
                early.advance(len);
                return Ok(Some(addresses));
            }
            Ok(Parsed::Local(len)) => {
                group.inc(normal);
                early.advance(len);
                return Ok(None);
            }
            Err(error) => {
                group.inc(s::PROXY_ERR_INVALID_HEADER);
                return Err(error.to_string());
            }
        }
        match stream.read_buf(early).await {
            Ok(0) if early.is_empty() => return Ok(None),
            Ok(0) => {
                // Too short for a header; whatever it is, the protocol above says so.
                group.inc(s::PROXY_ERR_NO_PROXY_PROTOCOL);
                return Ok(None);
            }
            Ok(_) => {}
            Err(e) => {
                group.inc(s::PROXY_ERR_READ_HEADER);
                return Err(e.to_string());
            }
        }
    }
}
