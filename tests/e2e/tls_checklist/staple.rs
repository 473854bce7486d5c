//! OCSP responses that come with a certificate (tls 10), with openssl as the client.

use crate::tls::s_client;
use bfe_tests::{Backend, Bfe, Tree, peer};
use rcgen::{CertificateParams, KeyPair};

const SERIAL: u8 = 7;

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [&[tag, 0x82], &u16::try_from(content.len()).unwrap().to_be_bytes()[..], &content].concat()
}

/// An unsigned response for many years, about that serial number.
fn response(serial: u8) -> Vec<u8> {
    let time = |text: &str| der(0x18, &[text.as_bytes()]);
    let sha1 = [0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0];
    let id = der(0x30, &[&sha1, &der(4, &[&[1; 20]]), &der(4, &[&[2; 20]]), &der(2, &[&[serial]])]);
    let next = der(0xa0, &[&time("20440101000000Z")]);
    let answer = der(0x30, &[&id, &[0x80, 0], &time("20240101000000Z"), &next]);
    let responder = der(0xa2, &[&der(4, &[&[3; 20]])]);
    let data = der(0x30, &[&responder, &time("20240101000000Z"), &der(0x30, &[&answer])]);
    let rsa_sha256 = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];
    let basic = der(0x30, &[&data, &rsa_sha256, &der(3, &[&[0; 33]])]);
    let oid = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
    der(0x30, &[&[0x0a, 1, 0], &der(0xa0, &[&der(0x30, &[&oid, &der(4, &[&basic])])])])
}

#[test]
fn tls_56_responses_are_shown_to_who_asks() {
    let Some(openssl) = peer("openssl") else { return };
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["ok".to_owned()]).unwrap();
    params.serial_number = Some(u64::from(SERIAL).into());
    let cert = params.self_signed(&key).unwrap().pem();
    let backend = Backend::ok("hello");
    let conf = r#"{"Version": "1", "Config": {"Default": "server", "CertConf": {"server": {"ServerCertFile": "tls_conf/server.crt",
        "ServerKeyFile": "tls_conf/server.key", "OcspResponseFile": "tls_conf/server.ocsp"}}}}"#;
    let tree = Tree::proxy(&backend)
        .file("tls_conf/server.crt", cert)
        .file("tls_conf/server.key", key.serialize_pem())
        .file("tls_conf/server.ocsp", "")
        .file("tls_conf/server_cert_conf.data", conf)
        .sections("[SessionTicket]\nSessionTicketsDisabled = false\n")
        .file("tls_conf/session_ticket_key.data", "k".repeat(48));
    let bfe = Bfe::start(&tree);
    let dir = tempfile::tempdir().unwrap();
    for (serial, shown) in [(SERIAL, true), (SERIAL + 1, false)] {
        std::fs::write(bfe.conf().join("tls_conf/server.ocsp"), response(serial)).unwrap();
        assert_eq!(bfe.reload("tls_conf"), None);
        for version in ["-tls1_2", "-tls1_3"] {
            let file = dir.path().join(version);
            let file = file.to_str().unwrap();
            let asks =
                s_client(&openssl, &bfe, &[version, "-servername", "ok", "-status", "-sess_out", file]);
            assert!(asks.contains("hello"), "{asks}");
            assert_eq!(asks.contains("OCSP Response Status: successful"), shown, "{version}: {asks}");
            assert_eq!(asks.contains("OCSP response: no response sent"), !shown, "{version}: {asks}");
            let silent = s_client(&openssl, &bfe, &[version, "-servername", "ok"]);
            assert!(silent.contains("hello") && !silent.contains("OCSP Response Status"), "{silent}");
            // TLS-41: a session that is resumed has none.
            let again =
                s_client(&openssl, &bfe, &[version, "-servername", "ok", "-status", "-sess_in", file]);
            assert!(again.contains("Reused") && !again.contains("OCSP Response Status"), "{again}");
        }
    }
    assert!(bfe.log().contains("serial number"), "{}", bfe.log());
    assert_eq!(bfe.counters("tls_state")["TLS_STATUS_REQUEST_EXT_COUNT"], 4);
}
