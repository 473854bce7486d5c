//! The table that certificates are looked up in (tls 4).

use super::check::{Certs, RESERVED};
use super::key_pair::KeyType;
use super::ocsp::Staple;
use crate::conf::{Map, covers};
use std::sync::Arc;
use std::time::SystemTime;
use tokio_rustls::rustls::sign::CertifiedKey;

/// A certificate.
#[derive(Debug)]
pub(crate) struct Cert {
    /// Its place in the order of names.
    pub(crate) index: usize,
    /// Names that it is good for.
    pub(crate) names: Vec<String>,
    pub(crate) key_type: KeyType,
    key: Arc<CertifiedKey>,
    stapled: Option<(Arc<CertifiedKey>, Staple)>,
}

/// Whether there is a response to staple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stapling {
    /// There is none.
    None,
    /// There is one, and its time is right.
    Current,
    /// There is one, but not for this time.
    OutOfTime,
}

/// All certificates of a load.
#[derive(Debug)]
pub(crate) struct CertTable {
    pub(crate) version: String,
    pub(crate) default: Arc<Cert>,
    by_name: Map<String, Arc<Cert>>,
    hosts: Map<String, Arc<Cert>>,
    /// What comes after `*.`, of names with no other star.
    wild: Map<String, Arc<Cert>>,
    /// All other names with stars.
    odd: Vec<(String, Arc<Cert>)>,
}

impl Cert {
    /// Whether a response can be stapled at that time.
    pub(crate) fn stapling(&self, now: SystemTime) -> Stapling {
        match &self.stapled {
            None => Stapling::None,
            Some((_, staple)) if staple.is_current(now) => Stapling::Current,
            Some(_) => Stapling::OutOfTime,
        }
    }

    /// Chain and key, with or without the response.
    pub(crate) fn key(&self, stapled: bool) -> &Arc<CertifiedKey> {
        match &self.stapled {
            Some((key, _)) if stapled => key,
            _ => &self.key,
        }
    }
}

impl CertTable {
    /// `None` where there is no default certificate.
    pub(super) fn new(checked: Certs) -> Option<Self> {
        let certs: Vec<_> = checked
            .certs
            .into_iter()
            .enumerate()
            .map(|(index, (name, pair, staple))| {
                let stapled = staple.map(|staple| {
                    let mut key = (*pair.key).clone();
                    key.ocsp = Some(staple.der.clone());
                    (Arc::new(key), staple)
                });
                let cert = Cert { index, names: pair.names, key_type: pair.key_type, key: pair.key, stapled };
                (name, Arc::new(cert))
            })
            .collect();
        let default = certs.iter().find(|(name, _)| *name == checked.default).map(|(_, cert)| cert)?;
        let mut table = Self {
            version: checked.version,
            default: Arc::clone(default),
            by_name: Map::default(),
            hosts: Map::default(),
            wild: Map::default(),
            odd: Vec::new(),
        };
        for (name, cert) in certs {
            for host in &cert.names {
                table.insert(host, &cert);
            }
            table.by_name.insert(name, cert);
        }
        Some(table)
    }

    /// Where several certificates have the same name, the reference takes any; here the first in the order of
    /// their own names gets it.
    fn insert(&mut self, host: &str, cert: &Arc<Cert>) {
        let cert = || Arc::clone(cert);
        self.hosts.entry(host.to_owned()).or_insert_with(cert);
        if host.split('.').all(|label| label != "*") {
            return;
        }
        match host.strip_prefix("*.").filter(|end| end.split('.').all(|label| label != "*")) {
            Some(end) => {
                self.wild.entry(end.to_owned()).or_insert_with(cert);
            }
            None => self.odd.push((host.to_owned(), cert())),
        }
    }

    /// The certificate of that name in the file; the default one also has a name that no file gives.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Cert>> {
        if name == RESERVED { Some(&self.default) } else { self.by_name.get(name) }
    }

    /// The certificate for a server name as the client sent it.
    pub(crate) fn for_server_name(&self, server_name: &str) -> Option<&Arc<Cert>> {
        let host = server_name.to_ascii_lowercase();
        let host = host.trim_end_matches('.');
        if let Some(cert) = self.hosts.get(host) {
            return Some(cert);
        }
        let wild = host.split_once('.').and_then(|(_, end)| self.wild.get(end));
        let odd = self.odd.iter().find(|(name, _)| covers(name, host)).map(|(_, cert)| cert);
        wild.into_iter().chain(odd).min_by_key(|cert| cert.index)
    }
}
