use super::*;
use crate::handshake::{Handshake, HandshakeError};
use crate::handshake_thread::HandshakeThread;
use crate::protocol::Protocol;
use crate::testing::{Made, Tree, authority, revocations, signed};
use bytes::BytesMut;
use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, HandshakeKind, KeyLog, SignatureScheme, SupportedProtocolVersion,
    version,
};

/// A client that takes any certificate.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn client(version: &'static SupportedProtocolVersion, identity: Option<&Made>) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer));
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(Made { cert, key }) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    })
}

const PEER: Peer =
    Peer { ip: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), vip: None, by_proxy_header: false };

fn server(settings: Settings) -> TlsServer {
    TlsServer::load(settings).unwrap().0
}

fn thread() -> HandshakeThread {
    HandshakeThread::start("handshake".into()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Both ends of a connection after their handshakes. The client's end has also read one byte, so that it has
/// seen tickets and alerts.
async fn connect(
    server: &TlsServer,
    config: &Arc<ClientConfig>,
    name: &'static str,
) -> (io::Result<TlsStream<DuplexStream>>, Handshake<DuplexStream>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::clone(config));
    let client = async {
        let mut stream = connector.connect(ServerName::try_from(name).unwrap(), near).await?;
        stream.read_u8().await.map(|_| stream)
    };
    let serve = async {
        let mut handshake = server.handshake(&thread(), far, BytesMut::new(), &PEER, soon()).await;
        if let Ok(established) = &mut handshake.result {
            established.stream.write_all(b"!").await.unwrap();
        }
        handshake
    };
    tokio::join!(client, serve)
}

/// What became of a connection: both ends in a few words.
async fn outcome(server: &TlsServer, config: &Arc<ClientConfig>, name: &'static str) -> String {
    let (client, handshake) = connect(server, config, name).await;
    match (client, handshake.result) {
        (Ok(_), Ok(established)) => {
            let state = established.state;
            let resumed = if state.did_resume { " resumed" } else { "" };
            format!("{} {}{resumed}", state.version, state.cipher)
        }
        (Err(client), _) => format!("client: {client}"),
        (Ok(_), Err(server)) => format!("server: {server}"),
    }
}

#[tokio::test]
async fn versions_names_and_what_modules_get_to_know() {
    let tree = Tree::new(r#""DefaultNextProtos": ["h2", "http/1.1"], "Config": {}"#);
    let server = server(tree.settings());
    for (version, name, want, cipher, cert) in [
        (&version::TLS12, "x.a.org", "TLS1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", &tree.a),
        (&version::TLS13, "b.org", "TLS1.3", "TLS_AES_256_GCM_SHA384", &tree.b),
    ] {
        let mut config = (*client(version, None)).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let (client, handshake) = connect(&server, &Arc::new(config), name).await;
        let (client, established) = (client.unwrap(), handshake.result.unwrap());
        let state = established.state;
        assert_eq!((state.version, state.cipher, state.server_name.as_str()), (want, cipher, name));
        assert_eq!((established.protocol, state.negotiated_protocol.as_str()), (Protocol::H2, "h2"));
        assert_eq!((state.did_resume, state.ja3_hash.len()), (false, 32));
        assert!(state.client_random != [0; 32] && state.server_random != [0; 32]);
        let (_, session) = client.get_ref();
        let leaf = session.peer_certificates().unwrap().first().unwrap();
        assert_eq!(*leaf, CertificateDer::from_pem_slice(cert.cert.as_bytes()).unwrap());
        assert!(handshake.lookup.is_some_and(|l| !l.default && !l.has_vip));
    }
}

/// What a client knows of its connection.
#[derive(Debug, Default)]
struct ClientSecrets(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for ClientSecrets {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        self.0.lock().unwrap().push((label.to_owned(), secret.to_vec()));
    }
}

#[tokio::test]
async fn keylog_2_secrets_are_those_of_the_client() {
    let tree = Tree::new(r#""Config": {}"#);
    std::fs::write(tree.path().join("key"), [1; 48]).unwrap();
    let with_tickets = Settings { session_ticket_key: Some(tree.path().join("key")), ..tree.settings() };
    for (version, count) in [(&version::TLS12, 1), (&version::TLS13, 5)] {
        let server = server(with_tickets.clone());
        let mut config = (*client(version, None)).clone();
        let known = Arc::new(ClientSecrets::default());
        config.key_log = known.clone();
        let config = Arc::new(config);
        let (_, handshake) = connect(&server, &client(version, None), "a.org").await;
        assert_eq!(handshake.result.unwrap().state.secrets, [], "nobody has asked");
        server.keep_secrets();
        for resumed in [false, true] {
            let (_, handshake) = connect(&server, &config, "a.org").await;
            let state = handshake.result.unwrap().state;
            assert!(state.did_resume == resumed && state.secrets.len() >= count, "{state:?}");
            let mut want = std::mem::take(&mut *known.0.lock().unwrap());
            // Clients that send no early data do not log its secret.
            let late = state.secrets.iter().filter(|s| s.label != "CLIENT_EARLY_TRAFFIC_SECRET");
            let mut got: Vec<_> = late.map(|s| (s.label.clone(), s.secret.clone())).collect();
            want.sort();
            got.sort();
            assert_eq!(got, want);
        }
    }
}

#[tokio::test]
async fn tls_41_42_44_tickets() {
    let tree = Tree::new(r#""Config": {}"#);
    std::fs::write(tree.path().join("key"), [1; 48]).unwrap();
    let with_tickets = Settings { session_ticket_key: Some(tree.path().join("key")), ..tree.settings() };
    for version in [&version::TLS12, &version::TLS13] {
        let (without, with) = (server(tree.settings()), server(with_tickets.clone()));
        let config = client(version, None);
        for _ in 0..2 {
            let outcome = outcome(&without, &config, "a.org").await;
            assert!(outcome.starts_with("TLS1") && !outcome.ends_with("resumed"), "{outcome}");
        }
        let config = client(version, None);
        for (step, resumed) in [("first", false), ("second", true), ("new key", false), ("again", true)] {
            if step == "new key" {
                std::fs::write(tree.path().join("key"), [2; 48]).unwrap();
                with.reload_ticket_key().unwrap();
            }
            let outcome = outcome(&with, &config, "a.org").await;
            assert!(outcome.starts_with("TLS1"), "{outcome}");
            assert_eq!(outcome.ends_with("resumed"), resumed, "{version:?} {step}: {outcome}");
        }
        std::fs::write(tree.path().join("key"), [1; 47]).unwrap();
        assert!(with.reload_ticket_key().is_err());
        assert!(outcome(&with, &config, "a.org").await.ends_with("resumed"), "the old key stays");
        std::fs::write(tree.path().join("key"), [1; 48]).unwrap();
    }
}

#[tokio::test]
async fn tls_50_54_55_client_certificates() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let tree = Tree::new(
        r#""Config": {
            "auth": {"CertName": "a", "SniConf": ["a.org"], "ClientAuth": true, "ClientCAName": "ca"}}"#,
    );
    tree.write("client_ca/ca.crt", &ours.pem());
    tree.write("client_crl/ca/x.crl", &revocations(&ours, &[66]));
    std::fs::write(tree.path().join("key"), [1; 48]).unwrap();
    let server = server(Settings { session_ticket_key: Some(tree.path().join("key")), ..tree.settings() });
    let good = signed(&ours, 7, &[ClientAuth]);
    for version in [&version::TLS12, &version::TLS13] {
        for (what, identity, want) in [
            ("absent", None, "CertificateRequired"),
            ("foreign", Some(signed(&theirs, 1, &[ClientAuth])), "BadCertificate"),
            ("revoked", Some(signed(&ours, 66, &[ClientAuth])), "CertificateRevoked"),
            ("for servers", Some(signed(&ours, 1, &[ServerAuth])), "BadCertificate"),
            ("for no purpose", Some(signed(&ours, 1, &[])), "HandshakeFailure"),
        ] {
            let outcome = outcome(&server, &client(version, identity.as_ref()), "a.org").await;
            assert!(outcome.starts_with("client") && outcome.contains(want), "{version:?} {what}: {outcome}");
        }
        let config = client(version, Some(&good));
        let (stream, handshake) = connect(&server, &config, "a.org").await;
        stream.unwrap();
        let auth = handshake.result.unwrap().state.client_auth;
        assert_eq!((auth.authenticated, auth.ca_name.as_str()), (true, "ca"));
        let cert = auth.cert.unwrap();
        assert_eq!((cert.serial_number.as_str(), cert.common_name.as_str()), ("7", "client"));
        assert!(outcome(&server, &config, "a.org").await.ends_with("resumed"));

        tree.write("client_crl/ca/x.crl", &revocations(&ours, &[7]));
        server.reload(None).unwrap();
        let outcome = outcome(&server, &config, "a.org").await;
        assert!(outcome.contains("CertificateRevoked"), "{version:?}: {outcome}");
        tree.write("client_crl/ca/x.crl", &revocations(&ours, &[66]));
        server.reload(None).unwrap();
    }
}

#[tokio::test]
async fn tls_35_36_37_38_what_is_no_handshake() {
    let tree = Tree::new(r#""Config": {}"#);
    let server = server(tree.settings());
    for (sent, close, answer) in [
        (&b"GET / HTTP/1.0\r\n\r\n"[..], false, &[21, 3, 1, 0, 2, 2, 10][..]),
        (&[0x80, 46, 1, 3, 1], false, &[21, 3, 1, 0, 2, 2, 70]),
        (b"", true, b""),
        (&[22, 3, 1], true, b""),
        (&[21, 3, 1, 0, 2, 2, 40], false, b""),
    ] {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(sent).await.unwrap();
        if close {
            near.shutdown().await.unwrap();
        }
        let mut got = Vec::new();
        let thread = thread();
        let (handshake, _) = tokio::join!(
            server.handshake(&thread, far, BytesMut::new(), &PEER, soon()),
            near.read_to_end(&mut got)
        );
        assert!(matches!(handshake.result, Err(HandshakeError::Hello(_))), "{sent:?}");
        assert_eq!(got, answer, "{sent:?}");
    }
    let (_near, far) = tokio::io::duplex(1024);
    let deadline = Instant::now() + Duration::from_millis(20);
    let late = server.handshake(&thread(), far, BytesMut::new(), &PEER, deadline).await;
    assert!(matches!(late.result, Err(HandshakeError::Timeout)));
}

#[tokio::test]
async fn tls_40_64_records_and_the_end() {
    let tree =
        Tree::new(r#""Config": {"r": {"CertName": "a", "SniConf": ["a.org"], "DynamicRecord": true}}"#);
    let server = server(tree.settings());
    let (client, handshake) = connect(&server, &client(&version::TLS12, None), "a.org").await;
    let (mut client, mut stream) = (client.unwrap(), handshake.result.unwrap().stream);
    // A record a write; the sizes follow what has been sent.
    let data = vec![7; 20_000];
    let mut sizes = Vec::new();
    let mut sent = 0;
    let mut sink = vec![0; 64 * 1024];
    while sent < (1 << 20) + 40_000 {
        let n = stream.write(&data).await.unwrap();
        sizes.push((sent, n));
        sent += n;
        client.read_exact(sink.get_mut(..n).unwrap()).await.unwrap();
    }
    for (before, n) in sizes {
        // One byte went before.
        assert_eq!(n, if before + 1 < 1 << 20 { 1024 } else { 16_384 }, "after {before} bytes");
    }
    // The client goes without a word.
    let (below, _) = client.into_inner();
    drop(below);
    assert_eq!(stream.read(&mut sink).await.unwrap(), 0);
}

#[tokio::test]
async fn tls_32_68_reloads() {
    let tree = Tree::new(r#""DefaultNextProtos": ["h2", "http/1.1"], "Config": {}"#);
    let server = server(tree.settings());
    let mut config = (*client(&version::TLS13, None)).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let alpn = async || {
        let (_, handshake) = connect(&server, &config, "a.org").await;
        handshake.result.unwrap().state.negotiated_protocol
    };
    assert_eq!(alpn().await, "h2");
    server.switch_protocols("x,-h2");
    assert_eq!(alpn().await, "");
    server.reload(None).unwrap();
    assert_eq!(alpn().await, "", "the switch stays");
    server.switch_protocols("+h2");
    assert_eq!(alpn().await, "h2");

    let before = server.versions();
    tree.rules(r#""Config": null"#);
    assert!(server.reload(None).is_err());
    assert_eq!((server.versions(), alpn().await.as_str()), (before, "h2"));
    std::fs::create_dir(tree.path().join("other")).unwrap();
    for (file, from) in [("other/certs.data", "certs.data"), ("other/rules.data", "rules.data")] {
        std::fs::copy(tree.path().join(from), tree.path().join(file)).unwrap();
    }
    tree.write("other/rules.data", r#"{"Version": "r2", "Config": {}}"#);
    server.reload(Some(&tree.path().join("other"))).unwrap();
    assert_eq!((server.versions().rules.as_str(), alpn().await.as_str()), ("r2", ""));
}

#[tokio::test]
async fn reloads_lose_no_handshake() {
    let tree = Tree::new(r#""Config": {}"#);
    let server = Arc::new(server(tree.settings()));
    let config = client(&version::TLS13, None);
    let reloading = {
        let server = Arc::clone(&server);
        std::thread::spawn(move || (0..20).for_each(|_| drop(server.reload(None).unwrap())))
    };
    let mut shaken = 0;
    while shaken < 20 || !reloading.is_finished() {
        let (client, handshake) = connect(&server, &config, "b.org").await;
        assert!(client.is_ok() && handshake.result.is_ok());
        shaken += 1;
    }
    reloading.join().unwrap();
}

#[tokio::test]
async fn every_group_can_be_used() {
    let tree = Tree::new(r#""Config": {}"#);
    for (curve, name) in [(23, "secp256r1"), (24, "secp384r1")] {
        let server = server(Settings { curves: vec![curve], ..tree.settings() });
        let (client, _) = connect(&server, &client(&version::TLS12, None), "a.org").await;
        let client = client.unwrap();
        let group = client.get_ref().1.negotiated_key_exchange_group().unwrap();
        assert_eq!(format!("{:?}", group.name()), name);
        assert_eq!(client.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}
