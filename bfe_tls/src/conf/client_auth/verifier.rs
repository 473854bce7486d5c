//! Checks of a client's certificate, with the alerts of the reference (tls 7, 9).

use super::crl::Revoked;
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::X509Certificate;

/// Verifies against one CA set and its revocations.
#[derive(Debug)]
pub(super) struct RuleVerifier {
    /// Checks chains; `None` where the set is empty.
    chains: Option<Arc<dyn ClientCertVerifier>>,
    certs: Vec<CertificateDer<'static>>,
    subjects: Vec<DistinguishedName>,
    revoked: Revoked,
    provider: tokio_rustls::rustls::crypto::CryptoProvider,
}

/// Alert 42.
const BAD: Error = Error::InvalidCertificate(CertificateError::BadEncoding);

impl RuleVerifier {
    /// # Errors
    /// Where no verifier can be made of the certificates.
    pub(super) fn new(certs: Vec<CertificateDer<'static>>, revoked: Revoked) -> Result<Self, String> {
        let provider = aws_lc_rs::default_provider();
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(certs.iter().cloned());
        let chains = if usable == 0 {
            None
        } else {
            let builder =
                WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::new(provider.clone()));
            Some(builder.build().map_err(|e| e.to_string())?)
        };
        let subjects = chains.as_ref().map(|c| c.root_hint_subjects().to_vec()).unwrap_or_default();
        Ok(Self { chains, certs, subjects, revoked, provider })
    }
}

impl ClientCertVerifier for RuleVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        for der in std::iter::once(end_entity).chain(intermediates) {
            let (_, cert) = x509_parser::parse_x509_certificate(der).map_err(|_| BAD)?;
            if self.revoked.contains(&cert) {
                return Err(CertificateError::Revoked.into());
            }
        }
        let in_set = || self.certs.iter().any(|known| known == end_entity);
        let chain = self.chains.as_ref().ok_or(BAD)?.verify_client_cert(end_entity, intermediates, now);
        let (_, leaf) = x509_parser::parse_x509_certificate(end_entity).map_err(|_| BAD)?;
        // A certificate of the set itself vouches for itself, as long as it is valid.
        let not_for_clients = || Error::General("certificate is not for client authentication".into());
        match chain {
            Ok(_) => {}
            Err(Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
            )) if is_for_anything(&leaf) => return Err(not_for_clients()),
            Err(_) if in_set() && is_valid_at(&leaf, now) => {}
            Err(_) => return Err(BAD),
        }
        if !names_client_auth(&leaf) {
            return Err(not_for_clients());
        }
        if !is_rsa_or_ecdsa(&leaf) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms).map_err(|_| BAD)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// It must be said; "any" or nothing at all is not enough.
fn names_client_auth(cert: &X509Certificate<'_>) -> bool {
    matches!(cert.extended_key_usage(), Ok(Some(usage)) if usage.value.client_auth)
}

fn is_for_anything(cert: &X509Certificate<'_>) -> bool {
    matches!(cert.extended_key_usage(), Ok(Some(usage)) if usage.value.any)
}

fn is_valid_at(cert: &X509Certificate<'_>, now: UnixTime) -> bool {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    (cert.validity().not_before.timestamp()..=cert.validity().not_after.timestamp()).contains(&now)
}

fn is_rsa_or_ecdsa(cert: &X509Certificate<'_>) -> bool {
    let algorithm = cert.public_key().algorithm.algorithm.to_id_string();
    matches!(algorithm.as_str(), "1.2.840.113549.1.1.1" | "1.2.840.10045.2.1")
}
