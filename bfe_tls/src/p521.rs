//! Key exchange on the curve P-521, which `bfe.conf` may name and the TLS library does not bring along.

use aws_lc_rs::agreement::{ECDH_P521, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use tokio_rustls::rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use tokio_rustls::rustls::{Error, NamedGroup, PeerMisbehaved};

/// The group.
pub(crate) static SECP521R1: &dyn SupportedKxGroup = &Secp521r1;

#[derive(Debug)]
struct Secp521r1;

struct Exchange {
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl SupportedKxGroup for Secp521r1 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let private =
            EphemeralPrivateKey::generate(&ECDH_P521, &SystemRandom::new()).map_err(|_| GetRandomFailed)?;
        let public = private.compute_public_key().map_err(|_| GetRandomFailed)?;
        Ok(Box::new(Exchange { private, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let misbehaved = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
        // Uncompressed points only.
        if peer.first() != Some(&4) {
            return Err(misbehaved);
        }
        let peer = UnparsedPublicKey::new(&ECDH_P521, peer);
        agree_ephemeral(self.private, peer, misbehaved, |secret| Ok(SharedSecret::from(secret)))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_get_the_same_secret() {
        let (one, other) = (SECP521R1.start().unwrap(), SECP521R1.start().unwrap());
        let (to_other, to_one) = (one.pub_key().to_vec(), other.pub_key().to_vec());
        let (first, second) = (one.complete(&to_one).unwrap(), other.complete(&to_other).unwrap());
        assert_eq!(first.secret_bytes(), second.secret_bytes());
        for bad in [&[][..], &[4], &[0; 133], &[4; 133]] {
            assert!(SECP521R1.start().unwrap().complete(bad).is_err(), "{bad:?}");
        }
    }
}
