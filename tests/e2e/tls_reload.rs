//! Reloads of certificates, rules and ticket keys while clients shake hands: none of them notices.

use crate::tls::server_cert;
use bfe_tests::h2::TlsClient;
use bfe_tests::{Backend, Bfe, TellsOver, Tree};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};

/// Time between two reloads, and how long they go on.
const EVERY: Duration = Duration::from_millis(50);
const TIME: Duration = Duration::from_secs(4);

/// A client of one version that trusts those certificates, in PEM, and speaks those groups.
pub(crate) fn client_config(
    certs: &[&str],
    version: &'static SupportedProtocolVersion,
    groups: Vec<&'static dyn SupportedKxGroup>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for cert in certs {
        roots.add(CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()).unwrap();
    }
    let provider = CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() };
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[test]
fn tls_42_68_reloads_under_load_lose_no_handshake() {
    let backend = Backend::ok("hello");
    let (one, two) = (server_cert(&["ok"]), server_cert(&["ok"]));
    let variant = |number: usize| {
        let name = if number.is_multiple_of(2) { "one" } else { "two" };
        let rule = format!(r#""r{number}": {{"CertName": "{name}", "SniConf": ["ok"]}}"#);
        let mut tree = Tree::proxy(&backend)
            .file(
                "tls_conf/server_cert_conf.data",
                format!(
                    r#"{{"Version": "{number}", "Config": {{"Default": "{name}", "CertConf": {{"{name}": {{
                    "ServerCertFile": "tls_conf/{name}.crt", "ServerKeyFile": "tls_conf/{name}.key"}}}}}}}}"#
                ),
            )
            .file(
                "tls_conf/tls_rule_conf.data",
                format!(r#"{{"Version": "{number}", "Config": {{{rule}}}}}"#),
            )
            .sections("[SessionTicket]\nSessionTicketsDisabled = false\n")
            // The key changes now and then, so that there are sessions to resume.
            .file("tls_conf/session_ticket_key.data", format!("{:048}", number / 8));
        for (name, (cert, key)) in [("one", &one), ("two", &two)] {
            tree =
                tree.file(&format!("tls_conf/{name}.crt"), cert).file(&format!("tls_conf/{name}.key"), key);
        }
        tree
    };
    let bfe = Bfe::start(&variant(0));
    let over = AtomicBool::new(false);
    let (full, resumed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let client = |version, resumes: bool| {
        // Also where it ends by a panic.
        let _over = TellsOver(&over);
        let groups = aws_lc_rs::DEFAULT_KX_GROUPS.to_vec();
        let mut config = client_config(&[&one.0, &two.0], version, groups);
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        let config = Arc::new(config);
        while !over.load(Relaxed) {
            let mut client = TlsClient::connect_as(bfe.https_addr(), Arc::clone(&config));
            client.send("GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
            client.read_until(b"\r\n\r\nhello");
            match client.tls().handshake_kind() {
                Some(HandshakeKind::Resumed) => resumed.fetch_add(1, Relaxed),
                _ => full.fetch_add(1, Relaxed),
            };
        }
    };
    thread::scope(|scope| {
        for (version, resumes) in [(&TLS12, false), (&TLS12, true), (&TLS13, false), (&TLS13, true)] {
            let client = &client;
            scope.spawn(move || client(version, resumes));
        }
        let _over = TellsOver(&over);
        let (begin, mut number) = (Instant::now(), 0);
        while begin.elapsed() < TIME && !over.load(Relaxed) {
            let next = Instant::now() + EVERY;
            number += 1;
            bfe.rewrite(&variant(number));
            assert_eq!(bfe.reload("tls_conf"), None);
            assert_eq!(bfe.reload("tls_session_ticket_key"), None);
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        assert!(number >= 20, "only {number} reloads");
    });
    let (full, resumed) = (full.into_inner(), resumed.into_inner());
    assert!(full > 100 && resumed > 50, "{full} full, {resumed} resumed");
    bfe.wait_idle();
    let done = i64::try_from(full + resumed).unwrap();
    assert_eq!((bfe.counter("TLS_HANDSHAKE_ALL"), bfe.counter("TLS_HANDSHAKE_SUCC")), (done, done));
    assert_eq!(bfe.counter("CLIENT_REQ_SERVED"), done);
}
