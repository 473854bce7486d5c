//! Keys, ready to verify.

use super::algorithm::{Algorithm, Sha};
use super::raw_rsa::RawRsa;
use aws_lc_rs::digest::Digest;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    EcdsaVerificationAlgorithm, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters,
};

/// RSA keys of these lengths, in bits, are the library's; others are looked at by hand.
const LIBRARY_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

const PKCS1: [&RsaParameters; 3] =
    [&RSA_PKCS1_2048_8192_SHA256, &RSA_PKCS1_2048_8192_SHA384, &RSA_PKCS1_2048_8192_SHA512];
const PSS: [&RsaParameters; 3] =
    [&RSA_PSS_2048_8192_SHA256, &RSA_PSS_2048_8192_SHA384, &RSA_PSS_2048_8192_SHA512];

/// A key. It has no `Debug`, so that no log can show it.
pub(super) enum Key {
    /// For each hash.
    Hmac(Box<[hmac::Key; 3]>),
    Rsa(Box<RsaKey>),
    Ec(Curve, ParsedPublicKey),
    Ed25519(ParsedPublicKey),
    /// Verifies nothing, for that reason.
    Idle(&'static str),
}

/// An RSA key.
pub(super) struct RsaKey {
    /// The library's, for each hash: PKCS #1, and PSS with salts as long as the hash.
    library: Option<[[ParsedPublicKey; 3]; 2]>,
    /// For keys and salts of other lengths.
    raw: RawRsa,
}

/// A curve of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

// === impl Key ===

impl Key {
    pub(super) fn hmac(secret: &[u8]) -> Self {
        let algorithms = [hmac::HMAC_SHA256, hmac::HMAC_SHA384, hmac::HMAC_SHA512];
        Self::Hmac(Box::new(algorithms.map(|algorithm| hmac::Key::new(algorithm, secret))))
    }

    /// A public RSA key: modulus and exponent, as big-endian numbers.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, &'static str> {
        let raw = RawRsa::new(modulus, exponent)?;
        let components = PublicKeyComponents { n: raw.modulus(), e: raw.exponent() };
        let parse = |all: [&'static RsaParameters; 3]| {
            let [a, b, c] = all.map(|parameters| components.to_parsed_public_key(parameters).ok());
            Some([a?, b?, c?])
        };
        let library = if LIBRARY_BITS.contains(&raw.bits()) { parse(PKCS1).zip(parse(PSS)) } else { None };
        Ok(Self::Rsa(Box::new(RsaKey { library: library.map(|(pkcs1, pss)| [pkcs1, pss]), raw })))
    }

    /// A public key on a curve; `None` where the point is not on it.
    pub(super) fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        let point = [&[4], x, y].concat();
        Some(Self::Ec(curve, ParsedPublicKey::new(curve.algorithm(), point).ok()?))
    }

    /// A public key of Ed25519; `None` where it is not on the curve.
    pub(super) fn ed25519(point: &[u8; 32]) -> Option<Self> {
        Some(Self::Ed25519(ParsedPublicKey::new(&ED25519, point).ok()?))
    }

    /// Whether it verifies the signature of a message. The key decides which algorithms there are: no
    /// algorithm that a token names makes a key of one kind into one of another.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Hmac(keys), Algorithm::Hmac(sha)) => {
                by(keys, sha).is_some_and(|key| hmac::verify(key, message, signature).is_ok())
            }
            (Self::Rsa(key), Algorithm::RsaPkcs1(sha)) => match &key.library {
                Some([pkcs1, _]) => verified(pkcs1, sha, message, signature),
                None => key.raw.verifies_pkcs1(sha, message, signature),
            },
            (Self::Rsa(key), Algorithm::RsaPss(sha)) => {
                let standard = key.library.as_ref();
                standard.is_some_and(|[_, pss]| verified(pss, sha, message, signature))
                    || key.raw.verifies_pss(sha, message, signature)
            }
            (Self::Ec(curve, key), Algorithm::Ecdsa(sha, half)) => {
                curve.verifies(key, sha.hash(&[message]).as_ref(), half, signature)
            }
            (Self::Ed25519(key), Algorithm::EdDsa) => key.verify_sig(message, signature).is_ok(),
            _ => false,
        }
    }
}

/// What belongs to a hash.
fn by<T>(all: &[T; 3], sha: Sha) -> Option<&T> {
    Sha::ALL.iter().zip(all).find(|(one, _)| **one == sha).map(|(_, of)| of)
}

fn verified(keys: &[ParsedPublicKey; 3], sha: Sha, message: &[u8], signature: &[u8]) -> bool {
    by(keys, sha).is_some_and(|key| key.verify_sig(message, signature).is_ok())
}

// === impl Curve ===

impl Curve {
    /// The curve of that name.
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "P-256" => Self::P256,
            "P-384" => Self::P384,
            "P-521" => Self::P521,
            _ => return None,
        })
    }

    /// Length of a coordinate, and of each half of a signature.
    pub(super) fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn algorithm(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }

    /// The hash that goes with the curve; others are made as long as it is.
    fn sha(self) -> Sha {
        match self {
            Self::P256 => Sha::S256,
            Self::P384 => Sha::S384,
            Self::P521 => Sha::S512,
        }
    }

    /// Whether a key on this curve verifies a signature of which each half has that length.
    fn verifies(self, key: &ParsedPublicKey, hash: &[u8], half: usize, signature: &[u8]) -> bool {
        if signature.len() != 2 * half {
            return false;
        }
        let Some((r, s)) = signature.split_at_checked(half) else { return false };
        let (Some(r), Some(s)) = (resized(r, self.size()), resized(s, self.size())) else { return false };
        // ECDSA takes the first bits of a hash, as many as the curve has: a longer one can be cut, and a
        // shorter one is the same number with zeros before it.
        let wanted = self.sha().algorithm();
        let length = wanted.output_len();
        let mut hash = hash.get(..length).map_or_else(|| hash.to_vec(), <[u8]>::to_vec);
        hash.splice(..0, std::iter::repeat_n(0, length - hash.len()));
        let Ok(hash) = Digest::import_less_safe(&hash, wanted) else { return false };
        key.verify_digest_sig(&hash, &[r, s].concat()).is_ok()
    }
}

/// A big-endian number in another length; `None` where it does not fit.
fn resized(number: &[u8], length: usize) -> Option<Vec<u8>> {
    match number.len().checked_sub(length) {
        None | Some(0) => {
            let mut padded = vec![0; length - number.len()];
            padded.extend_from_slice(number);
            Some(padded)
        }
        Some(more) => {
            let (lead, rest) = number.split_at_checked(more)?;
            lead.iter().all(|byte| *byte == 0).then(|| rest.to_vec())
        }
    }
}
