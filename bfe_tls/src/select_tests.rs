use super::*;
use crate::conf::{client_auth::Folders, server_cert_conf, tls_rule_conf};
use crate::testing::Tree;

struct Setup {
    settings: Settings,
    certs: CertTable,
    rules: RuleTable,
}

fn setup(rules: &str) -> Setup {
    let tree = Tree::new(rules);
    let settings = tree.settings();
    let (certs, _) = server_cert_conf::load(&settings.server_cert_conf, tree.path()).unwrap();
    let folders =
        Folders { ca: settings.client_ca_base_dir.clone(), crl: settings.client_crl_base_dir.clone() };
    let (rules, _) = tls_rule_conf::load(&settings.tls_rule_conf, &certs, &folders).unwrap();
    Setup { settings, certs, rules }
}

/// A hello of TLS 1.2 that fits the certificates of the tree.
fn hello() -> ClientHello {
    ClientHello {
        version: 0x0303,
        suites: vec![0xc02b, 0xcca9, 0xc02f],
        null_compression: true,
        groups: vec![29, 23],
        points: vec![0],
        ..ClientHello::default()
    }
}

const PEER: Peer = Peer { ip: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), vip: None, by_proxy_header: false };

impl Setup {
    fn select(&self, hello: &ClientHello, peer: &Peer) -> (Option<CertLookup>, Result<Selection, Refusal>) {
        select(&self.settings, (&self.certs, &self.rules), Switches::default(), hello, peer)
    }

    fn cipher(&self, hello: &ClientHello) -> Result<Cipher, (u8, u16)> {
        self.select(hello, &PEER).1.map(|s| s.cipher).map_err(|r| (r.alert as u8, r.version))
    }

    fn alpn(&self, switches: Switches, peer: &Peer, name: &str, offered: &[&str]) -> Option<&'static str> {
        let alpn = offered.iter().map(|p| p.as_bytes().to_vec()).collect();
        let hello = ClientHello { server_name: name.into(), alpn, ..hello() };
        let tables = (&self.certs, &self.rules);
        select(&self.settings, tables, switches, &hello, peer).1.unwrap().alpn.map(Protocol::as_str)
    }
}

const GCM_P256: Cipher = Cipher::Tls12 { suite: 0xc02b, group: 23 };

