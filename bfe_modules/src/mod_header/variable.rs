//! Variables in values (modules-traffic 4.5).

use bfe_basic::{ClientCert, Request, TlsState};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

/// What a variable is where nothing is known.
const UNKNOWN: Bytes = Bytes::from_static(b"unknown");

/// A variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    ClientIp,
    ClientPort,
    RequestHost,
    SessionId,
    LogId,
    Vip,
    BalancerIp,
    LocalIp,
    ServerName,
    Cluster,
    BackendInfo,
    SslResume,
    SslCipher,
    SslVersion,
    Ja3Raw,
    Ja3Hash,
    Protocol,
    Http2Fingerprint,
    /// A text that another module left in the request's context.
    Context(&'static str),
    /// A part of the client's certificate.
    ClientCert(CertPart),
}

/// A part of a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertPart {
    SerialNumber,
    Title,
    CommonName,
    Organization,
    OrganizationalUnit,
    Province,
    Country,
    Locality,
}

impl CertPart {
    fn of(self, cert: &ClientCert) -> &str {
        match self {
            Self::SerialNumber => &cert.serial_number,
            Self::Title => &cert.title,
            Self::CommonName => &cert.common_name,
            Self::Organization => &cert.organization,
            Self::OrganizationalUnit => &cert.organizational_unit,
            Self::Province => &cert.province,
            Self::Country => &cert.country,
            Self::Locality => &cert.locality,
        }
    }
}

const NAMES: [(&str, Variable); 32] = [
    ("bfe_client_ip", Variable::ClientIp),
    ("bfe_cip", Variable::ClientIp),
    ("bfe_client_port", Variable::ClientPort),
    ("bfe_request_host", Variable::RequestHost),
    ("bfe_session_id", Variable::SessionId),
    ("bfe_log_id", Variable::LogId),
    ("bfe_vip", Variable::Vip),
    ("bfe_bip", Variable::BalancerIp),
    ("bfe_rip", Variable::LocalIp),
    ("bfe_server_name", Variable::ServerName),
    ("bfe_cluster", Variable::Cluster),
    ("bfe_backend_info", Variable::BackendInfo),
    ("bfe_ssl_resume", Variable::SslResume),
    ("bfe_ssl_cipher", Variable::SslCipher),
    ("bfe_ssl_version", Variable::SslVersion),
    ("bfe_ssl_ja3_raw", Variable::Ja3Raw),
    ("bfe_ssl_ja3_hash", Variable::Ja3Hash),
    ("bfe_protocol", Variable::Protocol),
    ("bfe_http2_fingerprint", Variable::Http2Fingerprint),
    ("client_cert_serial_number", Variable::ClientCert(CertPart::SerialNumber)),
    ("client_cert_subject_title", Variable::ClientCert(CertPart::Title)),
    ("client_cert_subject_common_name", Variable::ClientCert(CertPart::CommonName)),
    ("client_cert_subject_organization", Variable::ClientCert(CertPart::Organization)),
    ("client_cert_subject_organizational_unit", Variable::ClientCert(CertPart::OrganizationalUnit)),
    ("client_cert_subject_province", Variable::ClientCert(CertPart::Province)),
    ("client_cert_subject_country", Variable::ClientCert(CertPart::Country)),
    ("client_cert_subject_locality", Variable::ClientCert(CertPart::Locality)),
    ("bfe_client_geo_country_iso_code", Variable::Context("mod_geo.country_iso_code")),
    ("bfe_client_geo_subdivision_iso_code", Variable::Context("mod_geo.subdivision_iso_code")),
    ("bfe_client_geo_city_name", Variable::Context("mod_geo.city_name")),
    ("bfe_client_geo_latitude", Variable::Context("mod_geo.latitude")),
    ("bfe_client_geo_longitude", Variable::Context("mod_geo.longitude")),
];

/// Cipher suites that have another name in OpenSSL: sessions tell the registered one.
const CIPHERS: [(&str, &str); 15] = [
    ("TLS_RSA_WITH_RC4_128_SHA", "RC4-SHA"),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA"),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "ECDHE-ECDSA-RC4-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"),
    ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", "ECDHE-RSA-RC4-SHA"),
    ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "ECDHE-RSA-DES-CBC3-SHA"),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
];

/// The machine's name.
static SERVER_NAME: LazyLock<Bytes> =
    LazyLock::new(|| match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) if !name.trim().is_empty() => Bytes::from(name.trim().to_owned()),
        _ => UNKNOWN,
    });

