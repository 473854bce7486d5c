//! Session tickets (tls 8.2).
//!
//! Tickets are not those of the reference: what is inside differs, and so must the keys, or one would take the
//! other's for its own. Both see a foreign ticket as one that cannot be opened, and do a full handshake.

use crate::conf::session_ticket_key::KEY_BYTES;
use arc_swap::ArcSwapOption;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use std::fmt;
use std::sync::Arc;
use tokio_rustls::rustls::server::ProducesTickets;

/// Length of a key's name, in bytes.
const NAME: usize = 16;
/// Length of what makes each ticket's key its own, in bytes.
const SALT: usize = 16;
/// Longest ticket that is opened, in bytes: one with a chain of client certificates, with room to spare.
const MAX: usize = 65_535;
/// How long a client may keep a ticket of TLS 1.3, in seconds. It is of no use any more once the key changes.
const LIFETIME_13: u32 = 24 * 3600;

/// Length of a secret for another purpose, in bytes.
#[cfg(feature = "quic")]
pub(crate) const SECRET: usize = 64;

/// The key that is in use.
pub(crate) struct TicketKey(Prk);

/// Where all connections find it; none where tickets are disabled.
pub(crate) type SharedKey = Arc<ArcSwapOption<TicketKey>>;

impl TicketKey {
    /// The first third of the file's key is a name, and no part of what counts. Zeros are no secret: a random
    /// one takes their place.
    pub(crate) fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let (_, secret) = bytes.split_at(NAME);
        let mut random = [0; KEY_BYTES - NAME];
        let is_zero = secret.iter().all(|b| *b == 0);
        let secret = match is_zero.then(|| aws_lc_rs::rand::fill(&mut random)) {
            Some(Ok(())) => &random,
            _ => secret,
        };
        Self(Salt::new(HKDF_SHA256, b"bfe").extract(secret))
    }

    /// A secret for another purpose: the same for all processes with the same key, and no help in finding that out.
    #[cfg(feature = "quic")]
    pub(crate) fn secret(&self, purpose: &str) -> Option<[u8; SECRET]> {
        /// As long as the secret.
        struct Length;

        impl aws_lc_rs::hkdf::KeyType for Length {
            fn len(&self) -> usize {
                SECRET
            }
        }
        let mut secret = [0; SECRET];
        self.0.expand(&[purpose.as_bytes()], Length).ok()?.fill(&mut secret).ok()?;
        Some(secret)
    }

    fn of_ticket(&self, salt: &[u8], domain: &[u8]) -> Option<LessSafeKey> {
        let info = [b"bfe session ticket 1".as_slice(), salt, domain];
        let key: UnboundKey = self.0.expand(&info, &AES_256_GCM).ok()?.into();
        Some(LessSafeKey::new(key))
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey")
    }
}

/// Makes and opens the tickets of one domain: sessions do not cross from one to another.
#[derive(Debug)]
pub(crate) struct Tickets {
    pub(crate) key: SharedKey,
    /// Changes with whoever vouches for the client.
    pub(crate) domain: [u8; 16],
    pub(crate) tls13: bool,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.key.load().is_some()
    }

    /// TLS 1.2 leaves it open, as the reference does.
    fn lifetime(&self) -> u32 {
        if self.tls13 { LIFETIME_13 } else { 0 }
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0; SALT];
        aws_lc_rs::rand::fill(&mut salt).ok()?;
        let key = self.key.load().as_ref()?.of_ticket(&salt, &self.domain)?;
        let mut sealed = plain.to_vec();
        // Each key seals one ticket, so the nonce need not change.
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed).ok()?;
        Some([&salt[..], &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > MAX {
            return None;
        }
        let (salt, sealed) = ticket.split_at_checked(SALT)?;
        let key = self.key.load().as_ref()?.of_ticket(salt, &self.domain)?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let len = key.open_in_place(nonce, Aad::empty(), &mut opened).ok()?.len();
        opened.truncate(len);
        Some(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_42_54_tickets_open_with_their_key_in_their_domain() {
        let shared = |byte| Arc::new(ArcSwapOption::from_pointee(TicketKey::new(&[byte; KEY_BYTES])));
        let tickets = |key: &SharedKey, domain| Tickets { key: Arc::clone(key), domain, tls13: false };
        let key = shared(1);
        let here = tickets(&key, [0; 16]);
        let ticket = here.encrypt(b"session").unwrap();
        assert_eq!(here.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_ne!(here.encrypt(b"session").unwrap(), ticket);
        let mut renamed = [1; KEY_BYTES];
        renamed[0] = 9;
        let renamed = Arc::new(ArcSwapOption::from_pointee(TicketKey::new(&renamed)));
        assert!(tickets(&renamed, [0; 16]).decrypt(&ticket).is_some(), "the name does not count");
        assert_eq!(tickets(&key, [1; 16]).decrypt(&ticket), None, "another domain");
        assert_eq!(tickets(&shared(2), [0; 16]).decrypt(&ticket), None, "another key");
        for len in 0..ticket.len() {
            assert_eq!(here.decrypt(ticket.get(..len).unwrap()), None, "first {len} bytes");
        }
        key.store(Some(Arc::new(TicketKey::new(&[3; KEY_BYTES]))));
        assert_eq!(here.decrypt(&ticket), None, "after a reload");
        let zeros = tickets(&shared(0), [0; 16]);
        let ticket = zeros.encrypt(b"session").unwrap();
        assert!(zeros.decrypt(&ticket).is_some());
        assert_eq!(tickets(&shared(0), [0; 16]).decrypt(&ticket), None, "zeros are no key");
        assert!(here.enabled());
        key.store(None);
        assert!(!here.enabled());
    }

    #[cfg(feature = "quic")]
    #[test]
    fn secrets_of_a_key_are_the_same_everywhere() {
        let secret = |byte, purpose| TicketKey::new(&[byte; KEY_BYTES]).secret(purpose).unwrap();
        assert_eq!(secret(1, "a"), secret(1, "a"));
        assert!(secret(1, "a") != secret(1, "b") && secret(1, "a") != secret(2, "a"));
        assert_ne!(secret(0, "a"), secret(0, "a"), "zeros are no key");
    }
}
