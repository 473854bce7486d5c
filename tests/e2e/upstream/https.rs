//! Backends that speak HTTP/1 inside TLS (lifecycle 21.2), with nginx in their place.

use super::tree;
use crate::programs::Nginx;
use bfe_tests::{Bfe, peer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;

const GET: &str = "GET / HTTP/1.1\r\nHost: ok\r\n\r\n";

/// A certificate authority, and nginx with a certificate of its own for `backend.test`.
fn nginx(program: &std::path::Path, more: &str) -> (String, Nginx) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["backend.test".to_owned()]).unwrap();
    params.use_authority_key_identifier_extension = true;
    let cert = params.signed_by(&key, &authority).unwrap();
    let (ca, cert, key) = (authority.pem(), cert.pem(), key.serialize_pem());
    let client = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name.push(DnType::CommonName, "the proxy");
    let client_cert = params.signed_by(&client, &authority).unwrap().pem();
    let server = format!(
        "listen 127.0.0.1:PORT ssl; ssl_certificate HERE/cert.pem; ssl_certificate_key HERE/key.pem; ssl_protocols TLSv1.2 TLSv1.3; {more}\n\
         client_max_body_size 10m; client_body_buffer_size 10m;\n\
         location / {{ return 200 \"$ssl_server_name $ssl_protocol $connection_requests $ssl_client_s_dn\"; }}\n\
         location /echo {{ proxy_pass https://127.0.0.1:PORT/sink; }}\n\
         location /sink {{ return 200 $content_length; }}\n\
         location /file {{ alias HERE/cert.pem; }}"
    );
    let files = [
        ("ca.pem", ca.as_str()),
        ("cert.pem", &cert),
        ("key.pem", &key),
        ("client.pem", &client_cert),
        ("client.key", &client.serialize_pem()),
    ];
    (cert.clone(), Nginx::start_with(program, "", &server, &files))
}

#[test]
fn bal_90_91_a_backend_is_verified_by_name_and_authority() {
    let Some(program) = peer("nginx") else { return };
    let (_, nginx) = nginx(&program, "");
    let file = |name: &str| nginx.dir().join(name).display().to_string();
    for (what, https, want) in [
        (
            "listed",
            json!({"RSHost": "backend.test", "RSCAList": [file("ca.pem")]}),
            Some("backend.test TLSv1.3 1 "),
        ),
        ("skipped", json!({"RSInsecureSkipVerify": true}), Some(" TLSv1.3 1 ")),
        (
            "skipped, with a name",
            json!({"RSHost": "x.test", "RSInsecureSkipVerify": true}),
            Some("x.test TLSv1.3 1 "),
        ),
        ("another name", json!({"RSHost": "other.test", "RSCAList": [file("ca.pem")]}), None),
        ("no name", json!({"RSCAList": [file("ca.pem")]}), None),
        ("the system's", json!({"RSHost": "backend.test"}), None),
    ] {
        let tree = tree(nginx.backend(), json!({"BackendConf": {"Protocol": "https"}, "HTTPSConf": https}));
        let bfe = Bfe::start(&tree);
        let answer = bfe.ask(GET);
        match want {
            Some(text) => assert_eq!((answer.status, answer.text()), (200, text), "{what}"),
            None => {
                assert_eq!(answer.status, 500, "{what}");
                assert!(bfe.counter("ERR_BK_CONNECT_BACKEND") >= 1, "{what}");
            }
        }
    }
}

#[test]
fn config_95_a_client_certificate_is_shown_and_connections_are_kept() {
    let Some(program) = peer("nginx") else { return };
    let (cert, nginx) = nginx(&program, "ssl_client_certificate HERE/ca.pem; ssl_verify_client on;");
    let file = |name: &str| nginx.dir().join(name).display().to_string();
    let conf = json!({
        "BackendConf": {"Protocol": "HTTPS"},
        "HTTPSConf": {"RSHost": "backend.test", "RSCAList": [file("ca.pem")],
            "BFECertFile": file("client.pem"), "BFEKeyFile": file("client.key")}
    });
    let bfe = Bfe::start(&tree(nginx.backend(), conf));
    for number in 1..=20 {
        let answer = bfe.client().ask(GET);
        // Each worker has connections of its own, since TLS stays where it is.
        let text = answer.text();
        assert!(
            text.starts_with("backend.test TLSv1.3 ") && text.ends_with(" CN=the proxy"),
            "{number}: {text}"
        );
    }
    assert!(bfe.counters("http_state")["HTTP_BACKEND_CONN_ALL"] <= 2);
    let body = "0123456789abcdef".repeat(1 << 16);
    let upload = format!("POST /sink HTTP/1.1\r\nHost: ok\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(bfe.ask(upload).text(), body.len().to_string());
    assert_eq!(bfe.ask("GET /file HTTP/1.1\r\nHost: ok\r\n\r\n").text(), cert);
    // A reload of the same settings keeps the connections.
    let before = bfe.counters("http_state")["HTTP_BACKEND_CONN_ALL"];
    assert_eq!(bfe.reload("server_data_conf"), None);
    assert_eq!(bfe.ask(GET).status, 200);
    assert!(bfe.counters("http_state")["HTTP_BACKEND_CONN_ALL"] <= before + 1);
}
