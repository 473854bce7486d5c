//! Streams: what a request may say, and what becomes of one whose client goes.

use super::{tree, unharmed};
use bfe_tests::h2::{TlsClient, block, frame, get};
use bfe_tests::{Backend, Bfe, Reply, Step, wait_until};

/// Nothing of a request may change the framing of the one towards the backend.
#[test]
fn life_92_what_is_refused_never_reaches_a_backend() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&tree(&backend));
    let with = |changed: &'static str, value: &'static str| -> Vec<(&'static str, &'static str)> {
        let mut fields = get("/");
        match fields.iter_mut().find(|(name, _)| *name == changed) {
            Some((_, old)) => *old = value,
            None => fields.push((changed, value)),
        }
        fields
    };
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    let mut stream = 1;
    for (name, value) in [
        (":method", "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\nGET"),
        (":method", "GET /evil HTTP/1.1"),
        (":method", ""),
        (":path", "/ HTTP/1.1\r\nX: 1"),
        (":path", "/a b"),
        (":path", "/\0"),
        (":path", ""),
        (":path", "evil"),
        (":authority", "ok\r\nX-Evil: 1"),
        (":authority", "ok\0"),
        (":scheme", "ftp"),
        ("x-a", "1\r\nX-Evil: 1"),
        ("x-a", "1\nX-Evil: 1"),
        ("x-a", "\0"),
        ("x-a\r\nx-evil", "1"),
        ("x a", "1"),
        ("X-A", "1"),
        ("x:a", "1"),
        ("", "1"),
        ("connection", "x-a"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        (":evil", "1"),
    ] {
        client.request(stream, &with(name, value));
        let reset = client.find(|f| f.stream == stream && f.kind == 3);
        assert_eq!(reset.map(|f| f.code()), Some(1), "{name:?}: {value:?}");
        stream += 2;
    }
    client.request(stream, &get("/fine"));
    assert!(client.answer(stream).is_some(), "the connection is still there");
    // Lengths: two that differ, and a body that is longer than told.
    for (lengths, body) in [(&["3", "4"][..], "abc"), (&["3"], "abcdef")] {
        stream += 2;
        let mut fields =
            vec![(":method", "POST"), (":scheme", "https"), (":authority", "ok"), (":path", "/long")];
        fields.extend(lengths.iter().map(|n| ("content-length", *n)));
        client.send([frame(1, 4, stream, &block(&fields)), frame(0, 1, stream, body.as_bytes())].concat());
        let reset = client.find(|f| f.stream == stream && f.kind == 3);
        assert_eq!(reset.map(|f| f.code()), Some(1), "{lengths:?}");
    }
    drop(client);
    bfe.wait_idle();
    let served: Vec<_> = backend.requests().iter().map(|r| r.line().to_owned()).collect();
    assert!(served.iter().all(|line| line == "GET /fine HTTP/1.1"), "{served:?}");
}

#[test]
fn requests_end_when_their_client_goes() {
    let backend = Backend::start(|req| match req.line() {
        "GET /held HTTP/1.1" => Reply::new().hold().send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        "GET /half HTTP/1.1" => {
            Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").then(Step::Stall)
        }
        _ => Reply::ok("x"),
    });
    let bfe = Bfe::start(&tree(&backend));
    for with_reset in [true, false] {
        let mut client = TlsClient::h2(bfe.https_addr(), &[]);
        client.request(1, &get("/half"));
        client.send(frame(
            1,
            4,
            3,
            &block(&[(":method", "POST"), (":scheme", "https"), (":authority", "ok"), (":path", "/up")]),
        ));
        client.send(frame(0, 0, 3, b"some"));
        assert!(client.find(|f| f.stream == 1 && f.kind == 0).is_some(), "the body has begun");
        if with_reset {
            client.send([frame(3, 0, 1, &[0, 0, 0, 8]), frame(3, 0, 3, &[0, 0, 0, 8])].concat());
            client.request(5, &get("/next"));
            assert!(client.answer(5).is_some_and(|(ok, _)| ok), "other streams go on");
            assert_eq!(bfe.counters("proxy_state")["HTTP2_CLIENT_CONN_ACTIVE"], 1);
        }
        drop(client);
        wait_until("no request is left", || bfe.counter("HTTP2_CLIENT_REQ_ACTIVE") == 0);
    }
    assert_eq!(bfe.counters("http2_state")["H2_ERR_GOT_RESET"], 2);
    unharmed(&bfe);
    bfe.wait_idle();
}

#[test]
fn many_streams_share_what_the_client_takes() {
    let large = "0123456789abcdef".repeat(1 << 14);
    let of_backend = large.clone();
    let backend = Backend::start(move |_| Reply::ok(&of_backend));
    let bfe = Bfe::start(&tree(&backend));
    let mut client = TlsClient::h2(bfe.https_addr(), &[(4, 1 << 30)]);
    let streams: Vec<u32> = (0..20).map(|i| 2 * i + 1).collect();
    for id in &streams {
        client.request(*id, &get("/"));
    }
    let mut got = vec![0usize; streams.len()];
    let mut ended = 0;
    while ended < streams.len() {
        let frame = client.frame().expect("the connection goes on");
        let Some(of) = streams.iter().position(|id| *id == frame.stream) else { continue };
        assert_ne!(frame.kind, 3, "no stream is reset");
        if frame.kind == 0 {
            let at = got[of];
            assert!(large.as_bytes()[at..].starts_with(&frame.payload), "stream {} at {at}", frame.stream);
            got[of] += frame.payload.len();
            let credit = u32::try_from(frame.payload.len()).unwrap();
            if credit > 0 {
                client.send(bfe_tests::h2::frame(8, 0, 0, &credit.to_be_bytes()));
            }
        }
        ended += usize::from(frame.ends_stream());
    }
    assert!(got.iter().all(|n| *n == large.len()), "{got:?}");
}
