//! Clients and backends that misbehave: others are not harmed, memory stays bounded, and everything that was
//! taken is given back.

mod backends;
mod clients;
mod descriptors;
mod large;
mod mixed;

use bfe_tests::{Backend, Bfe, Client, Reply};
use std::time::{Duration, Instant};

const GET: &str = "GET / HTTP/1.1\r\nHost: ok\r\n\r\n";
/// How long an answer may take while others misbehave. Generous: the machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(10);

/// Asks on an open connection and on a new one; both have to be answered soon.
#[track_caller]
fn unharmed(bfe: &Bfe, open: &mut Client) {
    let begin = Instant::now();
    assert_eq!(open.ask(GET).status, 200);
    assert_eq!(bfe.ask(GET).status, 200);
    let took = begin.elapsed();
    assert!(took < SOON, "others are harmed: {took:?}");
}

/// A request for that path.
fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: ok\r\n\r\n")
}

/// A backend that answers `/large` with that body, and all else with an `x`.
fn large_or_small(body: impl AsRef<[u8]>) -> Backend {
    let large = Reply::ok(body);
    Backend::start(move |req| if req.line().contains("/large") { large.clone() } else { Reply::ok("x") })
}

/// So many clients that ask for `/large` and never read.
fn deaf_clients(bfe: &Bfe, count: usize) -> Vec<Client> {
    let deaf = |_| {
        let mut client = bfe.client();
        client.shrink_receive_buffer();
        client.send(get("/large"));
        client
    };
    (0..count).map(deaf).collect()
}
