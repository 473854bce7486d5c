//! mod_access_pb3 (modules-traffic 2).

use bfe_tests::{Backend, Bfe, Launch, Tree, wait_for};
use std::fs;
use std::path::Path;

fn tree(backend: &Backend, dir: &Path) -> Tree {
    let conf = format!(
        "[Log]\nLogPrefix = pb\nLogDir = {}\nRotateWhen = MIDNIGHT\nBackupCount = 1\n",
        dir.display()
    );
    Tree::proxy(backend).module("mod_access_pb3").file("mod_access_pb3/mod_access_pb3.conf", conf)
}

/// The messages of a file of records.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<24>() {
        assert_eq!(header[..8], [0xa7, 0xbe, 0xae, 0xb0, 1, 0, 0, 0]);
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let (message, rest) = rest.split_at(length.try_into().unwrap());
        messages.push(message.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty());
    messages
}

#[test]
fn pb3_1_records_of_requests_and_connections() {
    let (backend, dir) = (Backend::ok("hello"), tempfile::tempdir().unwrap());
    let bfe = Bfe::start(&tree(&backend, dir.path()));
    let mut client = bfe.client();
    let request = "GET /some/where HTTP/1.1\r\nHost: ok\r\n\r\n";
    assert_eq!((client.ask(request).status, client.ask(request).status), (200, 200));
    client.half_close();
    let messages = wait_for("three records", || {
        let messages = messages(&fs::read(dir.path().join("pb.log")).unwrap_or_default());
        (messages.len() >= 3).then_some(messages)
    });
    let has = |index: usize, text: &str| {
        let message = &messages[index];
        message.windows(text.len()).any(|w| w == text.as_bytes())
    };
    assert!(has(0, "req_p") && has(1, "/some/where") && has(2, "session_err_bfe") && has(2, "CLIENT_CLOSE"));
    let counters = bfe.counters("mod_access_pb3");
    assert_eq!((counters["ALL_REQ_LOG_COUNT"], counters["ALL_SES_LOG_COUNT"]), (2, 1));
}

#[test]
fn a_folder_that_cannot_be_made_ends_the_start() {
    let backend = Backend::ok("hello");
    let ended = Launch::new(&tree(&backend, Path::new("/proc/nope"))).finish();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("log file /proc/nope/pb.log: "), "{ended:?}");
}
