//! Checks of `[SessionCache]` and `[SessionTicket]` (config 3.3, 3.4).

use super::{Checker, milliseconds, seconds};
use crate::config::raw::{RawSessionCache, RawSessionTicket};
use crate::config::table::{SessionCacheConf, SessionTicketConf};
use bfe_basic::conf::conf_path;
use std::num::NonZeroUsize;

/// The file that an empty `SessionTicketKeyFile` stands for. It is not the one that stands for an absent key.
const EMPTY_KEY_FILE: &str = "tls_conf/server_ticket_key.data";

/// Nothing is checked where the cache is disabled.
pub(super) fn cache(raw: &RawSessionCache, c: &mut Checker<'_>) -> Option<SessionCacheConf> {
    if raw.session_cache_disabled {
        return None;
    }
    if raw.servers.is_empty() {
        c.fault("Servers", "Servers[] invalid server names: expected a name of name_conf.data");
    }
    c.positive("ReadTimeout", raw.read_timeout);
    c.positive("WriteTimeout", raw.write_timeout);
    let max_idle = c.positive("MaxIdle", raw.max_idle);
    c.positive("SessionExpire", raw.session_expire);
    Some(SessionCacheConf {
        servers: raw.servers.clone(),
        key_prefix: raw.key_prefix.clone(),
        connect_timeout: (raw.connect_timeout > 0).then(|| milliseconds(raw.connect_timeout)),
        read_timeout: milliseconds(raw.read_timeout),
        write_timeout: milliseconds(raw.write_timeout),
        max_idle: NonZeroUsize::new(max_idle).unwrap_or(NonZeroUsize::MIN),
        session_expire: seconds(raw.session_expire),
    })
}

/// Nothing is checked where tickets are disabled.
pub(super) fn ticket(raw: &RawSessionTicket, c: &mut Checker<'_>) -> Option<SessionTicketConf> {
    if raw.session_tickets_disabled {
        return None;
    }
    let file = if raw.session_ticket_key_file.is_empty() {
        c.warn(format!("SessionTicketKeyFile not set, use default value [{EMPTY_KEY_FILE}]"));
        EMPTY_KEY_FILE
    } else {
        &raw.session_ticket_key_file
    };
    Some(SessionTicketConf { key_file: conf_path(c.root, file) })
}
