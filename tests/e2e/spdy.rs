//! SPDY/3.1 on the HTTPS port, where a TLS rule names it (lifecycle 17).

use bfe_tests::h2::TlsClient;
use bfe_tests::spdy::{
    self, FIN, GOAWAY, PING, RST_STREAM, SETTINGS, SYN_REPLY, SpdyClient, WINDOW_UPDATE, block, control,
    data, get, numbers,
};
use bfe_tests::{Backend, Bfe, Reply, Tree, wait_until};

const MB: u64 = 1 << 20;

fn tree(backend: &Backend, protos: &str) -> Tree {
    let rules = format!(r#"{{"Version": "1", "DefaultNextProtos": [{protos}], "Config": {{}}}}"#);
    Tree::proxy(backend).file("tls_conf/tls_rule_conf.data", rules)
}

fn spdy_tree(backend: &Backend) -> Tree {
    tree(backend, r#""spdy/3.1", "http/1.1""#)
}

/// That a client which does nothing wrong is served.
#[track_caller]
fn unharmed(bfe: &Bfe) {
    let mut good = SpdyClient::connect(bfe.https_addr());
    good.request(1, &get("/good"));
    let (fields, _) = good.answer(1).expect("an answer");
    assert_eq!(fields[0], (":status".to_owned(), "200".to_owned()));
}

#[test]
fn life_17_it_is_off_unless_a_rule_names_it() {
    let backend = Backend::ok("x");
    for (protos, chosen) in
        [(r#""h2", "http/1.1""#, "http/1.1"), (r#""h2", "spdy/3.1", "http/1.1""#, "spdy/3.1")]
    {
        let bfe = Bfe::start(&tree(&backend, protos));
        let mut client = TlsClient::connect(bfe.https_addr(), &["spdy/3.1", "http/1.1"]);
        assert_eq!(client.alpn(), Some(chosen.as_bytes()), "{protos}");
    }
}

#[test]
fn life_17_requests_are_answered() {
    let backend = Backend::start(|req| match req.line() {
        "GET /fields HTTP/1.1" => Reply::bytes(
            "HTTP/1.1 203 Odd\r\nSet-Cookie: a\r\nX-B: c\r\nSet-Cookie: b\r\nKeep-Alive: 1\r\nContent-Length: 2\r\n\r\nok",
        ),
        "HEAD /head HTTP/1.1" => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        _ => Reply::ok(&req.body),
    });
    let bfe = Bfe::start(&spdy_tree(&backend));
    let mut client = SpdyClient::connect(bfe.https_addr());
    let first = client.frame().unwrap();
    assert_eq!((first.kind, first.stream, &first.rest[..]), (SETTINGS, 1, &[0, 0, 0, 7, 0, 1, 0, 0][..]));

    let mut fields = get("/fields");
    fields.extend([("x-multi", "1\x002"), ("cookie", "a=1\0b=2"), ("user-agent", "spdy")]);
    client.request(1, &fields);
    let (fields, body) = client.answer(1).unwrap();
    let expected = [
        (":status", "203"),
        (":version", "HTTP/1.1"),
        ("content-length", "2"),
        ("set-cookie", "a\0b"),
        ("x-b", "c"),
    ];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!((fields.as_slice(), body.as_slice()), (&expected[..], &b"ok"[..]));
    let asked = backend.wait_requests(1);
    assert!(asked.head.starts_with("GET /fields HTTP/1.1\r\nHost: ok\r\n"), "{}", asked.head);
    for line in ["X-Multi: 1", "X-Multi: 2", "Cookie: a=1; b=2", "User-Agent: spdy"] {
        assert!(asked.head.lines().any(|l| l == line), "{line}: {}", asked.head);
    }

    let mut head = get("/head");
    head[0].1 = "HEAD";
    client.request(3, &head);
    let (fields, body) = client.answer(3).unwrap();
    assert!(fields.contains(&("content-length".into(), "7".into())) && body.is_empty(), "{fields:?}");

    // Bodies beyond every window, both ways.
    let large: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    let length = large.len().to_string();
    let mut post = get("/up");
    post[0].1 = "POST";
    post.push(("content-length", &length));
    let syn = client.syn_stream(5, 0, &block(&post));
    client.tls.send(syn);
    let (mut sent, mut of_stream, mut of_all) = (0, 65_536, 65_536);
    while sent < large.len() {
        let next = of_stream.min(of_all).min(large.len() - sent).min(10_000);
        if next == 0 {
            let update = client.find(|f| f.kind == WINDOW_UPDATE).expect("room for more");
            let more = update.code() as usize;
            if update.stream == 0 {
                of_all += more;
            } else {
                of_stream += more;
            }
            continue;
        }
        let flags = if sent + next == large.len() { FIN } else { 0 };
        client.tls.send(data(5, flags, &large[sent..sent + next]));
        (sent, of_stream, of_all) = (sent + next, of_stream - next, of_all - next);
    }
    let (_, body) = client.answer(5).unwrap();
    assert!(body == large, "the body came back");

    // Many at once.
    for id in (7..107).step_by(2) {
        client.request(id, &get("/many"));
    }
    let mut ended = 0;
    while ended < 50 {
        let frame = client.frame().unwrap();
        if frame.kind == SYN_REPLY {
            assert_eq!(client.fields(&frame.rest)[0].1, "200");
        }
        ended += usize::from(frame.ends_stream());
    }
    client.tls.send(control(PING, 0, &[0, 0, 0, 9]));
    assert_eq!(client.find(|f| f.kind == PING).map(|f| f.stream), Some(9));
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["SPDY_CLIENT_CONN_ACTIVE"], counters["SPDY_CLIENT_REQ_SERVED"]), (1, 53));
    drop(client);
    bfe.wait_idle();
}

#[test]
fn life_17_what_is_refused_never_reaches_a_backend() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&spdy_tree(&backend));
    let mut client = SpdyClient::connect(bfe.https_addr());
    let mut stream = 1;
    for (name, value) in [
        (":method", ""),
        (":method", "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\nGET"),
        (":path", "/a b"),
        (":path", ""),
        (":path", "evil"),
        (":host", "ok\r\nx-evil: 1"),
        (":host", ""),
        (":scheme", "ftp"),
        (":version", ""),
        ("connection", "close"),
        ("keep-alive", "1"),
        ("transfer-encoding", "chunked"),
        ("host", "evil"),
        ("X-Upper", "1"),
        ("x-a", "1\r\nx-evil: 1"),
        ("x a", "1"),
        (":evil", "1"),
    ] {
        let mut fields = get("/");
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => fields.push((name, value)),
        }
        client.request(stream, &fields);
        let reset = client.find(|f| f.stream == stream && f.kind == RST_STREAM);
        assert_eq!(reset.map(|f| f.code()), Some(1), "{name:?}: {value:?}");
        stream += 2;
    }
    // A body that is longer than told.
    let mut post = get("/up");
    post[0].1 = "POST";
    post.push(("content-length", "3"));
    let syn = client.syn_stream(stream, 0, &block(&post));
    client.tls.send([syn, data(stream, FIN, b"abcdef")].concat());
    assert!(client.find(|f| f.stream == stream && f.kind == RST_STREAM).is_some());
    client.request(stream + 2, &get("/fine"));
    assert!(client.answer(stream + 2).is_some(), "the connection is still there");
    assert_eq!(bfe.counters("spdy_state")["SPDY_ERR_BAD_REQUEST"], 17);
    // Blocks that cannot be read, and frames that are none, end the connection.
    let payload = [&(stream + 4).to_be_bytes()[..], &[0; 6], b"this is no zlib stream"].concat();
    let truncated = client.syn_stream(1, FIN, &block(&get("/"))[..40]);
    for broken in [control(spdy::SYN_STREAM, FIN, &payload), truncated, b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut client = SpdyClient::connect(bfe.https_addr());
        client.tls.send(&broken);
        assert_eq!(client.find(|f| f.kind == SYN_REPLY), None);
    }
    unharmed(&bfe);
    drop(client);
    bfe.wait_idle();
    let served: Vec<_> = backend.requests().iter().map(|r| r.line().to_owned()).collect();
    assert_eq!(served, ["GET /fine HTTP/1.1", "GET /good HTTP/1.1"]);
}

