//! The TLS part of a connection: handshake, and what it means for session and counters (lifecycle 4.3).

use crate::config::{BfeConfig, SessionCacheConf};
use crate::state::{count, proxy_state as s};
use crate::worker::Worker;
use bfe_basic::{ErrorCode, Session, TlsState};
use bfe_http::h1::Stream;
use bfe_tls::{CacheEvent, CacheSettings, CertLookup, Peer, Protocol, ProtocolParams, Settings};
use bytes::BytesMut;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// What can be served inside TLS, in the one place that says so; [`connection`](crate::connection) serves it.
const SERVED: [Protocol; 4] = Protocol::ALL;

/// What `bfe.conf` says about TLS.
pub(crate) fn settings(config: &BfeConfig, conf_root: &Path) -> Settings {
    let https = &config.https_basic;
    Settings {
        conf_root: conf_root.to_owned(),
        server_cert_conf: https.server_cert_conf.clone(),
        tls_rule_conf: https.tls_rule_conf.clone(),
        client_ca_base_dir: https.client_ca_base_dir.clone(),
        client_crl_base_dir: https.client_crl_base_dir.clone(),
        session_cache: config.session_cache.as_ref().map(cache_settings),
        session_ticket_key: config.session_ticket.as_ref().map(|t| t.key_file.clone()),
        cipher_suites: https.cipher_suites.iter().map(|g| g.iter().map(|s| s.id).collect()).collect(),
        curves: https.curve_preferences.iter().map(|c| c.id()).collect(),
        min_version: https.min_tls_version.id(),
        max_version: https.max_tls_version.id(),
        protocols: SERVED.to_vec(),
        mapped_addresses: is_wildcard(&config.server.https.addr),
    }
}

/// Limit of a connect to the session cache where `ConnectTimeout` is 0.
const CACHE_CONNECT: Duration = Duration::from_secs(60);

fn cache_settings(cache: &SessionCacheConf) -> CacheSettings {
    CacheSettings {
        service: cache.servers.clone(),
        key_prefix: cache.key_prefix.clone(),
        connect: cache.connect_timeout.unwrap_or(CACHE_CONNECT),
        read: cache.read_timeout,
        write: cache.write_timeout,
        expire: cache.session_expire,
        max_connections: cache.max_idle.get(),
        dialled: |connected| {
            count(s::SESSION_CACHE_CONN);
            if !connected {
                count(s::SESSION_CACHE_CONN_FAIL);
            }
        },
        count: |event| {
            count(match event {
                CacheEvent::NoInstance => s::SESSION_CACHE_NO_INSTANCE,
                CacheEvent::Get => s::SESSION_CACHE_GET,
                CacheEvent::GetFailed => s::SESSION_CACHE_GET_FAIL,
                // So the reference has it: its counter of misses never moves.
                CacheEvent::Missed => s::SESSION_CACHE_TYPE_NOT_BYTES,
                CacheEvent::Hit => s::SESSION_CACHE_HIT,
                CacheEvent::Set => s::SESSION_CACHE_SET,
                CacheEvent::SetFailed => s::SESSION_CACHE_SET_FAIL,
            });
        },
    }
}

/// Whether a listener takes connections on all addresses by IPv4 and IPv6.
fn is_wildcard(addr: &str) -> bool {
    addr.is_empty() || addr.trim_start_matches('[').trim_end_matches(']').parse() == Ok(Ipv6Addr::UNSPECIFIED)
}

/// Shakes hands, within `TlsHandshakeTimeout`. `broken` says what was wrong with the PROXY header in front.
/// `None` where that failed; the client knows, and the session says why.
pub(crate) async fn shake_hands(
    worker: &Worker,
    session: &Session,
    stream: TcpStream,
    early: BytesMut,
    broken: Option<String>,
) -> Option<(Stream, Protocol, ProtocolParams)> {
    let begin = Instant::now();
    count(s::TLS_HANDSHAKE_ALL);
    let result = match broken {
        Some(error) => {
            bfe_tls::tls_state::group().inc(bfe_tls::tls_state::TLS_HANDSHAKE_READ_CLIENT_HELLO_ERR);
            Err(error)
        }
        None => {
            let peer = Peer {
                ip: session.remote_addr.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |a| a.ip()),
                vip: session.vip,
                by_proxy_header: session.vip.is_some(),
            };
            let deadline = begin + worker.config().server.tls_handshake_timeout;
            let handshake = worker.tls().handshake(worker.handshakes(), stream, early, &peer, deadline).await;
            handshake.lookup.inspect(count_lookup);
            handshake.result.map_err(|e| e.to_string())
        }
    };
    match result {
        Ok(established) => {
            succeeded(worker, session, established.state);
            let is_advertised = established.allows_http3 && worker.config().https_basic.http3.is_some();
            session.advertises_http3.set(is_advertised);
            Some((Stream::Tls(Box::new(established.stream)), established.protocol, established.params))
        }
        Err(error) => {
            failed(worker, session, begin, error);
            None
        }
    }
}

/// Notes a handshake that succeeded.
pub(crate) fn succeeded(worker: &Worker, session: &Session, state: TlsState) {
    count(s::TLS_HANDSHAKE_SUCC);
    worker.delays().record_handshake(state.handshake_time, state.did_resume);
    *session.tls.borrow_mut() = Some(Box::new(state));
}

/// Notes one that failed.
pub(crate) fn failed(worker: &Worker, session: &Session, begin: Instant, error: String) {
    worker.delays().count_failed_handshake();
    log::info!(
        "TLS handshake failed: {error}, peer {:?}, vip {:?}, {} us",
        session.remote_addr,
        session.vip,
        begin.elapsed().as_micros()
    );
    session.set_error(ErrorCode::CLIENT_TLS_HANDSHAKE, error);
}

/// Counts how a certificate was found.
pub(crate) fn count_lookup(lookup: &CertLookup) {
    count(s::TLS_MULTI_CERT_GET);
    for (happened, counter) in [
        (!lookup.has_vip, s::TLS_MULTI_CERT_CONN_WITHOUT_VIP),
        (lookup.vip_unknown, s::TLS_MULTI_CERT_CONN_VIP_UNKNOWN),
        (lookup.without_sni, s::TLS_MULTI_CERT_CONN_WITHOUT_SNI),
        (lookup.default, s::TLS_MULTI_CERT_USE_DEFAULT),
    ] {
        if happened {
            count(counter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_31_listeners_on_all_addresses() {
        for (addr, want) in
            [("", true), ("[::]", true), ("[::1]", false), ("0.0.0.0", false), ("127.0.0.1", false)]
        {
            assert_eq!(is_wildcard(addr), want, "{addr:?}");
        }
    }
}
