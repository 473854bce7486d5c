use super::*;
use crate::testing::{authority as ca, revocations, signed};
use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
use std::fs;
use tokio_rustls::rustls::pki_types::UnixTime;

/// What the verifier says of a certificate: `ok`, or its error.
fn judged(authority: &Authority, chain: &[&str]) -> String {
    let ders: Vec<_> = chain.iter().flat_map(|pem| certificates(pem.as_bytes())).collect();
    let (leaf, rest) = ders.split_first().unwrap();
    match authority.verifier.verify_client_cert(leaf, rest, UnixTime::now()) {
        Ok(_) => "ok".into(),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn tls_50_51_52_53_who_is_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (ca("ours"), ca("theirs"));
    let lists = dir.path().join("lists");
    fs::create_dir(&lists).unwrap();
    fs::write(lists.join("a.crl"), revocations(&ours, &[66])).unwrap();
    fs::write(lists.join("ignored.txt"), "junk").unwrap();
    let load = |file: &str| {
        authority("ours", certificates(file.as_bytes()), Revoked::load(&lists).unwrap()).unwrap()
    };

    let known = load(&format!("text\n{}", ours.pem()));
    assert_eq!(known.verifier.root_hint_subjects().len(), 1);
    let client = |serial, purposes: &[_]| signed(&ours, serial, purposes).cert;
    let bad = "InvalidCertificate(BadEncoding)";
    for (what, chain, want) in [
        ("good", vec![client(1, &[ClientAuth])], "ok"),
        ("good for two purposes", vec![client(1, &[ServerAuth, ClientAuth])], "ok"),
        ("foreign", vec![signed(&theirs, 1, &[ClientAuth]).cert], bad),
        ("revoked", vec![client(66, &[ClientAuth])], "InvalidCertificate(Revoked)"),
        (
            "good with a revoked one",
            vec![client(1, &[ClientAuth]), client(66, &[])],
            "InvalidCertificate(Revoked)",
        ),
        ("for servers", vec![client(1, &[ServerAuth])], bad),
        ("for no purpose", vec![client(1, &[])], "General(\"certificate is not for client authentication\")"),
        (
            "for any purpose",
            vec![client(1, &[Any])],
            "General(\"certificate is not for client authentication\")",
        ),
    ] {
        let chain: Vec<_> = chain.iter().map(String::as_str).collect();
        assert_eq!(judged(&known, &chain), want, "{what}");
    }

    let empty = load("junk");
    assert_eq!(judged(&empty, &[&client(1, &[ClientAuth])]), bad, "an empty set lets nobody in");
    assert_ne!(known.fingerprint, empty.fingerprint);
    fs::write(lists.join("b.crl"), revocations(&ours, &[67])).unwrap();
    assert_ne!(load(&ours.pem()).fingerprint, known.fingerprint, "a new list is a new domain");
    fs::write(lists.join("c.crl"), "junk").unwrap();
    let error = Revoked::load(&lists).unwrap_err();
    assert!(error.contains("c.crl: revocation list is malformed"), "{error}");
}

#[test]
fn no_folder_is_no_list() {
    assert!(Revoked::load(Path::new("/nonexistent/lists")).is_ok());
}
