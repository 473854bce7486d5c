//! OCSP responses that are stapled (tls 10).

use super::der::{Der, Element};
use std::time::{Duration, SystemTime};
use tokio_rustls::rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::EndEntityCert;
use webpki::aws_lc_rs as algorithms;

/// A response is used from so long after its beginning until so long before its end.
const MARGIN: Duration = Duration::from_secs(3600);

/// A response, and when it may be stapled.
#[derive(Debug)]
pub(crate) struct Staple {
    pub(crate) der: Vec<u8>,
    from: SystemTime,
    until: SystemTime,
}

impl Staple {
    /// Whether it may be stapled at that time.
    pub(crate) fn is_current(&self, now: SystemTime) -> bool {
        self.from <= now && now <= self.until
    }
}

/// Checks that a response is good for the certificate with that serial number now.
pub(super) fn check(bytes: Vec<u8>, serial: &[u8], now: SystemTime) -> Result<Staple, &'static str> {
    let (from, until) = read(&bytes, serial)?;
    let staple = Staple { der: bytes, from, until };
    if staple.is_current(now) { Ok(staple) } else { Err("time is out of range") }
}

/// When the response may be stapled.
fn read(bytes: &[u8], serial: &[u8]) -> Result<(SystemTime, SystemTime), &'static str> {
    let mut all = Der::new(bytes);
    let mut response = all.expect(0x30)?.inside();
    if !all.is_empty() {
        return Err("there is something behind it");
    }
    if response.expect(0x0a)?.content != [0] {
        return Err("it is no response but an error");
    }
    let mut kind = response.expect(0xa0)?.inside().expect(0x30)?.inside();
    // id-pkix-ocsp-basic
    if kind.expect(0x06)?.content != [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1] {
        return Err("it is not of the basic kind");
    }
    let mut basic = Der::new(kind.expect(0x04)?.content).expect(0x30)?.inside();
    let signed = basic.expect(0x30)?;
    let algorithm = basic.expect(0x30)?;
    let signature = basic.expect(0x03)?;
    check_signature(&signed, &algorithm, &signature, basic)?;

    let mut data = signed.inside();
    if data.peek() == Some(0xa0) {
        data.next()?;
    }
    data.next()?; // who answers
    data.expect(0x18)?; // when it was made
    let mut answers = data.expect(0x30)?.inside();
    let mut answer = answers.expect(0x30)?.inside();
    if !answers.is_empty() {
        return Err("it is about more than one certificate");
    }
    let mut about = answer.expect(0x30)?.inside();
    about.expect(0x30)?;
    about.expect(0x04)?;
    about.expect(0x04)?;
    if about.expect(0x02)?.content != serial {
        return Err("serial number is not that of the certificate");
    }
    if answer.next()?.tag != 0x80 {
        return Err("status is not good");
    }
    let this_update = answer.expect(0x18)?.time()?;
    if answer.peek() != Some(0xa0) {
        return Err("it has no time of its next update");
    }
    let next_update = answer.next()?.inside().expect(0x18)?.time()?;
    let from = this_update.checked_add(MARGIN).ok_or("time is out of range")?;
    let until = next_update.checked_sub(MARGIN).ok_or("time is out of range")?;
    Ok((from, until))
}

/// The signature can only be checked where the signer's certificate is in the response.
fn check_signature(
    signed: &Element<'_>,
    algorithm: &Element<'_>,
    signature: &Element<'_>,
    mut rest: Der<'_>,
) -> Result<(), &'static str> {
    if rest.peek() != Some(0xa0) {
        return Ok(());
    }
    let mut certs = rest.next()?.inside().expect(0x30)?.inside();
    if certs.is_empty() {
        return Ok(());
    }
    let signer = CertificateDer::from(certs.next()?.whole);
    let signer = EndEntityCert::try_from(&signer).map_err(|_| "the signer's certificate is malformed")?;
    let (0, signature) = signature.content.split_first().map(|(n, s)| (*n, s)).ok_or("malformed")? else {
        return Err("malformed");
    };
    let known = by_oid(algorithm.inside().expect(0x06)?.content);
    if known.is_empty() {
        return Err("it is signed by an algorithm that is not supported");
    }
    let fits = known.iter().any(|a| signer.verify_signature(*a, signed.whole, signature).is_ok());
    if fits { Ok(()) } else { Err("signature is wrong") }
}

/// The algorithms that a name of the DER stands for; ECDSA leaves the curve to the key.
fn by_oid(oid: &[u8]) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    use algorithms as a;
    match oid {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11] => vec![a::RSA_PKCS1_2048_8192_SHA256],
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12] => vec![a::RSA_PKCS1_2048_8192_SHA384],
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13] => vec![a::RSA_PKCS1_2048_8192_SHA512],
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] => {
            vec![a::ECDSA_P256_SHA256, a::ECDSA_P384_SHA256, a::ECDSA_P521_SHA256]
        }
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] => {
            vec![a::ECDSA_P256_SHA384, a::ECDSA_P384_SHA384, a::ECDSA_P521_SHA384]
        }
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] => vec![a::ECDSA_P521_SHA512],
        _ => Vec::new(),
    }
}
