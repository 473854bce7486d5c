//! What scanners look for, as whole clients see it.

use super::{TICKETS, start};
use crate::tls::s_client;
use crate::tls_checklist::hello::{Hello, Wire};
use crate::tls_reload::client_config;
use bfe_tests::h2::TlsClient;
use bfe_tests::{Backend, Bfe, Tree, peer};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::aws_lc_rs::kx_group;
use tokio_rustls::rustls::version::TLS13;

#[test]
fn openssl_is_refused_what_is_weak() {
    let Some(openssl) = peer("openssl") else { return };
    let (_backend, bfe) = start("");
    for (arguments, wants) in [
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"][..], "alert protocol version"),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "alert protocol version"),
        (&["-tls1_2", "-fallback_scsv"], "alert inappropriate fallback"),
        (&["-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"], "alert handshake failure"),
        (&["-tls1_2", "-cipher", "kRSA"], "alert handshake failure"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], "alert handshake failure"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"),
        (&["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"], "Cipher is TLS_AES_256_GCM_SHA384"),
        (&["-tls1_3", "-curves", "X25519"], "Temp Key: X25519"),
        (&["-tls1_3", "-curves", "P-256"], "Temp Key: ECDH, prime256v1"),
        (&["-tls1_3", "-curves", "P-384"], "alert handshake failure"),
        (&["-tls1_2"], "Secure Renegotiation IS supported"),
        (&["-tls1_2", "-comp"], "Compression: NONE"),
        // TLS-29: protocols that are none of ours are no reason to refuse anybody.
        (&["-tls1_2", "-alpn", "foo"], "No ALPN negotiated"),
        (&["-tls1_3", "-alpn", "foo,http/1.1"], "ALPN protocol: http/1.1"),
        // TLS-44: without tickets and cache, nothing is resumed.
        (&["-tls1_2", "-reconnect"], "New, TLSv1.2"),
    ] {
        let printed = s_client(&openssl, &bfe, arguments);
        assert!(printed.contains(wants), "{arguments:?}: {printed}");
        assert_eq!(printed.contains("hello"), !wants.contains("alert"), "{arguments:?}: {printed}");
        assert!(!printed.contains("Reused"), "{arguments:?}: {printed}");
    }
}

#[test]
fn clients_cannot_renegotiate() {
    let Some(openssl) = peer("openssl") else { return };
    let backend = Backend::ok("hello");
    // Some versions of openssl wait until the connection ends.
    let bfe = Bfe::start(&Tree::proxy(&backend).set("ClientReadTimeout", 2));
    let mut child = Command::new(openssl)
        .args(["s_client", "-tls1_2", "-connect", &bfe.https_addr().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // On this line, openssl begins another handshake.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"R\n").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(printed.contains("RENEGOTIATING") && printed.contains("no renegotiation"), "{printed}");
    bfe.wait_idle();
    assert_eq!(bfe.counters("tls_state")["TLS_HANDSHAKE_FULL_ALL"], 1);
}

#[test]
fn the_hybrid_group_is_offered() {
    let (_backend, bfe) = start("");
    let root = std::fs::read_to_string(bfe.conf().join("tls_conf/server.crt")).unwrap();
    let config = client_config(&[&root], &TLS13, vec![kx_group::X25519MLKEM768]);
    let mut client = TlsClient::connect_as(bfe.https_addr(), Arc::new(config));
    client.send("GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
    client.read_until(b"hello");
    let group = client.tls().negotiated_key_exchange_group();
    assert!(group.is_some_and(|group| group.name() == kx_group::X25519MLKEM768.name()));
}

/// A session of openssl in a file.
fn session(openssl: &Path, bfe: &Bfe, version: &str, file: &Path) -> String {
    let suite = ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    let session = [version, "-servername", "ok", "-sess_out", file.to_str().unwrap()];
    let first = s_client(openssl, bfe, &[session.as_slice(), &suite].concat());
    assert!(first.contains("hello"), "{first}");
    first
}

#[test]
fn there_is_no_early_data() {
    let Some(openssl) = peer("openssl") else { return };
    let (_backend, bfe) = start(TICKETS);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session");
    let first = session(&openssl, &bfe, "-tls1_3", &file);
    assert!(first.contains("Max Early Data: 0") && !first.contains("Max Early Data: 1"), "{first}");
    // Who sends some all the same is told that it is not taken.
    let data = dir.path().join("data");
    std::fs::write(&data, "GET /early HTTP/1.1\r\nHost: ok\r\n\r\n").unwrap();
    let again = s_client(
        &openssl,
        &bfe,
        &[
            "-tls1_3",
            "-servername",
            "ok",
            "-sess_in",
            file.to_str().unwrap(),
            "-early_data",
            data.to_str().unwrap(),
        ],
    );
    assert!(!again.contains("Early data was accepted"), "{again}");
    let mut wire = Wire::connect(&bfe);
    wire.send(&Hello::tls13().with(42, []).records(4096));
    assert!(wire.hello().is_ok());
}

/// The ticket in what openssl prints of a session.
fn ticket(openssl: &Path, file: &Path) -> Vec<u8> {
    let output = Command::new(openssl)
        .args(["sess_id", "-noout", "-text", "-in", file.to_str().unwrap()])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, dump) =
        printed.split_once("TLS session ticket:\n").unwrap_or_else(|| panic!("no ticket: {printed}"));
    let lines = dump.lines().map_while(|line| line.split_once(" - ")).map(|(_, rest)| rest);
    lines
        .flat_map(|line| line.get(..48).unwrap().split([' ', '-']).filter(|hex| !hex.is_empty()))
        .map(|hex| u8::from_str_radix(hex, 16).unwrap())
        .collect()
}

#[test]
fn ticketbleed() {
    let Some(openssl) = peer("openssl") else { return };
    let (_backend, bfe) = start(TICKETS);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session");
    session(&openssl, &bfe, "-tls1_2", &file);
    let ticket = ticket(&openssl, &file);
    // Whoever resumes gets back the identifier that it sent, and not a byte more.
    for len in [1, 2, 16, 31, 32] {
        let id = vec![0xab; len];
        let hello = Hello::tls12().name("ok").session_id(&id).with(35, &ticket);
        let mut wire = Wire::connect(&bfe);
        wire.send(&hello.records(4096));
        assert_eq!(wire.hello().unwrap().session_id, id, "{len}");
    }
    assert_eq!(bfe.counters("tls_state")["TLS_HANDSHAKE_CHECK_RESUME_SESSION_TICKET"], 5);
}
