//! What scanners of TLS look for, and what clients in the wild send (tls 5 to 8).

mod clients;
mod hello;
mod staple;

use bfe_tests::{Backend, Bfe, Tree};
use hello::{Hello, Wire, answer, counted, list, record};
use std::thread;
use std::time::{Duration, Instant};

/// The section of `bfe.conf` that enables session tickets.
const TICKETS: &str = "[SessionTicket]\nSessionTicketsDisabled = false\n";

/// A proxy with a certificate on P-256, with lines for `[HttpsBasic]` and sections behind it.
fn start(lines: &str) -> (Backend, Bfe) {
    let backend = Backend::ok("hello");
    let tree = Tree::proxy(&backend)
        .sections(&format!("[HttpsBasic]\n{lines}"))
        .file("tls_conf/session_ticket_key.data", "k".repeat(48))
        .file("tls_conf/tls_rule_conf.data", r#"{"Version": "1", "DefaultChacha20": true, "Config": {}}"#);
    let bfe = Bfe::start(&tree);
    (backend, bfe)
}

#[test]
fn versions_and_fallbacks() {
    let (_backend, bfe) = start("");
    let bare = Hello { extensions: Vec::new(), ..Hello::tls12() };
    let falls_back = |version| Hello::tls12().version(version).suites(&[0xc02b, 0x5600]);
    for (what, hello, want) in [
        ("SSL 3", bare.version(0x0300), "alert 70"),
        ("TLS 1.0", Hello::tls12().version(0x0301), "alert 70"),
        ("TLS 1.1", Hello::tls12().version(0x0302), "alert 70"),
        ("TLS 1.2", Hello::tls12(), "1.2 c02b"),
        ("TLS 1.3", Hello::tls13(), "1.3 1301"),
        ("a version to come, the old way", Hello::tls12().version(0x0304), "1.2 c02b"),
        ("a version to come", Hello::tls13().with(43, [4, 3, 5, 3, 4]), "1.3 1301"),
        ("TLS 1.2, the new way", Hello::tls12().with(43, [2, 3, 3]), "1.2 c02b"),
        ("TLS 1.1, the new way", Hello::tls12().with(43, [2, 3, 2]), "alert 70"),
        ("fallback to TLS 1.0", falls_back(0x0301), "alert 86"),
        ("fallback to TLS 1.1", falls_back(0x0302), "alert 86"),
        ("fallback to TLS 1.2", falls_back(0x0303), "alert 86"),
        ("no fallback", Hello::tls13().suites(&[0x1301, 0x5600]), "1.3 1301"),
    ] {
        assert_eq!(answer(&bfe, &hello.records(4096)), want, "{what}");
    }
}

#[test]
fn tls_4_weak_suites_are_refused() {
    let (_backend, bfe) = start("");
    for (what, suites) in [
        ("none at all", &[0x0000, 0x0001, 0x0002, 0x003b, 0xc006, 0xc010][..]),
        ("export", &[0x0003, 0x0006, 0x0008, 0x000b, 0x0011, 0x0014, 0x0062]),
        ("anonymous", &[0x0018, 0x001b, 0x0034, 0x003a, 0x006c, 0x00a6, 0xc015, 0xc018]),
        ("RC4", &[0x0004, 0x0005, 0xc002, 0xc007, 0xc00c, 0xc011]),
        ("DES and 3DES", &[0x0009, 0x000a, 0x0016, 0xc008, 0xc012]),
        ("CBC", &[0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028]),
        ("RSA key exchange", &[0x002f, 0x0035, 0x003c, 0x003d, 0x009c, 0x009d, 0xc09c]),
        ("finite fields", &[0x0033, 0x0039, 0x0067, 0x006b, 0x009e, 0x009f, 0xccaa]),
        ("a fixed key", &[0xc001, 0xc004, 0xc02d, 0xc02e, 0xc031]),
        ("TLS 1.3 in TLS 1.2", &[0x1301, 0x1302, 0x1303]),
        ("not for this certificate", &[0xc02f, 0xcca8]),
        ("GREASE", &[0x1a1a, 0xfafa]),
        ("nothing", &[]),
    ] {
        assert_eq!(answer(&bfe, &Hello::tls12().suites(suites).records(4096)), "alert 40", "{what}");
        // Together with a good one, that is taken.
        let both = [suites, &[0xc02b]].concat();
        assert_eq!(answer(&bfe, &Hello::tls12().suites(&both).records(4096)), "1.2 c02b", "{what}");
    }
}

#[test]
fn tls_26_the_server_has_its_order() {
    let (gcm, chacha) =
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    for (conf, client_decides) in [
        (format!("CipherSuites = {chacha}\nCipherSuites = {gcm}\n"), false),
        (format!("CipherSuites = {gcm}|{chacha}\n"), true),
    ] {
        let (_backend, bfe) = start(&conf);
        for (suites, first) in [([0xc02b, 0xcca9], "1.2 c02b"), ([0xcca9, 0xc02b], "1.2 cca9")] {
            let want = if client_decides { first } else { "1.2 cca9" };
            assert_eq!(answer(&bfe, &Hello::tls12().suites(&suites).records(4096)), want, "{conf}");
        }
    }
}

#[test]
fn tls_28_groups() {
    let (_backend, bfe) = start("CurvePreferences = CurveP384\nCurvePreferences = CurveP256\n");
    // Without a key share, the server says which one it wants.
    for (groups, want) in [
        (&[4588, 29, 23][..], "retry 11ec"),
        (&[29, 23], "retry 001d"),
        (&[23], "retry 0017"),
        (&[24], "retry 0018"),
        (&[0x3a3a, 0x6399, 29], "retry 001d"),
        (&[25], "alert 40"),
        (&[30, 256, 257], "alert 40"),
    ] {
        let hello = Hello::tls13().with(51, [0, 0]).with(10, list(groups));
        assert_eq!(answer(&bfe, &hello.records(4096)), want, "{groups:?}");
    }
    for (groups, want) in [(&[23, 24][..], 24), (&[29, 23], 23), (&[29], 29)] {
        let mut wire = Wire::connect(&bfe);
        wire.send(&Hello::tls12().with(10, list(groups)).records(4096));
        wire.hello().unwrap();
        assert_eq!(wire.group(), want, "{groups:?}");
    }
}

#[test]
fn hellos_of_all_shapes() {
    let (_backend, bfe) = start("");
    let grease = |hello: Hello, version: &[u8]| {
        let suites = [&[0x1a1a], hello.suites.as_slice()].concat();
        hello
            .suites(&suites)
            .with(0x2a2a, [])
            .with(43, version)
            .with(10, list(&[0x3a3a, 29, 23]))
            .with(16, b"\0\x0c\x02\x0a\x0a\x08http/1.1")
            .with(0xfafa, [0])
    };
    let grease13 = grease(Hello::tls13(), &[6, 0x4a, 0x4a, 3, 4, 3, 3])
        .with(51, counted(&[&[0x3a, 0x3a, 0, 1, 0][..], &hello::x25519()].concat()));
    let unknown = |hello: Hello| {
        (0x7000..0x7040).fold(hello, |hello, kind| hello.with(kind, vec![1; usize::from(kind % 37)]))
    };
    for (what, hello) in [
        ("GREASE, 1.2", grease(Hello::tls12(), &[4, 0x4a, 0x4a, 3, 3])),
        ("GREASE, 1.3", grease13),
        ("unknown extensions, 1.2", unknown(Hello::tls12())),
        ("unknown extensions, 1.3", unknown(Hello::tls13())),
        ("padding to 512", Hello::tls13().with(21, vec![0; 330])),
        ("padding to 2 KB", Hello::tls13().with(21, vec![0; 2048])),
        ("16 KB", Hello::tls12().with(0x7000, vec![0; 16_000])),
        ("60 KB", Hello::tls13().with(0x7000, vec![0; 60_000])),
        ("many suites", {
            let suites: Vec<u16> = (0x8000..0x8400).chain([0xc02b]).collect();
            Hello::tls12().suites(&suites)
        }),
    ] {
        let want = if hello.extensions.iter().any(|(kind, _)| *kind == 51) { "1.3 1301" } else { "1.2 c02b" };
        // In whole records, in fragments, and in very small ones.
        for size in [8192, 1000, 100] {
            assert_eq!(answer(&bfe, &hello.records(size)), want, "{what}, records of {size}");
        }
    }
    for hello in [Hello::tls12(), Hello::tls13()] {
        let mut wire = Wire::connect(&bfe);
        for byte in hello.records(50) {
            assert!(wire.send(&[byte]));
        }
        wire.hello().unwrap();
    }
}

#[test]
fn tls_19_22_unusual_names() {
    let (_backend, bfe) = start("");
    let long = |label: &str, n: usize| vec![label; n].join(".");
    for (what, name, refused) in [
        ("plain", "ok".to_owned(), None),
        ("upper case", "OK".into(), None),
        ("trailing dot", "ok.".into(), None),
        ("unknown", "nobody.example".into(), None),
        ("an IPv4 address", "127.0.0.1".into(), None),
        ("underscore", "a_b.example".into(), None),
        ("253 bytes", long("a", 127), None),
        ("255 bytes", long("abc", 64), Some("alert 47")),
        ("a label of 64", "a".repeat(64), Some("alert 47")),
        ("2000 bytes", long("abcdefghi", 200), Some("alert 47")),
        ("a blank", "a b".into(), Some("alert 47")),
        ("two dots", "ok..".into(), Some("alert 47")),
        ("a line break", "ok\r\nX: y".into(), Some("alert 47")),
        ("NUL", "ok\0.evil".into(), Some("alert 47")),
        ("nothing", String::new(), Some("alert 50")),
    ] {
        for (hello, good) in [(Hello::tls12(), "1.2 c02b"), (Hello::tls13(), "1.3 1301")] {
            assert_eq!(answer(&bfe, &hello.name(&name).records(4096)), refused.unwrap_or(good), "{what}");
        }
    }
    bfe.wait_counter("TLS_MULTI_CERT_CONN_WITHOUT_SNI", 2);
}

#[test]
fn what_a_server_does_not_agree_to() {
    let (_backend, bfe) = start(TICKETS);
    let said = |hello: &Hello| {
        let mut wire = Wire::connect(&bfe);
        wire.send(&hello.records(4096));
        wire.hello().unwrap()
    };
    // CRIME: no compression.
    let deflate = Hello { compressions: vec![1, 0], ..Hello::tls12() };
    assert_eq!(said(&deflate).compression, 0);
    let only = Hello { compressions: vec![1], ..Hello::tls12() };
    assert_eq!(answer(&bfe, &only.records(4096)), "alert 40");
    // Heartbleed: no heartbeats.
    let heartbeat = Hello::tls12().with(15, [1]);
    assert_eq!(said(&heartbeat).extension(15), None);
    // Nor what nobody asked for.
    let known = [23, 0xff01];
    for (kind, _) in said(&Hello::tls12()).extensions {
        assert!(known.contains(&kind), "extension {kind}");
    }
    // Secure renegotiation is indicated, by either way of asking.
    assert_eq!(said(&Hello::tls12().with(0xff01, [0])).extension(0xff01), Some(&[0][..]));
    assert_eq!(said(&Hello::tls12().suites(&[0xc02b, 0x00ff])).extension(0xff01), Some(&[0][..]));
    // TLS-29: there is no answer to protocols that are none of ours.
    assert_eq!(said(&Hello::tls12().with(16, b"\0\x04\x03foo")).extension(16), None);
    // Ticketbleed: with a ticket that means nothing, a session identifier comes back as it was or not at all.
    for len in [0, 1, 16, 31, 32] {
        let id = vec![0xab; len];
        let hello = Hello::tls12().session_id(&id).with(35, vec![1; 160]);
        let echoed = said(&hello).session_id;
        assert!(echoed.is_empty() || echoed == id, "{len}: {echoed:?}");
        assert_eq!(said(&Hello::tls13().session_id(&id)).session_id, id);
    }
    // TLS-44: without a cache, there is nothing to resume by identifier.
    assert!(said(&Hello::tls12().session_id(&[7; 32])).session_id.is_empty());
}

#[test]
fn messages_out_of_turn_end_the_connection() {
    let (_backend, bfe) = start("");
    let finished = [20, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (what, bytes, want) in [
        ("CCS injection", record(20, &[1]), "alert 10"),
        ("CCS injection, and the end", [record(20, &[1]), record(22, &finished)].concat(), "alert 10"),
        ("Heartbleed", record(24, &[1, 0x40, 0]), "alert 50"),
        ("application data", record(23, b"GET / HTTP/1.1\r\n\r\n"), "alert 10"),
        ("another hello", Hello::tls12().records(4096), "alert 10"),
        ("a key exchange that is none", record(22, &[16, 0, 0, 1, 0]), "closed"),
        ("a message that is too long", record(22, &[16, 0xff, 0xff, 0xff]), "closed"),
        ("an unknown record", record(99, &[0]), "alert 50"),
    ] {
        let mut wire = Wire::connect(&bfe);
        wire.send(&Hello::tls12().with(15, [1]).records(4096));
        wire.hello().unwrap();
        wire.group();
        wire.send(&bytes);
        assert_eq!(wire.hello().unwrap_err(), want, "{what}");
        assert!(wire.record().is_none(), "{what}");
    }
    bfe.wait_idle();
    let counters = bfe.counters("tls_state");
    assert_eq!((counters["TLS_HANDSHAKE_FULL_ALL"], counters["TLS_HANDSHAKE_FULL_SUCC"]), (8, 0));
}

#[test]
fn tls_36_38_hellos_without_end() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&Tree::proxy(&backend).set("TlsHandshakeTimeout", 1));
    let hello = Hello::tls12().records(4096);
    // Cut short, by clients that say so.
    for len in [1, 4, 5, 6, 40, hello.len() - 1] {
        let mut wire = Wire::connect(&bfe);
        wire.send(&hello[..len]);
        wire.end();
        assert!(wire.record().is_none(), "first {len} bytes");
    }
    // Those that say nothing are closed in time, wherever they stop.
    let stopped = |sent: &[u8]| {
        let mut wire = Wire::connect(&bfe);
        wire.send(sent);
        (wire, Instant::now())
    };
    let mut stalled: Vec<_> = [0, 3, 5, 60].map(|len| stopped(&hello[..len])).into();
    let (mut begun, begin) = stopped(&hello);
    begun.hello().unwrap();
    begun.group();
    stalled.push((begun, begin));
    // Nor does it help to send a byte now and then.
    let (mut slow, begin) = stopped(&[]);
    for byte in hello.iter().take(100) {
        if !slow.send(&[*byte]) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    stalled.push((slow, begin));
    for (n, (wire, begin)) in stalled.iter_mut().enumerate() {
        assert!(wire.record().is_none(), "{n}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{n}: {:?}", begin.elapsed());
    }
    bfe.wait_idle();
    assert_eq!((bfe.counter("TLS_HANDSHAKE_ALL"), bfe.counter("TLS_HANDSHAKE_SUCC")), (12, 0));
    let counters = bfe.counters("tls_state");
    assert_eq!(counters["TLS_HANDSHAKE_READ_CLIENT_HELLO_ERR"], 11);
    assert_eq!((counters["TLS_HANDSHAKE_FULL_ALL"], counters["TLS_HANDSHAKE_FULL_SUCC"]), (1, 0));
    assert_eq!(bfe.log().matches("TLS handshake failed").count(), 12);
}
