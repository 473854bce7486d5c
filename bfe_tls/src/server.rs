//! TLS as a whole: tables that reloads replace, and what stays.

use crate::conf::client_auth::Folders;
use crate::conf::server_cert_conf::{self, CertTable};
use crate::conf::session_ticket_key;
use crate::conf::tls_rule_conf::{self, RuleTable};
use crate::configs::Configs;
use crate::hello::ClientHello;
use crate::select::{self, CertLookup, Peer, Refusal, Selection, Switches};
use crate::session_cache::SessionCache;
use crate::settings::Settings;
use crate::ticket::{SharedKey, TicketKey};
use arc_swap::{ArcSwap, ArcSwapOption};
use bfe_basic::conf::{ConfError, ConfErrors};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::rustls::{Error, ServerConfig};

/// Certificates and rules of one load, and what has been made of them.
pub(crate) struct Tables {
    certs: CertTable,
    rules: RuleTable,
    configs: Configs,
}

/// Versions of the files in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Of `server_cert_conf.data`.
    pub certs: String,
    /// Of `tls_rule_conf.data`.
    pub rules: String,
}

/// TLS towards clients.
pub struct TlsServer {
    settings: Settings,
    tables: ArcSwap<Tables>,
    tickets: SharedKey,
    h2_off: AtomicBool,
    spdy_off: AtomicBool,
    /// Somebody logs the secrets of connections.
    keeps_secrets: AtomicBool,
    session_cache: Option<Arc<SessionCache>>,
    /// Reloads run one after the other.
    reload: Mutex<()>,
}

impl Tables {
    fn load(settings: &Settings, certs: &Path, rules: &Path) -> Result<(Self, Vec<ConfError>), ConfErrors> {
        let (certs, mut warnings) = server_cert_conf::load(certs, &settings.conf_root)?;
        let folders =
            Folders { ca: settings.client_ca_base_dir.clone(), crl: settings.client_crl_base_dir.clone() };
        let (rules, more) = tls_rule_conf::load(rules, &certs, &folders)?;
        warnings.extend(more);
        Ok((Self { certs, rules, configs: Configs::default() }, warnings))
    }
}

impl TlsServer {
    /// Loads everything; also returns warnings.
    ///
    /// # Errors
    /// When a file is wrong, or files contradict each other.
    pub fn load(settings: Settings) -> Result<(Self, Vec<ConfError>), ConfErrors> {
        let tickets = ArcSwapOption::empty();
        if let Some(file) = &settings.session_ticket_key {
            tickets.store(Some(Arc::new(TicketKey::new(&session_ticket_key::load(file)?))));
        }
        let (tables, warnings) =
            Tables::load(&settings, &settings.server_cert_conf, &settings.tls_rule_conf)?;
        let session_cache = settings.session_cache.clone().map(SessionCache::new);
        let server = Self {
            settings,
            session_cache,
            tables: ArcSwap::from_pointee(tables),
            tickets: Arc::new(tickets),
            h2_off: AtomicBool::new(false),
            spdy_off: AtomicBool::new(false),
            keeps_secrets: AtomicBool::new(false),
            reload: Mutex::new(()),
        };
        Ok((server, warnings))
    }

    /// Replaces certificates, rules, CA sets and revocation lists, all or nothing; `dir` is another folder for
    /// the two data files. Handshakes under way finish with what they began with. Also returns warnings.
    ///
    /// # Errors
    /// When a file is wrong, or files contradict each other; nothing has changed then.
    pub fn reload(&self, dir: Option<&Path>) -> Result<Vec<ConfError>, ConfErrors> {
        let _one = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = |file: &Path| match dir {
            Some(dir) => dir.join(file.file_name().unwrap_or_default()),
            None => file.to_path_buf(),
        };
        let (certs, rules) = (moved(&self.settings.server_cert_conf), moved(&self.settings.tls_rule_conf));
        let (tables, warnings) = Tables::load(&self.settings, &certs, &rules)?;
        self.tables.store(Arc::new(tables));
        Ok(warnings)
    }

    /// Replaces the key of session tickets. Does nothing where tickets are disabled.
    ///
    /// # Errors
    /// When the file is wrong; nothing has changed then.
    pub fn reload_ticket_key(&self) -> Result<(), ConfErrors> {
        let _one = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.settings.session_ticket_key {
            self.tickets.store(Some(Arc::new(TicketKey::new(&session_ticket_key::load(file)?))));
        }
        Ok(())
    }

    /// Switches protocols on and off for new connections (tls 12): a list such as `-h2,+spdy`. Words that mean
    /// nothing are passed over.
    pub fn switch_protocols(&self, list: &str) {
        for word in list.split(',') {
            match word {
                "h2" | "+h2" => self.h2_off.store(false, Relaxed),
                "-h2" => self.h2_off.store(true, Relaxed),
                "spdy" | "+spdy" => self.spdy_off.store(false, Relaxed),
                "-spdy" => self.spdy_off.store(true, Relaxed),
                _ => {}
            }
        }
    }

    /// Versions of the files in use.
    #[must_use]
    pub fn versions(&self) -> Versions {
        let tables = self.tables.load();
        Versions { certs: tables.certs.version.clone(), rules: tables.rules.version.clone() }
    }

    pub(crate) fn tables(&self) -> Arc<Tables> {
        self.tables.load_full()
    }

    pub(crate) fn session_cache(&self) -> Option<&Arc<SessionCache>> {
        self.session_cache.as_ref()
    }

    pub(crate) fn has_tickets(&self) -> bool {
        self.tickets.load().is_some()
    }

    /// The key of session tickets.
    #[cfg(feature = "quic")]
    pub(crate) fn ticket_key(&self) -> Option<Arc<TicketKey>> {
        self.tickets.load_full()
    }

    pub(crate) fn select(
        &self,
        tables: &Tables,
        hello: &ClientHello,
        peer: &Peer,
    ) -> (Option<CertLookup>, Result<Selection, Refusal>) {
        let switches = Switches { h2_off: self.h2_off.load(Relaxed), spdy_off: self.spdy_off.load(Relaxed) };
        select::select(&self.settings, (&tables.certs, &tables.rules), switches, hello, peer)
    }

    /// The same for a connection of QUIC.
    #[cfg(feature = "quic")]
    pub(crate) fn select_quic(
        &self,
        tables: &Tables,
        hello: &ClientHello,
        peer: &Peer,
    ) -> (Option<CertLookup>, Result<Selection, Refusal>) {
        select::select_quic(&self.settings, (&tables.certs, &tables.rules), hello, peer)
    }

    /// From now on, handshakes leave the secrets of their connections in [`bfe_basic::TlsState::secrets`].
    pub fn keep_secrets(&self) {
        self.keeps_secrets.store(true, Relaxed);
    }

    pub(crate) fn keeps_secrets(&self) -> bool {
        self.keeps_secrets.load(Relaxed)
    }

    pub(crate) fn config(
        &self,
        tables: &Tables,
        selection: &Selection,
        stapled: bool,
    ) -> Result<Arc<ServerConfig>, Error> {
        tables.configs.get(&self.settings, &self.tickets, selection, stapled)
    }
}

#[cfg(test)]
mod tests;
