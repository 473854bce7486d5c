//! The secrets of a connection, for key logs.

use bfe_basic::TlsSecret;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::rustls::{KeyLog, ServerConfig};

/// Most secrets of a connection; TLS 1.3 has five.
const MAX_SECRETS: usize = 16;

/// Collects the secrets of one connection.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<Vec<TlsSecret>>);

impl Secrets {
    /// What has been collected.
    pub(crate) fn take(&self) -> Vec<TlsSecret> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.len() < MAX_SECRETS {
            secrets.push(TlsSecret { label: label.to_owned(), secret: secret.to_vec() });
        }
    }
}

/// The same configuration for one connection whose secrets are collected. All else stays shared.
pub(crate) fn of_one_connection(config: &ServerConfig) -> (Arc<ServerConfig>, Arc<Secrets>) {
    let secrets = Arc::new(Secrets::default());
    let mut config = config.clone();
    config.key_log = secrets.clone();
    (Arc::new(config), secrets)
}
