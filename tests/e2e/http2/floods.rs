//! What costs the proxy more than the client: bounded, ended with the right code, and others don't notice.

use super::{tree, unharmed};
use bfe_tests::h2::{TlsClient, block, frame, get};
use bfe_tests::{Backend, Bfe, Reply, TellsOver, wait_until};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const MB: u64 = 1 << 20;
/// A good client waits less than that, on a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(5);

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

/// Does `attack` while another client goes on with its requests: each of them is answered, and at once. Says also
/// how much memory the proxy took meanwhile, beyond what it had.
fn besieged<T>(bfe: &Bfe, attack: impl FnOnce() -> T) -> (T, u64) {
    unharmed(bfe);
    let before = bfe.rss();
    let (over, answered, most) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicU64::new(0));
    let result = thread::scope(|scope| {
        let tells_over = TellsOver(&over);
        scope.spawn(|| {
            let mut good = TlsClient::h2(bfe.https_addr(), &[]);
            for id in (1..).step_by(2) {
                let start = Instant::now();
                good.request(id, &get("/good"));
                assert!(good.answer(id).is_some_and(|(ok, _)| ok), "a good client is served");
                assert!(start.elapsed() < AT_ONCE, "it waited for {:?}", start.elapsed());
                most.fetch_max(bfe.rss(), Relaxed);
                answered.fetch_add(1, Relaxed);
                if over.load(Relaxed) {
                    break;
                }
            }
        });
        wait_until("the good client is there", || answered.load(Relaxed) > 0);
        let result = attack();
        drop(tells_over);
        result
    });
    unharmed(bfe);
    (result, most.into_inner().max(bfe.rss()).saturating_sub(before))
}

/// A head that is followed by a body.
fn open(stream: u32) -> Vec<u8> {
    let fields = [(":method", "POST"), (":scheme", "https"), (":authority", "ok"), (":path", "/held")];
    frame(1, 4, stream, &block(&fields))
}

/// A backend that is in no hurry with anybody but the good.
fn backend() -> Backend {
    Backend::start(|req| match req.line() {
        "GET /good HTTP/1.1" => Reply::ok("x"),
        _ => Reply::new().stall(),
    })
}

#[test]
fn floods_end_with_enhance_your_calm() {
    let backend = backend();
    let bfe = Bfe::start(&tree(&backend));
    type Piece = Box<dyn FnMut(u32) -> Vec<u8>>;
    type Make = fn() -> Piece;
    let floods: [(&str, Make); 10] = [
        ("resets", || {
            let head = block(&get("/held"));
            Box::new(move |i| [frame(1, 5, 2 * i + 1, &head), frame(3, 0, 2 * i + 1, &[0, 0, 0, 8])].concat())
        }),
        // The proxy is made to reset what the client does not: by a window that is raised by nothing.
        ("provoked resets", || {
            let head = block(&get("/good"));
            Box::new(move |i| [frame(1, 5, 2 * i + 1, &head), frame(8, 0, 2 * i + 1, &[0; 4])].concat())
        }),
        // The same by more data than there is a window for.
        ("overrun windows", || {
            let data = frame(0, 0, 1, &[0; 16_000]).repeat(5);
            Box::new(move |i| {
                let id = 2 * i + 1;
                let mut data = data.clone();
                data.chunks_mut(16_009).for_each(|f| f[5..9].copy_from_slice(&id.to_be_bytes()));
                [open(id), data].concat()
            })
        }),
        ("pings", || Box::new(|_| frame(6, 0, 0, &[0; 8]).repeat(100))),
        ("settings", || Box::new(|_| frame(4, 0, 0, &[]).repeat(100))),
        ("settings that change windows", || {
            let settings = [[0, 4, 0, 0, 0, 1], [0, 4, 0, 1, 0, 0]].map(|s| frame(4, 0, 0, &s));
            Box::new(move |_| settings.concat().repeat(50))
        }),
        ("priorities", || Box::new(|_| frame(2, 0, 9, &[0, 0, 0, 0, 16]).repeat(100))),
        ("empty data", || Box::new(|i| if i == 0 { open(1) } else { frame(0, 0, 1, &[]).repeat(100) })),
        ("empty heads", || Box::new(|_| frame(1, 5, 1, &[]).repeat(100))),
        ("empty continuations", || {
            Box::new(|i| if i == 0 { frame(1, 0, 1, &[0x82]) } else { frame(9, 0, 1, &[]).repeat(100) })
        }),
    ];
    let mut floods_so_far = 0;
    for (name, piece) in floods {
        let (codes, grown) =
            besieged(&bfe, || [(); 3].map(|()| flood(&mut TlsClient::h2(bfe.https_addr(), &[]), piece())));
        assert_eq!(codes, [Some(11); 3], "{name}");
        assert!(grown < 32 * MB, "{name}: {grown} bytes more than before");
        floods_so_far += 3;
        assert_eq!(bfe.counters("http2_state")["H2_CONN_OVERLOAD"], floods_so_far, "{name}");
    }
}

#[test]
fn what_costs_nothing_may_go_on() {
    let backend = backend();
    let bfe = Bfe::start(&tree(&backend));
    for (name, piece) in [
        ("windows raised by one", frame(8, 0, 0, &[0, 0, 0, 1]).repeat(1000)),
        ("unknown frames", frame(77, 0, 0, &[0; 100]).repeat(1000)),
        ("goodbyes", frame(7, 0, 0, &[0; 8]).repeat(1000)),
    ] {
        let (answer, grown) = besieged(&bfe, || {
            let mut client = TlsClient::h2(bfe.https_addr(), &[]);
            for _ in 0..200 {
                client.send(&piece);
            }
            client.request(1, &get("/good"));
            client.answer(1)
        });
        assert!(answer.is_some_and(|(ok, _)| ok), "{name}");
        assert!(grown < 16 * MB, "{name}: {grown} bytes more than before");
    }
}

#[test]
fn a_header_block_without_end_is_cut_off() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&tree(&backend).set("MaxHeaderBytes", 65_536));
    let piece = block(&[("x-a", &"b".repeat(1000))]).repeat(16);
    let (code, grown) = besieged(&bfe, || {
        let mut client = TlsClient::h2(bfe.https_addr(), &[]);
        flood(&mut client, |i| frame(if i == 0 { 1 } else { 9 }, 0, 1, &piece))
    });
    assert_eq!(code, Some(1));
    assert!(grown < 8 * MB, "{grown} bytes more than before");
}

#[test]
fn life_91_header_bombs_close_without_a_word() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&tree(&backend).set("MaxHeaderBytes", 65_536));
    // A field in the dynamic table, then an index of one byte for each time that it is meant.
    let mut bomb = block(&get("/"));
    bomb.extend_from_slice(&[0x40, 3, b'x', b'-', b'b', 127, 0xa1, 0x1e]);
    bomb.extend_from_slice(&[b'b'; 4000]);
    bomb.extend_from_slice(&[0xbe; 12_000]);
    let ((), grown) = besieged(&bfe, || {
        for _ in 0..20 {
            let mut client = TlsClient::h2(bfe.https_addr(), &[]);
            client.send(frame(1, 5, 1, &bomb));
            assert_eq!(client.find(|f| f.kind == 7), None, "closed without GOAWAY");
        }
    });
    assert!(grown < 8 * MB, "{grown} bytes more than before");
    assert_eq!(bfe.counters("http2_state")["H2_ERR_MAX_HEADER_LIST_SIZE"], 20);
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
