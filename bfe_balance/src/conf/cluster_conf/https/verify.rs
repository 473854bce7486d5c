//! Who a backend may be: anyone, or one of those that a list of certificates vouches for.

use std::sync::Arc;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

/// Gives a verifier that has `algorithms` the checks of handshake signatures.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, &self.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

/// Takes any certificate (`RSInsecureSkipVerify`).
#[derive(Debug)]
pub(super) struct AnyServer {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyServer {
    pub(super) fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

/// Takes none: there is nothing to verify by.
#[derive(Debug)]
pub(super) struct NoServer {
    algorithms: WebPkiSupportedAlgorithms,
}

impl NoServer {
    pub(super) fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for NoServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    signatures!();
}

/// Takes a certificate that is on the list or was issued by one on it, directly or by way of the
/// certificates that the backend sends along, for the name in its SAN or common name (balance 9, 10.2).
#[derive(Debug)]
pub(super) struct ListedServer {
    listed: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ListedServer {
    pub(super) fn new(
        listed: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let anchors = listed
            .iter()
            .enumerate()
            .map(|(index, der)| {
                webpki::anchor_from_trusted_cert(der)
                    .map(|anchor| anchor.to_owned())
                    .map_err(|error| format!("RSCAList: certificate {} cannot be used: {error}", index + 1))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { listed, anchors, algorithms: provider.signature_verification_algorithms })
    }

    fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.listed.iter().any(|listed| listed.as_ref() == leaf.as_ref()) {
            return verify_period(leaf, now);
        }
        let cert = EndEntityCert::try_from(leaf).map_err(pki_error)?;
        cert.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
        .map_err(pki_error)
    }
}

impl ServerCertVerifier for ListedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify_chain(end_entity, intermediates, now)?;
        let cert = EndEntityCert::try_from(end_entity).map_err(pki_error)?;
        let by_san = cert.verify_is_valid_for_subject_name(server_name).is_ok();
        if by_san || matches_common_name(end_entity, server_name) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::NotValidForName.into())
        }
    }

    signatures!();
}

/// Whether the certificate is valid now. A certificate on the list needs nothing else.
fn verify_period(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, cert) = x509_parser::parse_x509_certificate(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < cert.validity().not_before.timestamp() {
        Err(CertificateError::NotValidYet.into())
    } else if now > cert.validity().not_after.timestamp() {
        Err(CertificateError::Expired.into())
    } else {
        Ok(())
    }
}

/// Whether the common name is that host name, `*` standing for its first label. Addresses never are.
fn matches_common_name(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(name) = name else { return false };
    let name = name.as_ref();
    let Ok((_, cert)) = x509_parser::parse_x509_certificate(leaf) else { return false };
    cert.subject().iter_common_name().filter_map(|cn| cn.as_str().ok()).any(|cn| {
        let wild = cn.strip_prefix("*.").zip(name.split_once('.'));
        cn.eq_ignore_ascii_case(name)
            || wild.is_some_and(|(domain, (_, rest))| domain.eq_ignore_ascii_case(rest))
    })
}

fn pki_error(error: webpki::Error) -> Error {
    use webpki::Error as E;
    let kind = match error {
        E::CertExpired { .. } => CertificateError::Expired,
        E::CertNotValidYet { .. } => CertificateError::NotValidYet,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        other => CertificateError::Other(tokio_rustls::rustls::OtherError(Arc::new(other))),
    };
    kind.into()
}
