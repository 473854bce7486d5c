//! mod_secure_link.

use super::{expect_refused, write};
use bfe_tests::{Backend, Bfe, Tree};

const DATA: &str = "mod_secure_link/secure_link.data";

fn data(version: &str, secret: &str, kind: &str) -> String {
    format!(
        r#"{{"Version": "{version}", "Config": {{"p": [{{"Cond": "default_t()", "ExpiresKey": "e", "ExpressionNodes": [
            {{"Type": "query", "Param": "e"}}, {{"Type": "host"}}, {{"Type": "{kind}", "Param": "{secret}"}}]}}]}}}}"#
    )
}

#[test]
fn seclink_7_links_and_reload() {
    let backend = Backend::ok("hello");
    let tree = Tree::proxy(&backend)
        .host("p", "example.com")
        .module("mod_secure_link")
        .file("mod_secure_link/mod_secure_link.conf", "")
        .file(DATA, data("1", " secret", "label"));
    let bfe = Bfe::start(&tree);
    let mut client = bfe.client();
    let mut status =
        |query: &str| client.ask(format!("GET /x?{query} HTTP/1.1\r\nHost: example.com\r\n\r\n")).status;
    // MD5 of "4102444800example.com secret".
    let good = "e=4102444800&md5=DGbMjtW9G55Om_4ds0fSZw";
    let forged = "e=4102444801&md5=DGbMjtW9G55Om_4ds0fSZw";
    assert_eq!([good, forged, "e=1&md5=x", "", good].map(&mut status), [200, 403, 403, 403, 200]);
    let answer = bfe.ask("GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert_eq!((answer.status, answer.text(), answer.header("Server")), (403, "", None));
    assert_eq!(backend.count(), 2);
    assert!(bfe.monitor("/metrics").contains("REQ_INVALID_CHECKSUM"));

    write(&bfe, DATA, &data("2", " other", "nope"));
    expect_refused(
        &bfe,
        "mod_secure_link",
        &["secure_link.data:2:", "ExpressionNodes[2].Type: bad node type: nope"],
    );
    assert_eq!(status(good), 200);
    write(&bfe, DATA, &data("3", " other", "label"));
    assert_eq!(bfe.monitor("/reload/mod_secure_link"), r#"{"error":null}"#);
    assert_eq!(status(good), 403);
}