impl Variable {
    /// The variable of exactly that name.
    pub(super) fn find(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, variable)| *variable);
        if found == Some(Self::ServerName) {
            // Read when rules are loaded, and not on a worker.
            LazyLock::force(&SERVER_NAME);
        }
        found
    }

    /// Its value for a request.
    pub(super) fn value(self, req: &Request) -> Bytes {
        let session = &req.session;
        let copied = |text: &[u8]| Bytes::copy_from_slice(text);
        match self {
            Self::ClientIp => req.client_addr.map_or_else(Bytes::new, |addr| ip_text(addr.ip())),
            Self::ClientPort => req.client_addr.map_or_else(Bytes::new, |addr| port_text(addr.port())),
            Self::RequestHost => req.http.host.clone(),
            Self::SessionId => copied(session.id.borrow().as_bytes()),
            Self::LogId => copied(req.log_id.as_bytes()),
            Self::Vip => session.vip.map_or(UNKNOWN, ip_text),
            Self::BalancerIp => ip_of(session.balancer_addr),
            Self::LocalIp => ip_of(session.local_addr),
            Self::ServerName => SERVER_NAME.clone(),
            Self::Cluster => copied(req.route.cluster.as_bytes()),
            Self::BackendInfo => backend_info(req),
            Self::SslResume => of_tls(req, |tls| if tls.did_resume { "R" } else { "N" }),
            Self::SslCipher => of_tls(req, |tls| {
                CIPHERS.iter().find(|(name, _)| *name == tls.cipher).map_or(tls.cipher, |(_, name)| name)
            }),
            Self::SslVersion => of_tls(req, |tls| match tls.version {
                "TLS1.2" => "TLSv1.2",
                "TLS1.3" => "TLSv1.3",
                other => other,
            }),
            Self::Ja3Raw => of_tls(req, |tls| &tls.ja3_raw),
            Self::Ja3Hash => of_tls(req, |tls| &tls.ja3_hash),
            Self::Protocol => copied(req.protocol()),
            Self::Http2Fingerprint => {
                copied(req.http.state.h2_fingerprint.as_deref().unwrap_or_default().as_bytes())
            }
            Self::Context(key) => req.context.text(key).map_or_else(Bytes::new, copied),
            Self::ClientCert(part) => {
                of_tls(req, |tls| tls.client_auth.cert.as_deref().map_or("", |c| part.of(c)))
            }
        }
    }
}

/// An address as text.
pub(super) fn ip_text(ip: IpAddr) -> Bytes {
    let ip = ip.to_canonical();
    let IpAddr::V4(v4) = ip else { return Bytes::from(ip.to_string()) };
    let mut text = Vec::with_capacity(16);
    for octet in v4.octets() {
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
    }
    Bytes::from(text)
}

/// A port as text.
pub(super) fn port_text(port: u16) -> Bytes {
    Bytes::copy_from_slice(itoa::Buffer::new().format(port).as_bytes())
}

fn ip_of(addr: Option<SocketAddr>) -> Bytes {
    addr.map_or(UNKNOWN, |addr| ip_text(addr.ip()))
}

fn of_tls(req: &Request, of: impl FnOnce(&TlsState) -> &str) -> Bytes {
    req.session
        .tls
        .borrow()
        .as_ref()
        .map_or_else(Bytes::new, |tls| Bytes::copy_from_slice(of(tls).as_bytes()))
}

fn backend_info(req: &Request) -> Bytes {
    let backend = &req.backend;
    let addr = backend.addr.rsplit_once(':').map_or(&*backend.addr, |(ip, _)| ip);
    let addr = addr.trim_matches(['[', ']']);
    let info = format!(
        "ClusterName:{},SubClusterName:{},BackendName:{}({addr})",
        backend.cluster, backend.sub_cluster, backend.name
    );
    Bytes::from(info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_basic::{ClientAuth, Session};

    fn value(name: &str, req: &Request) -> String {
        String::from_utf8(Variable::find(name).unwrap().value(req).to_vec()).unwrap()
    }

    #[test]
    fn header_18_and_20_on_a_plain_connection() {
        let session = Session {
            remote_addr: Some("10.0.0.9:999".parse().unwrap()),
            local_addr: Some("[2001:db8::1]:80".parse().unwrap()),
            ..Session::default()
        };
        let mut req = testing::request_on(session, "GET", "/");
        req.route.cluster = "c".into();
        req.backend.cluster = "c".into();
        for (name, want) in [
            ("bfe_client_ip", "10.0.0.9"),
            ("bfe_cip", "10.0.0.9"),
            ("bfe_client_port", "999"),
            ("bfe_request_host", "example.org"),
            ("bfe_vip", "unknown"),
            ("bfe_bip", "unknown"),
            ("bfe_rip", "2001:db8::1"),
            ("bfe_cluster", "c"),
            ("bfe_backend_info", "ClusterName:c,SubClusterName:,BackendName:()"),
            ("bfe_ssl_version", ""),
            ("bfe_ssl_resume", ""),
            ("bfe_protocol", "HTTP/1.1"),
            ("bfe_client_geo_city_name", ""),
            ("client_cert_serial_number", ""),
        ] {
            assert_eq!(value(name, &req), want, "{name}");
        }
        req.backend.name = "b".into();
        req.backend.sub_cluster = "s".into();
        req.backend.addr = "[::1]:80".into();
        assert_eq!(value("bfe_backend_info", &req), "ClusterName:c,SubClusterName:s,BackendName:b(::1)");
        req.client_addr = None;
        assert_eq!(value("bfe_cip", &req), "");
        req.context.set_text("mod_geo.city_name", "Ulm");
        assert_eq!(value("bfe_client_geo_city_name", &req), "Ulm");
        assert!(!value("bfe_server_name", &req).is_empty());
    }

    #[test]
    fn names_of_tls() {
        let session = Session::default();
        *session.tls.borrow_mut() = Some(Box::new(TlsState {
            version: "TLS1.2",
            cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            client_auth: ClientAuth {
                cert: Some(Box::new(ClientCert { common_name: "me".into(), ..ClientCert::default() })),
                ..ClientAuth::default()
            },
            ..TlsState::default()
        }));
        let req = testing::request_on(session, "GET", "/");
        assert_eq!(value("bfe_ssl_version", &req), "TLSv1.2");
        assert_eq!(value("bfe_ssl_cipher", &req), "ECDHE-RSA-AES128-GCM-SHA256");
        assert_eq!(value("bfe_ssl_resume", &req), "N");
        assert_eq!(value("client_cert_subject_common_name", &req), "me");
        assert_eq!(value("client_cert_subject_country", &req), "");
    }
}
