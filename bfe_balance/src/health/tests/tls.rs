//! The `tls` and `https` checks.

use super::*;
use crate::health::probe::check;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

/// A CA, a server certificate by way of an intermediate, a client certificate; the files of all.
struct Pki {
    dir: TempDir,
    root: CertificateDer<'static>,
    server: (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
}

impl Pki {
    fn new(names: &[&str], common_name: &str) -> Self {
        let root = CertifiedIssuer::self_signed(ca("root"), KeyPair::generate().unwrap()).unwrap();
        let middle = CertifiedIssuer::signed_by(ca("middle"), KeyPair::generate().unwrap(), &root).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let server = params.signed_by(&key, &middle).unwrap();
        let client_key = KeyPair::generate().unwrap();
        let client = CertificateParams::new(Vec::new()).unwrap().signed_by(&client_key, &root).unwrap();
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("root", root.pem()),
            ("middle", middle.pem()),
            ("server", server.pem()),
            ("client", client.pem()),
            ("client_key", client_key.serialize_pem()),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self {
            dir,
            root: root.der().clone(),
            server: (
                vec![server.der().clone(), middle.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            ),
        }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn acceptor(&self, client_auth: bool, version: &'static SupportedProtocolVersion) -> TlsAcceptor {
        let builder = ServerConfig::builder_with_protocol_versions(&[version]);
        let builder = if client_auth {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let (chain, key) = &self.server;
        let config = builder.with_single_cert(chain.clone(), key.clone_key()).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn cluster(check: &str, https: &str) -> Arc<ClusterConf> {
    conf(&format!(r#"{{"BackendConf":{{"Protocol":"https"}},"CheckConf":{check},"HTTPSConf":{https}}}"#))
}

/// Checks a backend that speaks TLS and gives this answer.
async fn ask(acceptor: &TlsAcceptor, conf: &ClusterConf, text: &str) -> (Result<(), String>, String) {
    let (listener, port) = listen().await;
    let (backend, _) = backend("127.0.0.1", port);
    let serve = async {
        let stream = accept(&listener).await;
        // A client that gives up is none of the server's business.
        let Ok(mut stream) = acceptor.accept(stream).await else { return String::new() };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut head).await {
                Ok(n) if n > 0 => {}
                _ => break,
            }
        }
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
        String::from_utf8(head).unwrap()
    };
    let (result, head) = tokio::join!(check(&backend, conf), serve);
    (result.map_err(|error| error.to_string()), head)
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

#[tokio::test]
async fn bal_76_tls_check_is_a_handshake() {
    let pki = Pki::new(&["example.org"], "x");
    let trust = format!(r#"{{"RSCAList":["{}"]}}"#, pki.path("root"));
    for version in VERSIONS {
        let acceptor = pki.acceptor(false, version);
        let good = cluster(r#"{"Schem":"tls","Host":"example.org"}"#, &trust);
        assert_eq!(ask(&acceptor, &good, "").await.0, Ok(()));
    }
}

#[tokio::test]
async fn bal_80_names_and_trust() {
    let pki = Pki::new(&["example.org", "127.0.0.1"], "cn.example.org");
    let wild = Pki::new(&[], "*.example.org");
    let list = |pki: &Pki, name: &str| format!(r#"{{"RSCAList":["{}"]}}"#, pki.path(name));
    let skip = r#"{"RSInsecureSkipVerify":true,"RSCAList":["/no/such/file"]}"#.to_owned();
    let by_host = |host: &str| format!(r#"{{"Schem":"tls","Host":"{host}"}}"#);
    let by_ip = r#"{"Schem":"tls","Host":"wrong","HostType":"Instance_IP"}"#.to_owned();
    for (pki, check, https, good) in [
        (&pki, by_host("example.org"), list(&pki, "root"), true),
        (&pki, by_host("example.org"), list(&pki, "middle"), true),
        (&pki, by_host("example.org"), list(&pki, "server"), true),
        (&pki, by_host("example.org"), list(&wild, "root"), false),
        (&pki, by_host("wrong.org"), list(&pki, "root"), false),
        (&pki, by_host("cn.example.org"), list(&pki, "root"), true),
        (&pki, by_host(""), list(&pki, "root"), false),
        (&pki, by_ip, list(&pki, "root"), true),
        (&pki, by_host("wrong.org"), skip.clone(), true),
        (&pki, by_host(""), skip, true),
        // RSHost is for requests, not for checks.
        (
            &pki,
            by_host(""),
            format!(r#"{{"RSHost":"example.org","RSCAList":["{}"]}}"#, pki.path("root")),
            false,
        ),
        // Nothing to trust but the system's own certificates.
        (&pki, by_host("example.org"), "{}".to_owned(), false),
        (&wild, by_host("a.example.org"), list(&wild, "root"), true),
        (&wild, by_host("a.b.example.org"), list(&wild, "root"), false),
        (&wild, by_host("example.org"), list(&wild, "root"), false),
    ] {
        let conf = cluster(&check, &https);
        let result = ask(&pki.acceptor(false, &version::TLS13), &conf, "").await.0;
        assert_eq!(result.is_ok(), good, "{check} {https}: {result:?}");
    }
}

#[tokio::test]
async fn bal_80_two_way_tls() {
    let pki = Pki::new(&["example.org"], "x");
    let root = pki.path("root");
    let without = format!(r#"{{"RSCAList":["{root}"]}}"#);
    let with = format!(
        r#"{{"RSCAList":["{root}"],"BFECertFile":"{}","BFEKeyFile":"{}"}}"#,
        pki.path("client"),
        pki.path("client_key")
    );
    for version in VERSIONS {
        let acceptor = pki.acceptor(true, version);
        for scheme in ["tls", "https"] {
            let check = format!(r#"{{"Schem":"{scheme}","Host":"example.org"}}"#);
            let answer = "HTTP/1.1 200 OK\r\n\r\n";
            assert_eq!(ask(&acceptor, &cluster(&check, &with), answer).await.0, Ok(()), "{scheme}");
            let refused = ask(&acceptor, &cluster(&check, &without), answer).await.0;
            assert!(refused.is_err(), "{scheme} {version:?}");
        }
    }
}

#[tokio::test]
async fn bal_75_https_answers() {
    let pki = Pki::new(&["example.org"], "x");
    let acceptor = pki.acceptor(false, &version::TLS13);
    let https = format!(r#"{{"RSCAList":["{}"]}}"#, pki.path("root"));
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(128 * 3 - 24));
    assert_eq!(long.len() % 128, 0);
    for (more, answer, want) in [
        (r#""StatusCode":200"#, "HTTP/1.1 200 OK\r\n\r\n", Ok(())),
        (r#""StatusCode":200"#, long.as_str(), Ok(())),
        (
            r#""StatusCode":200"#,
            "HTTP/1.1 404 No\r\n\r\n",
            Err("response statusCode[404], while expect[200]"),
        ),
        (r#""StatusCode":200,"StatusCodeRange":"4xx""#, "HTTP/1.1 404 No\r\n\r\n", Ok(())),
        (r#""StatusCodeRange":"2XX""#, "HTTP/1.1 200 OK\r\n\r\n", Err("not match: statusCode=200")),
        (r#""StatusCode":0"#, "nonsense\r\n", Err(r#"malformed answer "nonsense\r""#)),
        (r#""StatusCode":0"#, "", Err(r#"malformed answer """#)),
    ] {
        let conf = cluster(&format!(r#"{{"Schem":"https","Uri":"/x","Host":"example.org",{more}}}"#), &https);
        let (result, head) = ask(&acceptor, &conf, answer).await;
        assert_eq!(result, want.map_err(str::to_owned), "{more} {answer:?}");
        assert_eq!(head, "GET /x HTTP/1.1\r\nHost: example.org\r\nUser-Agent: BFE-Health-Check\r\n\r\n");
    }
}
