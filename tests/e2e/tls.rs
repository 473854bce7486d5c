//! The HTTPS port, with curl and openssl as clients, and with what is no TLS at all.

use bfe_tests::{Backend, Bfe, Client, Exposition, Reply, Tree, peer, wait_until};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Certificate and key for those names, in PEM.
pub(crate) fn server_cert(names: &[&str]) -> (String, String) {
    let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A tree with certificates for `ok` (the default), `other.test` and `*.wild.test`.
pub(crate) fn tree(backend: &Backend, rules: &str) -> Tree {
    let mut tree = Tree::proxy(backend)
        .file("tls_conf/tls_rule_conf.data", format!(r#"{{"Version": "1", "Config": {{{rules}}}}}"#))
        .file(
            "tls_conf/server_cert_conf.data",
            r#"{"Version": "1", "Config": {"Default": "server", "CertConf": {
                "server": {"ServerCertFile": "tls_conf/server.crt", "ServerKeyFile": "tls_conf/server.key"},
                "other": {"ServerCertFile": "tls_conf/other.crt", "ServerKeyFile": "tls_conf/other.key"},
                "wild": {"ServerCertFile": "tls_conf/wild.crt", "ServerKeyFile": "tls_conf/wild.key"}}}}"#,
        )
        .sections("[SessionTicket]\nSessionTicketsDisabled = false\n")
        .file("tls_conf/session_ticket_key.data", "k".repeat(48));
    for (file, names) in [("other", &["other.test"][..]), ("wild", &["*.wild.test"])] {
        let (cert, key) = server_cert(names);
        tree = tree.file(&format!("tls_conf/{file}.crt"), cert).file(&format!("tls_conf/{file}.key"), key);
    }
    tree
}

/// Runs openssl s_client with one request; gives all that it prints.
pub(crate) fn s_client(openssl: &Path, bfe: &Bfe, arguments: &[&str]) -> String {
    let mut child = Command::new(openssl)
        .args(["s_client", "-connect", &bfe.https_addr().to_string(), "-ign_eof"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A client that has been refused reads no more.
    let _ = stdin.write_all(b"GET / HTTP/1.1\r\nHost: ok\r\nConnection: close\r\n\r\n");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn curl_speaks_tls_12_and_13() {
    let Some(curl) = peer("curl") else { return };
    let large = "0123456789abcdef".repeat(1 << 16);
    let of_backend = large.clone();
    let backend = Backend::start(move |req| match req.line() {
        "GET /large HTTP/1.1" => Reply::ok(&of_backend),
        _ => Reply::ok(if req.body.is_empty() { b"hello" } else { req.body.as_slice() }),
    });
    let bfe = Bfe::start(&tree(&backend, ""));
    let port = bfe.https_addr().port();
    let resolve = format!("ok:{port}:127.0.0.1");
    let run = |arguments: &[&str]| {
        let output = Command::new(&curl)
            .args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--insecure"])
            .args(["--resolve", &resolve])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let url = |path: &str| format!("https://ok:{port}{path}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("upload");
    std::fs::write(&file, &large).unwrap();
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let run = |more: &[&str]| run(&[version, more].concat());
        assert_eq!(run(&[&url("/"), &url("/again")]), "hellohello");
        assert!(run(&[&url("/large")]) == large, "a large answer");
        assert!(run(&["--upload-file", file.to_str().unwrap(), &url("/up")]) == large, "a large upload");
    }
    bfe.wait_idle();
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["TLS_HANDSHAKE_ALL"], counters["TLS_HANDSHAKE_SUCC"]), (6, 6));
    assert_eq!((counters["HTTPS_CLIENT_CONN_SERVED"], counters["HTTPS_CLIENT_REQ_SERVED"]), (6, 8));
    assert_eq!(counters["HTTPS_CLIENT_CONN_ACTIVE"], 0);
}

#[test]
fn tls_19_20_22_openssl_sees_the_certificate_for_its_name() {
    let Some(openssl) = peer("openssl") else { return };
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend, ""));
    let conf = bfe.conf();
    let pem = |name: &str| std::fs::read_to_string(conf.join("tls_conf").join(name)).unwrap();
    for (arguments, want) in [
        (&["-noservername"][..], "server.crt"),
        (&["-servername", "other.test"], "other.crt"),
        (&["-servername", "OTHER.test"], "other.crt"),
        (&["-servername", "a.wild.test"], "wild.crt"),
        (&["-servername", "a.b.wild.test"], "server.crt"),
        (&["-servername", "nope.test"], "server.crt"),
    ] {
        let printed = s_client(&openssl, &bfe, arguments);
        assert!(printed.contains("hello"), "{arguments:?}: {printed}");
        let (_, rest) = printed.split_once("-----BEGIN CERTIFICATE-----").unwrap();
        let (shown, _) = rest.split_once("-----END").unwrap();
        let text = |pem: &str| pem.split_whitespace().collect::<String>();
        assert!(text(&pem(want)).contains(&text(shown)), "{arguments:?} gets {want}");
    }
    let counters = bfe.counters("proxy_state");
    assert_eq!(counters["TLS_MULTI_CERT_CONN_WITHOUT_SNI"], 1);
    assert_eq!(counters["TLS_MULTI_CERT_USE_DEFAULT"], 3);
}

