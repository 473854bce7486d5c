//! # mod_trust_clientip: which peers may name the client
//!
//! **What it does.** A connection whose peer is in one of the ranges counts as trusted: the client's address
//! is then taken from `X-Real-Ip` or `X-Forwarded-For`, and `X-Bfe-Log-Id` is kept. Without this module no
//! peer is trusted. The peer is the source by the PROXY header where there is one.
//!
//! **`mod_trust_clientip/mod_trust_clientip.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_trust_clientip/trust_client_ip.data` | ranges |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Ranges.** Both ends are part of a range, and are of one family. Labels have no meaning; all ranges
//! count as one list.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "our own proxies": [
//!       {"Begin": "10.0.0.1", "End": "10.0.0.9"},
//!       {"Begin": "2001:db8::", "End": "2001:db8::ff"}
//!     ]
//!   }
//! }
//! ```
//!
//! **Monitor.** `/monitor/mod_trust_clientip`, `/monitor/mod_trust_clientip.diff`: `CONN_TOTAL`,
//! `CONN_TRUST_CLIENTIP`, `CONN_ADDR_INTERNAL` (peer in a private network; loopback is none),
//! `CONN_ADDR_INTERNAL_NOT_TRUST`.
//!
//! **Reload.** `/reload/mod_trust_clientip`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 9.

mod table;

use crate::module_conf;
use arc_swap::ArcSwap;
use bfe_basic::Session;
use bfe_basic::ip_dict::{IpDict, is_private};
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, WebHandlers};
use mod_trust_clientip_state as state;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_trust_clientip";

bfe_http::counter_group! {
    /// `/monitor/mod_trust_clientip`.
    pub mod_trust_clientip_state "mod_trust_clientip" {
        /// Connections.
        CONN_TOTAL,
        /// Trusted connections.
        CONN_TRUST_CLIENTIP,
        /// Connections from private networks.
        CONN_ADDR_INTERNAL,
        /// Such that are not trusted.
        CONN_ADDR_INTERNAL_NOT_TRUST,
    }
}

/// The module.
pub struct ModuleTrustClientIp;

impl Module for ModuleTrustClientIp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let path =
            module_conf::data_path(conf_root, NAME, "DataPath", "mod_trust_clientip/trust_client_ip.data")?;
        let trusted = Arc::new(ArcSwap::from_pointee(table::load(&path)?));
        let of_accept = Arc::clone(&trusted);
        callbacks.add_session_filter(Point::HandleAccept, "mod_trust_clientip.accept", move |session| {
            accept(&of_accept.load(), session)
        })?;
        web_handlers.add_counters(NAME, "mod_trust_clientip.diff", state::group())?;
        web_handlers.add_reload(NAME, move |query| {
            let path = query.path().map_or(path.as_path(), Path::new);
            trusted.store(Arc::new(table::load(path).map_err(|e| e.to_string())?));
            Ok(None)
        })?;
        Ok(())
    }
}

fn accept(trusted: &IpDict, session: &Session) -> HandlerResult {
    let group = state::group();
    group.inc(state::CONN_TOTAL);
    let Some(peer) = session.remote_addr.map(|peer| peer.ip()) else { return HandlerResult::GoOn };
    let is_trusted = trusted.contains(peer);
    session.trust_source.set(is_trusted);
    if is_trusted {
        group.inc(state::CONN_TRUST_CLIENTIP);
    }
    if is_internal(peer) {
        group.inc(state::CONN_ADDR_INTERNAL);
        if !is_trusted {
            group.inc(state::CONN_ADDR_INTERNAL_NOT_TRUST);
        }
    }
    HandlerResult::GoOn
}

/// Whether an address belongs to a private network, of IPv4 or IPv6.
fn is_internal(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V6(v6) => v6.is_unique_local(),
        v4 => is_private(v4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_1_and_3_trusted_and_internal_peers() {
        let trusted = table::of(&[("10.0.0.1", "10.0.0.9"), ("2001:db8::", "2001:db8::ff")]);
        for (peer, want_trusted, want_internal) in [
            ("10.0.0.1", true, true),
            ("10.0.0.9", true, true),
            ("10.0.0.10", false, true),
            ("2001:db8::ff", true, false),
            ("2001:db8::100", false, false),
            ("127.0.0.1", false, false),
            ("fd00::1", false, true),
        ] {
            let ip: IpAddr = peer.parse().unwrap();
            let session = Session { remote_addr: Some((ip, 1).into()), ..Session::default() };
            let before = state::group().get(state::CONN_ADDR_INTERNAL);
            assert_eq!(accept(&trusted, &session), HandlerResult::GoOn);
            assert_eq!(session.trust_source.get(), want_trusted, "{peer}");
            let internal = state::group().get(state::CONN_ADDR_INTERNAL) - before;
            assert_eq!(internal, i64::from(want_internal), "{peer}");
        }
    }
}
