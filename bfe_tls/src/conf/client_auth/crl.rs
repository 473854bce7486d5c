//! Revocation lists, used as the reference uses them: a certificate is revoked where a list names its serial
//! number under the key identifier of its issuer. Signatures, dates and reasons of lists are not looked at.

use super::files_of;
use crate::conf::pem;
use bfe_basic::conf::read_bytes;
use md5::{Digest as _, Md5};
use std::collections::BTreeSet;
use std::path::Path;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate, X509Extension};

/// What a list in PEM begins with, and the label in it.
const BEGIN: &[u8] = b"-----BEGIN X509 CRL";
const LABEL: &str = "X509 CRL";

/// Key identifier of the issuer, and serial number.
#[derive(Debug, Default)]
pub(super) struct Revoked(BTreeSet<(Vec<u8>, Vec<u8>)>);

impl Revoked {
    /// All lists of a folder; none where there is no such folder.
    pub(super) fn load(folder: &Path) -> Result<Self, String> {
        let mut revoked = Self::default();
        for file in files_of(folder) {
            // Not its extension: `.crl` alone has none.
            if file.as_os_str().as_encoded_bytes().ends_with(b".crl") {
                let bytes = read_bytes(&file).map_err(|e| e.to_string())?;
                revoked.add(&bytes).map_err(|why| format!("{}: {why}", file.display()))?;
            }
        }
        Ok(revoked)
    }

    /// Adds a list, PEM or DER. PEM begins with the block: text in front of it makes the file none.
    fn add(&mut self, file: &[u8]) -> Result<(), String> {
        let block = if file.starts_with(BEGIN) { pem::blocks(file).into_iter().next() } else { None };
        let block = block.filter(|b| b.label == LABEL);
        let der = block.as_ref().map_or(file, |b| &b.der);
        let (rest, list) = CertificateRevocationList::from_der(der)
            .map_err(|e| format!("revocation list is malformed: {e}"))?;
        if !rest.is_empty() {
            return Err("revocation list is malformed: there is something behind it".into());
        }
        let issuer = key_identifier(list.extensions())
            .filter(|id| !id.is_empty())
            .ok_or("revocation list without an AuthorityKeyId extension")?;
        let serials = list.iter_revoked_certificates().map(|r| r.raw_serial().to_vec());
        self.0.extend(serials.map(|serial| (issuer.to_vec(), serial)));
        Ok(())
    }

    /// Whether a certificate is revoked.
    pub(super) fn contains(&self, cert: &X509Certificate<'_>) -> bool {
        !self.0.is_empty()
            && key_identifier(cert.extensions())
                .is_some_and(|issuer| self.0.contains(&(issuer.to_vec(), cert.raw_serial().to_vec())))
    }

    /// Takes all of it into a digest.
    pub(super) fn digest(&self, digest: &mut Md5) {
        for part in self.0.iter().flat_map(|(issuer, serial)| [issuer, serial]) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
}

fn key_identifier<'e>(extensions: &'e [X509Extension<'_>]) -> Option<&'e [u8]> {
    extensions.iter().find_map(|e| match e.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(aki) => aki.key_identifier.as_ref().map(|id| id.0),
        _ => None,
    })
}