#[test]
fn tls_41_42_openssl_resumes_until_the_key_changes() {
    let Some(openssl) = peer("openssl") else { return };
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend, ""));
    let dir = tempfile::tempdir().unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let file = dir.path().join(version);
        let file = file.to_str().unwrap();
        let first = s_client(&openssl, &bfe, &[version, "-servername", "ok", "-sess_out", file]);
        assert!(first.contains("New, TLSv1") && first.contains("hello"), "{first}");
        let again = s_client(&openssl, &bfe, &[version, "-servername", "ok", "-sess_in", file]);
        assert!(again.contains("Reused, TLSv1") && again.contains("hello"), "{again}");
        let key = bfe.conf().join("tls_conf/session_ticket_key.data");
        std::fs::write(&key, "too short").unwrap();
        let error = bfe.reload("tls_session_ticket_key").unwrap();
        assert!(error.contains("session_ticket_key.data") && !error.contains("too short"), "{error}");
        let still = s_client(&openssl, &bfe, &[version, "-servername", "ok", "-sess_in", file]);
        assert!(still.contains("Reused"), "{still}");
        std::fs::write(&key, version.repeat(6) + "123456").unwrap();
        assert_eq!(bfe.reload("tls_session_ticket_key"), None);
        let after = s_client(&openssl, &bfe, &[version, "-servername", "ok", "-sess_in", file]);
        assert!(after.contains("New, TLSv1") && after.contains("hello"), "{after}");
    }
    let counters = bfe.counters("tls_state");
    assert_eq!(counters["TLS_HANDSHAKE_RESUME_SUCC"], 4);
    assert_eq!(counters["TLS_HANDSHAKE_FULL_SUCC"], 4);
}

/// A CA for client certificates.
pub(crate) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate and key, in PEM.
pub(crate) fn client_cert(issuer: &CertifiedIssuer<'_, KeyPair>, serial: u64) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.serial_number = Some(serial.into());
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let cert = params.signed_by(&key, issuer).unwrap();
    format!("{}{}", cert.pem(), key.serialize_pem())
}

