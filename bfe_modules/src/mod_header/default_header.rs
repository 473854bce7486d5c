//! The six fields that tell a backend who the client is (lifecycle 7.3).

use super::variable::{ip_text, port_text};
use bfe_basic::Request;
use bfe_http::Header;
use bytes::Bytes;

/// Sets them.
pub(super) fn set(req: &mut Request) {
    let header = &mut req.http.header;
    if !req.http.host.is_empty() {
        extend(header, "X-Forwarded-Host", req.http.host.clone());
    }
    if let Some(peer) = req.remote_addr {
        extend(header, "X-Forwarded-For", ip_text(peer.ip()));
        extend(header, "X-Forwarded-Port", port_text(peer.port()));
    }
    if let Some(client) = req.client_addr {
        header.set("X-Real-Ip", ip_text(client.ip()));
        header.set("X-Real-Port", port_text(client.port()));
    }
    if let Some(local) = req.session.local_addr {
        header.set("X-Bfe-Ip", ip_text(local.ip()));
    }
}

/// Puts a value behind those that are there, all in one field.
fn extend(header: &mut Header, name: &'static str, value: Bytes) {
    let mut joined: Option<Vec<u8>> = None;
    for old in header.get_all(name) {
        match &mut joined {
            Some(joined) => {
                joined.extend_from_slice(b", ");
                joined.extend_from_slice(old);
            }
            None => joined = Some(old.to_vec()),
        }
    }
    let value = match joined {
        Some(mut joined) => {
            joined.extend_from_slice(b", ");
            joined.extend_from_slice(&value);
            Bytes::from(joined)
        }
        None => value,
    };
    header.set(name, value);
}
