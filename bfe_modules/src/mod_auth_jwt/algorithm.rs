//! The algorithms of tokens.

use aws_lc_rs::digest::{self, Digest};

/// A hash of the SHA-2 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sha {
    S256,
    S384,
    S512,
}

impl Sha {
    pub(super) const ALL: [Self; 3] = [Self::S256, Self::S384, Self::S512];

    pub(super) fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::S256 => &digest::SHA256,
            Self::S384 => &digest::SHA384,
            Self::S512 => &digest::SHA512,
        }
    }

    /// The hash of all parts, one after the other.
    pub(super) fn hash(self, parts: &[&[u8]]) -> Digest {
        let mut context = digest::Context::new(self.algorithm());
        for part in parts {
            context.update(part);
        }
        context.finish()
    }
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hmac(Sha),
    RsaPkcs1(Sha),
    RsaPss(Sha),
    /// With the length of each half of a signature, which need not be that of the key's curve.
    Ecdsa(Sha, usize),
    EdDsa,
}

impl Algorithm {
    /// The algorithm of that name, by case; `none` is none of them.
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hmac(Sha::S256),
            "HS384" => Self::Hmac(Sha::S384),
            "HS512" => Self::Hmac(Sha::S512),
            "RS256" => Self::RsaPkcs1(Sha::S256),
            "RS384" => Self::RsaPkcs1(Sha::S384),
            "RS512" => Self::RsaPkcs1(Sha::S512),
            "PS256" => Self::RsaPss(Sha::S256),
            "PS384" => Self::RsaPss(Sha::S384),
            "PS512" => Self::RsaPss(Sha::S512),
            "ES256" => Self::Ecdsa(Sha::S256, 32),
            "ES384" => Self::Ecdsa(Sha::S384, 48),
            "ES512" => Self::Ecdsa(Sha::S512, 66),
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}