#[test]
fn tls_50_openssl_shows_client_certificates() {
    let Some(openssl) = peer("openssl") else { return };
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let dir = tempfile::tempdir().unwrap();
    let client = |file: &str, issuer: &CertifiedIssuer<'_, KeyPair>, serial: u64| {
        let path = dir.path().join(file);
        std::fs::write(&path, client_cert(issuer, serial)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let list = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2024, 1, 1),
        next_update: rcgen::date_time_ymd(2044, 1, 1),
        crl_number: 1u64.into(),
        issuing_distribution_point: None,
        revoked_certs: vec![rcgen::RevokedCertParams {
            serial_number: 66u64.into(),
            revocation_time: rcgen::date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&ours).unwrap().pem().unwrap();
    let rules = r#""auth": {"CertName": "other", "SniConf": ["other.test"], "ClientAuth": true, "ClientCAName": "ca"}"#;
    let backend = Backend::ok("hello");
    let tree = tree(&backend, rules)
        .file("tls_conf/client_ca/ca.crt", ours.pem())
        .file("tls_conf/client_crl/ca/revoked.crl", list);
    let bfe = Bfe::start(&tree);
    let (good, revoked, foreign) =
        (client("good", &ours, 1), client("revoked", &ours, 66), client("foreign", &theirs, 1));
    for version in ["-tls1_2", "-tls1_3"] {
        for (what, cert, want) in [
            ("good", Some(&good), "hello"),
            ("revoked", Some(&revoked), "certificate revoked"),
            ("foreign", Some(&foreign), "bad certificate"),
            ("absent", None, "certificate required"),
        ] {
            let mut arguments = vec![version, "-servername", "other.test"];
            if let Some(cert) = cert {
                arguments.extend(["-cert", cert, "-key", cert]);
            }
            let printed = s_client(&openssl, &bfe, &arguments);
            assert!(printed.contains(want), "{version} {what}: {printed}");
            assert_eq!(printed.contains("hello"), what == "good", "{version} {what}: {printed}");
        }
    }
    assert_eq!(backend.count(), 2);
    assert_eq!(bfe.counter("TLS_HANDSHAKE_SUCC"), 2);
}

#[test]
fn tls_35_36_38_65_what_is_no_handshake() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend, "").set("TlsHandshakeTimeout", 1));
    for (sent, answer) in [
        (&b"GET / HTTP/1.1\r\nHost: ok\r\n\r\n"[..], &[21, 3, 1, 0, 2, 2, 10][..]),
        (&[0xff; 64], &[21, 3, 1, 0, 2, 2, 22]),
        (&[0x80, 46, 1, 3, 1, 0, 0], &[21, 3, 1, 0, 2, 2, 70]),
    ] {
        let mut client = Client::connect(bfe.https_addr());
        client.send(sent);
        assert_eq!(client.read_to_end(), answer, "{sent:?}");
    }
    drop(Client::connect(bfe.https_addr()));
    let begin = Instant::now();
    let mut slow = Client::connect(bfe.https_addr());
    slow.send([22, 3, 1, 0, 90, 1, 0]);
    // Others are served meanwhile.
    assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").text(), "hello");
    assert_eq!(slow.read_to_end(), b"");
    assert!(begin.elapsed() >= Duration::from_millis(900), "{:?}", begin.elapsed());
    wait_until("all failures counted", || bfe.counters("proxy_state")["TLS_HANDSHAKE_ALL"] == 5);
    wait_until("all failures counted", || {
        bfe.counters("tls_state")["TLS_HANDSHAKE_READ_CLIENT_HELLO_ERR"] == 5
    });
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["TLS_HANDSHAKE_SUCC"], counters["HTTPS_CLIENT_CONN_SERVED"]), (0, 0));
    let counters = bfe.counters("tls_state");
    assert_eq!((counters["TLS_HANDSHAKE_ZERO_DATA"], counters["TLS_HANDSHAKE_SSLV2_NOT_SUPPORT"]), (1, 1));
    wait_until("failures by result", || {
        let metrics = Exposition::parse(&bfe.monitor("/metrics"));
        metrics.get("bfe_tls_handshakes_total", &[("result", "failure")]) == Some(5.0)
    });
    assert_eq!(backend.count(), 1);
}

#[test]
fn tls_68_a_failing_reload_changes_nothing() {
    let Some(openssl) = peer("openssl") else { return };
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend, ""));
    let served = || s_client(&openssl, &bfe, &["-servername", "other.test"]);
    let file = bfe.conf().join("tls_conf/server_cert_conf.data");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, before.replace("other.key", "wild.key")).unwrap();
    let error = bfe.reload("tls_conf").unwrap();
    assert!(
        error.contains("server_cert_conf.data:3:26: Config.CertConf.other")
            && error.contains("does not match the certificate"),
        "{error}"
    );
    assert!(served().contains("hello"));
    std::fs::write(&file, before).unwrap();
    assert_eq!(bfe.reload("tls_conf"), None);
    assert!(served().contains("hello"));
    let counters = bfe.counters("proxy_state");
    // The load at the start counts too.
    assert_eq!((counters["TLS_MULTI_CERT_UPDATE"], counters["TLS_MULTI_CERT_UPDATE_ERR"]), (2, 1));
}