#[test]
fn life_17_limits() {
    let backend =
        Backend::start(|req| if req.line().contains("good") { Reply::ok("x") } else { Reply::new().stall() });
    let bfe = Bfe::start(&spdy_tree(&backend).set("MaxHeaderBytes", 65_536));
    unharmed(&bfe);
    let before = bfe.rss();
    let counted = |name: &str| bfe.counters("spdy_state")[name];

    // Streams at once.
    let mut client = SpdyClient::connect(bfe.https_addr());
    for i in 0..201 {
        client.request(2 * i + 1, &get("/held"));
    }
    assert_eq!(client.find(|f| f.kind == GOAWAY), None, "closed without a word");
    assert_eq!(counted("SPDY_ERR_MAX_STREAM_PER_CONN"), 1);
    // A long path.
    let mut client = SpdyClient::connect(bfe.https_addr());
    client.request(1, &get(&format!("/{}", "a".repeat(9000))));
    assert_eq!(client.find(|f| f.kind == GOAWAY), None);
    // A block that is large only once it has been unpacked.
    let mut client = SpdyClient::connect(bfe.https_addr());
    let bomb = client.syn_stream(1, FIN, &vec![0; 16 << 20]);
    assert!(bomb.len() < 64 * 1024);
    client.tls.send(bomb);
    assert_eq!(client.find(|f| f.kind == SYN_REPLY), None);
    // More than the window of the connection.
    let mut client = SpdyClient::connect(bfe.https_addr());
    let mut post = get("/held");
    post[0].1 = "POST";
    let syn = client.syn_stream(1, 0, &block(&post));
    client.tls.send([syn, data(1, 0, &vec![0; 65_537])].concat());
    assert_eq!(client.find(|f| f.kind == GOAWAY).map(|f| f.code()), Some(1));
    // Floods.
    type Piece<'p> = Box<dyn FnMut(&mut SpdyClient, u32) -> Vec<u8> + 'p>;
    let floods: [(&str, Piece<'_>); 4] = [
        (
            "resets",
            Box::new(|client, i| {
                let id = 2 * i + 1;
                [client.syn_stream(id, FIN, &block(&get("/held"))), numbers(RST_STREAM, id, 5)].concat()
            }),
        ),
        ("pings", Box::new(|_, _| control(PING, 0, &[0, 0, 0, 1]).repeat(100))),
        ("settings", Box::new(|_, _| control(SETTINGS, 0, &[0; 4]).repeat(100))),
        ("unknown", Box::new(|_, _| control(77, 0, &[]).repeat(100))),
    ];
    for (i, (name, mut piece)) in floods.into_iter().enumerate() {
        let mut client = SpdyClient::connect(bfe.https_addr());
        for round in 0..200_000 {
            let next = piece(&mut client, round);
            if !client.tls.take_in() || client.tls.try_send(next).is_err() {
                break;
            }
        }
        assert_eq!(client.find(|f| f.kind == GOAWAY).map(|f| f.code()), Some(1), "{name}");
        assert_eq!(counted("SPDY_CONN_OVERLOAD"), i as i64 + 1, "{name}");
        unharmed(&bfe);
    }
    let grown = bfe.rss().saturating_sub(before);
    assert!(grown < 32 * MB, "{grown} bytes more than before");
    // What the clients left behind waits for its backend.
    drop(backend);
    wait_until("no request is left", || bfe.counter("SPDY_CLIENT_REQ_ACTIVE") == 0);
}

#[test]
fn life_106_spdy_is_told_of_a_shutdown() {
    let backend =
        Backend::start(|_| Reply::new().hold().send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow"));
    let mut bfe = Bfe::start(&spdy_tree(&backend).set("GracefulShutdownTimeout", 30));
    let mut client = SpdyClient::connect(bfe.https_addr());
    client.request(1, &get("/slow"));
    backend.wait_held(1);
    bfe.wait_signals_handled("QUIT");
    bfe.signal("QUIT");
    let goaway = client.find(|f| f.kind == GOAWAY).expect("GOAWAY");
    assert_eq!((goaway.stream, goaway.code()), (1, 0));
    // What comes after it is not heard; what was there before goes on.
    client.request(3, &get("/late"));
    backend.release();
    assert_eq!(client.answer(1).map(|(_, body)| body), Some(b"slow".to_vec()));
    assert_eq!(backend.count(), 1);
    drop(client);
    assert_eq!(bfe.wait_exit(), Some(0));
}
