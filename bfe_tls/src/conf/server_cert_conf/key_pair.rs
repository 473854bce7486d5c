//! A certificate chain with its private key (tls 3.1). Nothing of a key ever gets into a message.

use crate::conf::pem;
use crate::x509_text::text;
use bfe_basic::conf::read_bytes;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate, X509Version};

/// The kind of a certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyType {
    Rsa,
    Ecdsa,
}

/// A chain, its key, and what is known from the leaf.
#[derive(Debug)]
pub(super) struct KeyPair {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) key_type: KeyType,
    /// Common name and DNS names, as they are written.
    pub(super) names: Vec<String>,
    /// Serial number, as in the DER.
    pub(super) serial: Vec<u8>,
}

/// Reads both files; also returns complaints that are no errors.
pub(super) fn load(cert_file: &Path, key_file: &Path) -> Result<(KeyPair, Vec<String>), String> {
    let (cert_name, key_name) = (cert_file.display(), key_file.display());
    let chain = read_bytes(cert_file).map_err(|e| e.to_string())?;
    let chain: Vec<_> = pem::blocks(&chain)
        .into_iter()
        .filter(|b| b.label == "CERTIFICATE")
        .map(|b| CertificateDer::from(b.der))
        .collect();
    let der = chain.first().ok_or_else(|| format!("{cert_name}: no certificate in this file"))?;
    let malformed = |why: &dyn std::fmt::Display| format!("{cert_name}: certificate is malformed: {why}");
    let (_, leaf) = x509_parser::parse_x509_certificate(der).map_err(|e| malformed(&e))?;
    well_formed(der, &leaf).map_err(|e| malformed(&e))?;
    let key_type = match leaf.public_key().algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.1" => KeyType::Rsa,
        "1.2.840.10045.2.1" => KeyType::Ecdsa,
        other => return Err(format!("{cert_name}: key algorithm {other} is not RSA or ECDSA")),
    };
    let (names, serial) = (names(&leaf), leaf.tbs_certificate.raw_serial().to_vec());

    let key = read_bytes(key_file).map_err(|e| e.to_string())?;
    let key = pem::blocks(&key)
        .into_iter()
        .find(|b| b.label == "PRIVATE KEY" || b.label.ends_with(" PRIVATE KEY"))
        .ok_or_else(|| format!("{key_name}: no private key in this file"))?;
    let key = signing_key(&key.der).map_err(|e| format!("{key_name}: {e}"))?;
    if !belong_together(&leaf, &*key) {
        return Err(format!("{key_name}: private key does not match the certificate of {cert_name}"));
    }
    let pair = CertifiedKey::new(chain, key);
    let complaints = open_to_others(key_file)
        .then(|| format!("{key_name}: everybody on this machine can read this private key"))
        .into_iter()
        .collect();
    Ok((KeyPair { key: Arc::new(pair), key_type, names, serial }, complaints))
}

/// Extensions that everybody knows.
const KNOWN: [&[u64]; 10] = [
    &[2, 5, 29, 14],
    &[2, 5, 29, 15],
    &[2, 5, 29, 17],
    &[2, 5, 29, 19],
    &[2, 5, 29, 30],
    &[2, 5, 29, 31],
    &[2, 5, 29, 32],
    &[2, 5, 29, 35],
    &[2, 5, 29, 37],
    &[1, 3, 6, 1, 5, 5, 7, 1, 1],
];

/// Looks closer at a certificate. What it demands of those who verify it is no matter here.
fn well_formed(der: &CertificateDer<'_>, leaf: &X509Certificate<'_>) -> Result<(), webpki::Error> {
    match webpki::EndEntityCert::try_from(der) {
        Err(webpki::Error::UnsupportedCertVersion) if leaf.version().0 <= X509Version::V3.0 => {}
        Ok(_) | Err(webpki::Error::UnsupportedCriticalExtension) => {}
        Err(error) => return Err(error),
    }
    let broken = leaf.extensions().iter().any(|e| {
        let known = || KNOWN.iter().any(|id| e.oid.iter().is_some_and(|oid| oid.eq(id.iter().copied())));
        matches!(e.parsed_extension(), ParsedExtension::ParseError { .. }) && known()
    });
    if broken { Err(webpki::Error::BadDer) } else { Ok(()) }
}

/// Whether the key is that of the certificate. The library's own check would also refuse certificates that it
/// could not verify itself (version 1, critical extensions), which is for clients to do.
fn belong_together(leaf: &X509Certificate<'_>, key: &dyn SigningKey) -> bool {
    key.public_key().is_some_and(|public| {
        SubjectPublicKeyInfo::from_der(&public).is_ok_and(|(_, of_key)| {
            of_key.subject_public_key.data == leaf.public_key().subject_public_key.data
        })
    })
}

/// The key, whatever its block says it is.
fn signing_key(der: &[u8]) -> Result<Arc<dyn SigningKey>, String> {
    let provider = aws_lc_rs::default_provider();
    let forms = [
        PrivateKeyDer::Pkcs1(der.to_vec().into()),
        PrivateKeyDer::Pkcs8(der.to_vec().into()),
        PrivateKeyDer::Sec1(der.to_vec().into()),
    ];
    forms
        .into_iter()
        .find_map(|form| provider.key_provider.load_private_key(form).ok())
        .ok_or_else(|| "private key is malformed or of a kind that is not supported (RSA of 2048 to 8192 bits, ECDSA P-256, P-384 or P-521)".to_owned())
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let common = leaf.subject().iter_common_name().last().map(text).unwrap_or_default();
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let dns = alternative.iter().flat_map(|san| &san.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Some(common).filter(|cn| !cn.is_empty()).into_iter().chain(dns).collect()
}

fn open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|m| m.permissions().mode() & 0o004 != 0)
}
