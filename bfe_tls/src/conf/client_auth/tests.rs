use super::*;
use crate::testing::{authority as ca, revocations, signed};
use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
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
    let load = |file: &str| authority("ours", certificates(file.as_bytes()), Revoked::load(&lists).unwrap());

    let known = load(&format!("text\n{}", ours.pem()));
    assert_eq!(known.verifier.root_hint_subjects().len(), 1);
    let client = |serial, purposes: &[_]| signed(&ours, serial, purposes).cert;
    let bad = "InvalidCertificate(BadEncoding)";
    let not_for_clients = "General(\"tls: client's certificate's extended key usage doesn't permit it to be used for client authentication\")";
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
        ("for no purpose", vec![client(1, &[])], not_for_clients),
        ("for any purpose", vec![client(1, &[Any])], not_for_clients),
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
fn tls_50_who_may_vouch() {
    let root = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let unknown = |critical| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(critical);
        extension
    };
    for (what, root, lets_in) in [
        ("a root", root(&|_| {}), true),
        ("over", root(&|p| p.not_after = date_time_ymd(2024, 1, 2)), false),
        ("to come", root(&|p| p.not_before = date_time_ymd(2050, 1, 1)), false),
        ("no CA", root(&|p| p.is_ca = IsCa::ExplicitNoCa), false),
        ("says nothing", root(&|p| p.is_ca = IsCa::NoCa), false),
        ("may not sign", root(&|p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]), false),
        ("may sign", root(&|p| p.key_usages = vec![KeyUsagePurpose::KeyCertSign]), true),
        ("for servers", root(&|p| p.extended_key_usages = vec![ServerAuth]), false),
        ("for clients", root(&|p| p.extended_key_usages = vec![ServerAuth, ClientAuth]), true),
        ("unknown demand", root(&|p| p.custom_extensions = vec![unknown(true)]), false),
        ("unknown", root(&|p| p.custom_extensions = vec![unknown(false)]), true),
    ] {
        let known = authority("ours", certificates(root.pem().as_bytes()), Revoked::default());
        let client = signed(&root, 1, &[ClientAuth]).cert;
        let want = if lets_in { "ok" } else { "InvalidCertificate(BadEncoding)" };
        assert_eq!(judged(&known, &[&client]), want, "{what}");
        assert_eq!(known.verifier.root_hint_subjects().len(), 1, "{what}");
    }
}

#[test]
fn tls_50_length_of_chains_and_renewed_roots() {
    let root = |length, not_after| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(length);
        params.not_after = not_after;
        params
    };
    let late = date_time_ymd(2060, 1, 1);
    let between = |issuer: &CertifiedIssuer<'static, KeyPair>| {
        let mut params = root(BasicConstraints::Unconstrained, late);
        params.distinguished_name.push(DnType::CommonName, "between");
        CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
    };
    for (length, want) in [(0, "InvalidCertificate(BadEncoding)"), (1, "ok")] {
        let params = root(BasicConstraints::Constrained(length), late);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let between = between(&root);
        let known = authority("ours", certificates(root.pem().as_bytes()), Revoked::default());
        let client = signed(&between, 1, &[ClientAuth]).cert;
        assert_eq!(judged(&known, &[&client, &between.pem()]), want, "{length}");
        assert_eq!(judged(&known, &[&signed(&root, 1, &[ClientAuth]).cert]), "ok", "{length}");
    }

    let key = KeyPair::generate().unwrap();
    let old = root(BasicConstraints::Unconstrained, date_time_ymd(2024, 1, 2)).self_signed(&key).unwrap();
    let new = CertifiedIssuer::self_signed(root(BasicConstraints::Unconstrained, late), key).unwrap();
    let both = format!("{}{}", old.pem(), new.pem());
    let known = authority("ours", certificates(both.as_bytes()), Revoked::default());
    assert_eq!(judged(&known, &[&signed(&new, 1, &[ClientAuth]).cert]), "ok");
}

#[test]
fn tls_52_what_is_a_list() {
    let list = revocations(&ca("ours"), &[66]);
    let der = pem::blocks(list.as_bytes()).remove(0).der;
    let trailing = [&der[..], b"x"].concat();
    for (name, content, ok) in [
        ("a.crl", list.as_bytes(), true),
        ("a.crl", &der[..], true),
        ("a.crl", &trailing, false),
        ("a.crl", format!("{list}text").as_bytes(), true),
        ("a.crl", format!("text\n{list}").as_bytes(), false),
        (".crl", b"junk", false),
        ("a.CRL", b"junk", true),
        ("a.crl.old", b"junk", true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), content).unwrap();
        assert_eq!(Revoked::load(dir.path()).is_ok(), ok, "{name}, {} bytes", content.len());
    }
}

#[test]
fn no_folder_is_no_list() {
    assert!(Revoked::load(Path::new("/nonexistent/lists")).is_ok());
}
