//! How often the plain path asks the allocator. No clock is involved, so that it is the same on every machine.
//!
//! The server runs in this process, on a counting allocator; client and backend are threads with fixed buffers, which
//! allocate nothing once they have started. To see which lines allocate, run with `BFE_ALLOCATIONS=FILE` and open the
//! file in DHAT's viewer.

// In a harness a panic is how a test fails.
#![allow(clippy::expect_used)]

use bfe_server::Server;
use bfe_server::config::BfeConfig;
use bfe_tests::{Cluster, Tree};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, thread};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Allocations that a request costs: the state of the request, and a list of fields for each of the two heads. More
/// than five would be worth a search; fewer, a smaller number here.
const MOST: u64 = 3;
/// Allocations in all that have nothing to do with requests, such as those of timers.
const BACKGROUND: u64 = 100;
const REQUESTS: u64 = 1000;
/// Requests before the count: connections, pools and buffers are there then.
const WARM_UP: u64 = 200;
const REQUEST: &[u8] = b"GET /small?a=b HTTP/1.1\r\nHost: ok\r\nUser-Agent: wrk\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: one\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 8\r\nConnection: keep-alive\r\n\r\n01234567";
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers each request of each connection, from one buffer a connection.
fn backend() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the backend");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection of the proxy");
            thread::spawn(move || {
                let mut head = [0; 4096];
                while read_until(&mut connection, &mut head, b"\r\n\r\n") {
                    connection.write_all(RESPONSE).expect("the proxy takes the answer");
                }
            });
        }
    });
    port
}

/// Reads until what came ends so; `false` where the other side closed first.
fn read_until(from: &mut TcpStream, buffer: &mut [u8], end: &[u8]) -> bool {
    let mut filled = 0;
    while !buffer[..filled].ends_with(end) {
        match from.read(&mut buffer[filled..]) {
            Ok(0) | Err(_) => return false,
            Ok(count) => filled += count,
        }
    }
    true
}

/// Starts the server in this process; where it listens.
fn serve(root: &Path) -> SocketAddr {
    let (config, _) = BfeConfig::load(root).expect("a good tree");
    let address = config.server.http.to_string().parse().expect("an address");
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let server =
        Server::load(root, config, &bfe_modules::registry(), control.handle().clone()).expect("a good tree");
    // It serves until the process ends.
    thread::spawn(move || server.run(&control));
    address
}

fn connect(to: SocketAddr) -> TcpStream {
    let end = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(to) {
            Ok(connection) => break connection,
            Err(e) => assert!(Instant::now() < end, "no server at {to}: {e}"),
        }
        thread::yield_now();
    }
}

fn ask(client: &mut TcpStream, times: u64) {
    let mut answer = [0; 4096];
    for _ in 0..times {
        client.write_all(REQUEST).expect("the proxy takes the request");
        assert!(read_until(client, &mut answer, b"\r\n\r\n01234567"), "the proxy closed the connection");
    }
}

#[test]
fn a_plain_request_costs_few_allocations() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = json!({"Name": "one", "Addr": "127.0.0.1", "Port": backend(), "Weight": 1});
    let table = json!({"Version": "1", "Config": {"c": {"c.s": [instance]}}});
    Tree::new()
        .set("MaxCpus", 1)
        .host("p", "ok")
        .route("p", "default_t()", "c")
        .cluster(Cluster::new("c").sub("c.s", 100, &[]))
        .file("cluster_conf/cluster_table.data", table.to_string())
        .lay_out(folder.path());
    let mut client = connect(serve(folder.path()));
    client.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    ask(&mut client, WARM_UP);

    // Only what is asked for from here on is counted.
    let profile = env::var_os("BFE_ALLOCATIONS");
    let profiler = match &profile {
        Some(file) => dhat::Profiler::builder().file_name(file).trim_backtraces(None).build(),
        None => dhat::Profiler::builder().testing().build(),
    };
    ask(&mut client, REQUESTS);
    let count = dhat::HeapStats::get().total_blocks;
    drop(profiler);

    println!("{count} allocations for {REQUESTS} requests");
    assert!(count >= REQUESTS, "no request is without state: this can't have been counted rightly");
    assert!(count <= MOST * REQUESTS + BACKGROUND, "{MOST} allocations are allowed for each request");
}
