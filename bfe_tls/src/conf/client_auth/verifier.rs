//! Checks of a client's certificate, with the alerts of the reference (tls 7, 9).

use super::crl::Revoked;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};
use webpki::{EndEntityCert, VerifiedPath};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{X509Certificate, X509Version};

/// Verifies against one CA set and its revocations.
#[derive(Debug)]
pub(super) struct RuleVerifier {
    /// All certificates of the set.
    certs: Vec<CertificateDer<'static>>,
    /// What those come down to that may vouch for others.
    anchors: Vec<TrustAnchor<'static>>,
    /// The bounds of each anchor.
    bounds: Vec<Bounds>,
    subjects: Vec<DistinguishedName>,
    revoked: Revoked,
    provider: CryptoProvider,
}

/// What the library leaves out of account in the root of a chain, and the reference does not.
#[derive(Debug)]
struct Bounds {
    not_before: i64,
    not_after: i64,
    /// How many certificates may stand between it and the client's.
    between: usize,
}

impl Bounds {
    fn of(cert: &X509Certificate<'_>) -> Self {
        let between = match cert.basic_constraints() {
            Ok(Some(basic)) => basic.value.path_len_constraint.and_then(|n| usize::try_from(n).ok()),
            _ => None,
        };
        let (not_before, not_after) =
            (cert.validity().not_before.timestamp(), cert.validity().not_after.timestamp());
        Self { not_before, not_after, between: between.unwrap_or(usize::MAX) }
    }

    fn hold(&self, now: UnixTime, between: usize) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        (self.not_before..=self.not_after).contains(&now) && between <= self.between
    }
}

/// Alert 40.
const NOT_FOR_CLIENTS: &str =
    "tls: client's certificate's extended key usage doesn't permit it to be used for client authentication";
/// Alert 42.
const BAD: Error = Error::InvalidCertificate(CertificateError::BadEncoding);

impl RuleVerifier {
    pub(super) fn new(certs: Vec<CertificateDer<'static>>, revoked: Revoked) -> Self {
        let provider = aws_lc_rs::default_provider();
        let (mut anchors, mut bounds, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
        for der in &certs {
            let Ok((_, cert)) = x509_parser::parse_x509_certificate(der) else { continue };
            subjects.push(DistinguishedName::from(cert.subject().as_raw().to_vec()));
            if let Some(anchor) =
                may_vouch(&cert).then(|| webpki::anchor_from_trusted_cert(der).ok()).flatten()
            {
                anchors.push(anchor.to_owned());
                bounds.push(Bounds::of(&cert));
            }
        }
        Self { certs, anchors, bounds, subjects, revoked, provider }
    }

    /// A certificate that is none of the revoked.
    fn unrevoked<'c>(&self, der: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, Error> {
        let (_, cert) = x509_parser::parse_x509_certificate(der).map_err(|_| BAD)?;
        if self.revoked.contains(&cert) { Err(CertificateError::Revoked.into()) } else { Ok(cert) }
    }

    /// Whether a chain leads from the client's certificate to one of the set.
    fn leads_to_anchor(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let within_bounds = |path: &VerifiedPath<'_>| {
            let between = path.intermediate_certificates().count();
            // Certificates that were renewed come down to the same anchor.
            let mut same =
                self.anchors.iter().zip(&self.bounds).filter(|(anchor, _)| *anchor == path.anchor());
            if same.any(|(_, bounds)| bounds.hold(now, between)) {
                Ok(())
            } else {
                Err(webpki::Error::UnknownIssuer)
            }
        };
        EndEntityCert::try_from(leaf)?
            .verify_for_usage(
                self.provider.signature_verification_algorithms.all,
                &self.anchors,
                intermediates,
                now,
                webpki::KeyUsage::client_auth(),
                None,
                Some(&within_bounds),
            )
            .map(drop)
    }

    /// A certificate of the set itself vouches for itself, as long as it is valid.
    fn is_known(&self, der: &CertificateDer<'_>, cert: &X509Certificate<'_>, now: UnixTime) -> bool {
        self.certs.iter().any(|known| known == der)
            && Bounds::of(cert).hold(now, 0)
            && !has_unknown_demand(cert)
            && may_serve_clients(cert)
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
        let leaf = self.unrevoked(end_entity)?;
        for der in intermediates {
            self.unrevoked(der)?;
        }
        let not_for_clients = || Error::General(NOT_FOR_CLIENTS.into());
        match self.leads_to_anchor(end_entity, intermediates, now) {
            Ok(()) => {}
            Err(webpki::Error::RequiredEkuNotFoundContext(_)) if is_for_anything(&leaf) => {
                return Err(not_for_clients());
            }
            Err(_) if self.is_known(end_entity, &leaf, now) => {}
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

/// Whether a certificate may sign those of clients.
fn may_vouch(cert: &X509Certificate<'_>) -> bool {
    let is_ca = match cert.basic_constraints() {
        Ok(Some(basic)) => basic.value.ca,
        // Certificates from before version 3 cannot say so.
        Ok(None) => cert.version() != X509Version::V3,
        Err(_) => false,
    };
    let may_sign = match cert.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    is_ca && may_sign && may_serve_clients(cert) && !has_unknown_demand(cert)
}

/// Whether a certificate is for no purpose in particular, or for this one too.
fn may_serve_clients(cert: &X509Certificate<'_>) -> bool {
    match cert.extended_key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.any || usage.value.client_auth),
        Err(_) => false,
    }
}

/// Whether a certificate demands that something be understood that is not.
fn has_unknown_demand(cert: &X509Certificate<'_>) -> bool {
    cert.extensions().iter().any(|e| {
        e.critical
            && matches!(
                e.parsed_extension(),
                ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::ParseError { .. }
            )
    })
}

fn is_rsa_or_ecdsa(cert: &X509Certificate<'_>) -> bool {
    let algorithm = cert.public_key().algorithm.algorithm.to_id_string();
    matches!(algorithm.as_str(), "1.2.840.113549.1.1.1" | "1.2.840.10045.2.1")
}
