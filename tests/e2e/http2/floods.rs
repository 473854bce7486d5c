//! What costs the proxy more than the client: bounded, ended with the right code, and others don't notice.

use super::{tree, unharmed};
use bfe_tests::h2::{TlsClient, block, frame, get};
use bfe_tests::{Backend, Bfe, Reply};

const MB: u64 = 1 << 20;

/// Sends until the proxy has had enough; gives the code of its GOAWAY, `None` where there was none.
fn flood(client: &mut TlsClient, mut piece: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    for round in 0..200_000 {
        // What it has said would be lost with the reset that follows its close.
        if !client.take_in() || client.try_send(piece(round)).is_err() {
            break;
        }
    }
    client.find(|f| f.kind == 7).map(|f| f.code())
}

#[test]
fn floods_end_with_enhance_your_calm() {
    let backend = Backend::start(|req| match req.line() {
        "GET /good HTTP/1.1" => Reply::ok("x"),
        _ => Reply::new().stall(),
    });
    let bfe = Bfe::start(&tree(&backend));
    unharmed(&bfe);
    let before = bfe.rss();
    let open = |client: &mut TlsClient| {
        client.send(frame(
            1,
            4,
            1,
            &block(&[(":method", "POST"), (":scheme", "https"), (":authority", "ok"), (":path", "/")]),
        ));
    };
    type Piece = Box<dyn FnMut(u32) -> Vec<u8>>;
    let floods: [(&str, bool, Piece); 6] = [
        ("resets", false, {
            let head = block(&get("/"));
            Box::new(move |i| [frame(1, 5, 2 * i + 1, &head), frame(3, 0, 2 * i + 1, &[0, 0, 0, 8])].concat())
        }),
        ("pings", false, Box::new(|_| frame(6, 0, 0, &[0; 8]).repeat(100))),
        ("settings", false, Box::new(|_| frame(4, 0, 0, &[]).repeat(100))),
        ("priorities", false, Box::new(|_| frame(2, 0, 9, &[0, 0, 0, 0, 16]).repeat(100))),
        ("empty data", true, Box::new(|_| frame(0, 0, 1, &[]).repeat(100))),
        ("empty continuations", false, {
            Box::new(|i| if i == 0 { frame(1, 0, 1, &[]) } else { frame(9, 0, 1, &[]).repeat(100) })
        }),
    ];
    for (name, with_stream, piece) in floods {
        let mut client = TlsClient::h2(bfe.https_addr(), &[]);
        if with_stream {
            open(&mut client);
        }
        assert_eq!(flood(&mut client, piece), Some(11), "{name}");
        unharmed(&bfe);
    }
    assert_eq!(bfe.counters("http2_state")["H2_CONN_OVERLOAD"], 6);
    let grown = bfe.rss().saturating_sub(before);
    assert!(grown < 32 * MB, "{grown} bytes more than before");
}

#[test]
fn a_header_block_without_end_is_cut_off() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&tree(&backend).set("MaxHeaderBytes", 65_536));
    unharmed(&bfe);
    let before = bfe.rss();
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    let piece = block(&[("x-a", &"b".repeat(1000))]).repeat(16);
    let code = flood(&mut client, |i| frame(if i == 0 { 1 } else { 9 }, 0, 1, &piece));
    assert_eq!(code, Some(1));
    assert!(bfe.rss().saturating_sub(before) < 8 * MB);
    unharmed(&bfe);
}

#[test]
fn life_91_header_bombs_close_without_a_word() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&tree(&backend).set("MaxHeaderBytes", 65_536));
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    // A field in the dynamic table, then an index of one byte for each time that it is meant.
    let mut bomb = block(&get("/"));
    bomb.extend_from_slice(&[0x40, 3, b'x', b'-', b'b', 127, 0xa1, 0x1e]);
    bomb.extend_from_slice(&[b'b'; 4000]);
    bomb.extend_from_slice(&[0xbe; 12_000]);
    client.send(frame(1, 5, 1, &bomb));
    assert_eq!(client.find(|f| f.kind == 7), None, "closed without GOAWAY");
    assert_eq!(bfe.counters("http2_state")["H2_ERR_MAX_HEADER_LIST_SIZE"], 1);
    unharmed(&bfe);
}

#[test]
fn a_client_that_never_reads_costs_little() {
    let large = Reply::ok("x".repeat(4 << 20));
    let backend =
        Backend::start(move |req| if req.line().contains("/large") { large.clone() } else { Reply::ok("x") });
    let bfe = Bfe::start(&tree(&backend));
    unharmed(&bfe);
    let before = bfe.rss();
    // No window for the streams, then none for the connection, then all of it but nobody who reads.
    for (settings, window) in [(0, 0), (1 << 30, 0), (1 << 30, 1 << 30)] {
        let mut deaf = TlsClient::h2(bfe.https_addr(), &[(4, settings)]);
        if window > 0 {
            deaf.send(frame(8, 0, 0, &u32::to_be_bytes(window)));
        }
        for i in 0..50 {
            deaf.request(2 * i + 1, &get("/large"));
        }
        // PINGs that are never read back fill the output, too.
        for _ in 0..50 {
            if deaf.try_send(frame(6, 0, 0, &[0; 8])).is_err() {
                break;
            }
        }
        unharmed(&bfe);
        let grown = bfe.rss().saturating_sub(before);
        assert!(grown < 64 * MB, "{grown} bytes with window {settings}, {window}");
    }
    bfe.wait_idle();
}
