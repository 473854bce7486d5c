//! HTTP/2 on the HTTPS port: other people's clients, floods, what a client may put into a request,
//! and WebSocket.

mod accounting;
mod floods;
mod peers;
mod streams;
mod websocket;

use bfe_tests::h2::{TlsClient, get};
use bfe_tests::{Backend, Bfe, Tree};

/// A tree whose HTTPS port offers HTTP/2 first.
fn tree(backend: &Backend) -> Tree {
    Tree::proxy(backend).file(
        "tls_conf/tls_rule_conf.data",
        r#"{"Version": "1", "DefaultNextProtos": ["h2", "http/1.1"], "Config": {}}"#,
    )
}

/// That a client which does nothing wrong is served.
#[track_caller]
fn unharmed(bfe: &Bfe) {
    let mut good = TlsClient::h2(bfe.https_addr(), &[]);
    good.request(1, &get("/good"));
    assert!(good.answer(1).is_some_and(|(ok, _)| ok), "a good client is served");
}