#[test]
fn tls_5_27_39_versions() {
    let mut setup = setup(r#""Config": {}"#);
    let tls13 = |version| ClientHello { version, versions: vec![0x0304, 0x0303], ..hello() };
    let scsv = |version| ClientHello { version, suites: vec![0xc02b, FALLBACK_SCSV], ..hello() };
    let old = |version| ClientHello { version, ..hello() };
    for (min, max, hello, want) in [
        (0x0300, 0x0304, tls13(0x0303), Ok(Cipher::Tls13)),
        (0x0300, 0x0303, tls13(0x0303), Ok(GCM_P256)),
        (0x0304, 0x0304, tls13(0x0303), Ok(Cipher::Tls13)),
        (0x0304, 0x0304, hello(), Err((70, 0x0301))),
        (0x0300, 0x0304, old(0x0303), Ok(GCM_P256)),
        (0x0300, 0x0304, old(0x0400), Ok(GCM_P256)),
        (0x0300, 0x0304, old(0x0302), Err((70, 0x0301))),
        (0x0300, 0x0302, old(0x0303), Err((70, 0x0301))),
        (0x0300, 0x0304, scsv(0x0302), Err((86, 0x0302))),
        (0x0300, 0x0304, scsv(0x0303), Err((86, 0x0303))),
        (0x0300, 0x0303, scsv(0x0303), Ok(GCM_P256)),
        (0x0303, 0x0304, scsv(0x0302), Err((70, 0x0301))),
    ] {
        (setup.settings.min_version, setup.settings.max_version) = (min, max);
        assert_eq!(setup.cipher(&hello), want, "{min:x} to {max:x}, {:x}", hello.version);
    }
    let compressed = ClientHello { null_compression: false, ..hello() };
    assert_eq!(setup.cipher(&compressed), Err((40, 0x0303)));
}

#[test]
fn tls_25_26_28_suites_and_groups() {
    let mut setup = setup(r#""Config": {}, "DefaultChacha20": true"#);
    let none = Err((40, 0x0303));
    let suites = |suites: &[u16]| ClientHello { suites: suites.to_vec(), ..hello() };
    let of = |suite| Ok(Cipher::Tls12 { suite, group: 23 });
    for (wanted, hello, want) in [
        (vec![vec![0xc02b, 0xcca9]], suites(&[0xcca9, 0xc02b]), of(0xcca9)),
        (vec![vec![0xc02b], vec![0xcca9]], suites(&[0xcca9, 0xc02b]), of(0xc02b)),
        (vec![vec![0xc013], vec![0xc02b]], suites(&[0xc013, 0xc02b]), of(0xc02b)),
        (vec![vec![0xc02f]], suites(&[0xc02f]), none),
        (vec![vec![0xc013]], suites(&[0xc013]), none),
    ] {
        setup.settings.cipher_suites.clone_from(&wanted);
        assert_eq!(setup.cipher(&hello), want, "{wanted:x?} {:x?}", hello.suites);
    }
    setup.settings.cipher_suites = vec![vec![0xc02b]];
    for (curves, groups, points, want) in [
        (&[24, 23][..], &[23, 24][..], &[0][..], Some(24)),
        (&[23], &[29, 24, 23], &[0], Some(23)),
        (&[25], &[25, 29], &[0], Some(25)),
        (&[23], &[29], &[0], Some(29)),
        (&[23], &[24], &[0], None),
        (&[23], &[], &[0], None),
        (&[23], &[23], &[1], None),
        (&[23], &[23], &[1, 0], Some(23)),
        (&[23], &[23], &[], Some(23)),
    ] {
        setup.settings.curves = curves.to_vec();
        let hello = ClientHello { groups: groups.to_vec(), points: points.to_vec(), ..hello() };
        let want = want.map_or(none, |group| Ok(Cipher::Tls12 { suite: 0xc02b, group }));
        assert_eq!(setup.cipher(&hello), want, "{curves:?} {groups:?} {points:?}");
    }
    setup.settings.curves = vec![23];
    setup.settings.cipher_suites = vec![vec![0xc02b, 0xcca9]];
    for (points, want) in [(vec![0], 0xcca9), (vec![], 0xc02b)] {
        let hello = ClientHello { suites: vec![0xcca9, 0xc02b], points, server_name: "on".into(), ..hello() };
        let want = Ok(Cipher::Tls12 { suite: want, group: 23 });
        assert_eq!(setup.cipher(&hello), want, "without points there are no equals");
    }
    let (_, refusal) = setup.select(&suites(&[1]), &PEER);
    assert!(refusal.unwrap_err().no_shared_suite);
}

#[test]
fn tls_25_chacha20_is_not_inherited() {
    let setup = setup(
        r#""DefaultChacha20": true, "Config": {
            "off": {"CertName": "a", "SniConf": ["a.org"]},
            "on": {"CertName": "b", "SniConf": ["b.org"], "Chacha20": true}}"#,
    );
    for (name, want) in [("a.org", false), ("b.org", true), ("", true)] {
        let hello = ClientHello { suites: vec![0xcca9], server_name: name.into(), ..hello() };
        assert_eq!(setup.cipher(&hello).is_ok(), want, "{name:?}");
    }
}

#[test]
fn tls_18_22_23_24_certificates_and_how_they_are_found() {
    let setup = setup(
        r#""Config": {
            "vip": {"CertName": "b", "VipConf": ["10.0.0.1"]},
            "name": {"CertName": "a", "SniConf": ["x.a.org"]}}"#,
    );
    let lookup = |has_vip, vip_unknown, without_sni, default| CertLookup {
        has_vip,
        vip_unknown,
        without_sni,
        default,
    };
    for (vip, name, want, how) in [
        (Some("10.0.0.1"), "a.org", "b.org", lookup(true, false, false, false)),
        (Some("10.0.0.1"), "", "b.org", lookup(true, false, false, false)),
        (Some("10.0.0.2"), "b.org", "b.org", lookup(true, true, false, false)),
        (Some("10.0.0.2"), "", "a.org", lookup(true, true, true, true)),
        (None, "B.org.", "b.org", lookup(false, false, false, false)),
        (None, "nope", "a.org", lookup(false, false, false, true)),
        (None, "", "a.org", lookup(false, false, true, true)),
    ] {
        let peer = Peer { vip: vip.map(|v| v.parse().unwrap()), ..PEER };
        let (found, selection) = setup.select(&ClientHello { server_name: name.into(), ..hello() }, &peer);
        assert_eq!(selection.unwrap().cert.names.first().unwrap(), want, "{vip:?} {name}");
        assert_eq!(found, Some(how), "{vip:?} {name}");
    }
}

#[test]
fn tls_29_30_31_32_protocols() {
    let mut setup = setup(
        r#""DefaultNextProtos": ["h2", "spdy/3.1", "http/1.1"], "Config": {
            "steady": {"CertName": "b", "SniConf": ["b.org"], "NextProtos": ["h2;level=1", "http/1.1"]},
            "share": {"CertName": "a", "SniConf": ["a.org"], "NextProtos": ["h2;rate=49", "http/1.1"]}}"#,
    );
    let all = Switches::default();
    let off = Switches { h2_off: true, spdy_off: true };
    let (h2, h1) = (Some("h2"), Some("http/1.1"));
    for (switches, name, offered, want) in [
        (all, "", &["http/1.1", "h2"][..], h2),
        (all, "", &["http/1.1"], h1),
        (all, "", &["foo"], None),
        (all, "", &[], None),
        (all, "", &["H2"], None),
        (all, "", &["spdy/3.1", "http/1.1"], Some("spdy/3.1")),
        (off, "", &["h2", "spdy/3.1", "http/1.1"], h1),
        (off, "b.org", &["h2"], h2),
        (off, "a.org", &["h2"], None),
    ] {
        assert_eq!(setup.alpn(switches, &PEER, name, offered), want, "{name} {offered:?}");
    }
    // 127.0.0.1 stands at 48 in 16 bytes, at 56 in 4.
    let by_header = Peer { by_proxy_header: true, ..PEER };
    assert_eq!(setup.alpn(all, &PEER, "a.org", &["h2"]), h2);
    setup.settings.mapped_addresses = false;
    assert_eq!(setup.alpn(all, &PEER, "a.org", &["h2"]), None);
    assert_eq!(setup.alpn(all, &by_header, "a.org", &["h2"]), h2);
    setup.settings.protocols = vec![Protocol::Http1];
    assert_eq!(setup.alpn(all, &PEER, "", &["h2", "http/1.1"]), h1, "what is not served is not offered");
}
