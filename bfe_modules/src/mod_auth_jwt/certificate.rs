//! The certificates that a key can carry: they have to agree with it, and are not looked at otherwise.

use super::jwk::decode;
use super::key_file::Members;
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// A public key, to compare.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Public {
    /// Modulus and exponent, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// A point, as certificates have it.
    Point(Vec<u8>),
}

impl Public {
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let significant = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect();
        Self::Rsa(significant(modulus), significant(exponent))
    }
}

/// Checks `x5c`, `x5t` and `x5t#S256` of a key; `public` is its public part, which a secret has not.
///
/// # Errors
/// What does not agree.
pub(super) fn check(members: &Members, public: Option<&Public>) -> Result<(), String> {
    let mut leaf = None;
    for (number, text) in (1..).zip(members.list("x5c")?) {
        let wrong = || format!("x5c: certificate {number} cannot be read");
        let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let der = STANDARD.decode(text).map_err(|_| wrong())?;
        let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| wrong())?;
        if !rest.is_empty() {
            return Err(wrong());
        }
        if number == 1 {
            let of_certificate = match certificate.public_key().parsed() {
                Ok(PublicKey::RSA(key)) => Public::rsa(key.modulus, key.exponent),
                Ok(PublicKey::EC(point)) => Public::Point(point.data().to_vec()),
                _ => Public::Point(certificate.public_key().subject_public_key.data.to_vec()),
            };
            let public = public.ok_or("x5c: a secret has no certificate")?;
            if *public != of_certificate {
                return Err("x5c: the certificate is of another key".into());
            }
            leaf = Some(der);
        }
    }
    for (name, algorithm) in [("x5t", &SHA1_FOR_LEGACY_USE_ONLY), ("x5t#S256", &SHA256)] {
        let Some(text) = members.text(name)?.filter(|text| !text.is_empty()) else { continue };
        let mut print = decode(text).ok_or_else(|| format!("{name} is not base64url"))?;
        // Some write the digest in hexadecimal digits first.
        if print.len() == 2 * algorithm.output_len() {
            print = from_hex(&print).ok_or_else(|| format!("{name} is not a digest"))?;
        }
        if print.len() != algorithm.output_len() {
            return Err(format!("{name} has {} bytes, and not {}", print.len(), algorithm.output_len()));
        }
        if leaf.as_ref().is_some_and(|leaf| digest::digest(algorithm, leaf).as_ref() != print) {
            return Err(format!("{name} is not that of the certificate"));
        }
    }
    Ok(())
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, _) = digits.as_chunks::<2>();
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()).collect()
}
