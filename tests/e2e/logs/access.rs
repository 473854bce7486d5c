//! mod_access (modules-traffic 1).

use super::{metric, wait_lines};
use bfe_tests::{Backend, Bfe, Launch, Reply, Step, Tree, wait_until};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

const GET: &str = "GET /a?b=1 HTTP/1.1\r\nHost: ok\r\nUser-Agent: test\r\n\r\n";

/// A tree with the module: keys of its section `[Log]`, and its templates.
fn tree(backend: &Backend, log: &str, request: &str, session: &str) -> Tree {
    let conf = format!(
        "[Log]\n{log}\n[Template]\nRequestTemplate = \"{request}\"\nSessionTemplate = \"{session}\"\n"
    );
    Tree::proxy(backend).module("mod_access").file("mod_access/mod_access.conf", conf)
}

fn single(path: &Path) -> String {
    format!("LogFile = {}", path.display())
}

#[test]
fn access_1_lines_of_requests_and_connections() {
    let (backend, dir) = (Backend::ok("hello"), tempfile::tempdir().unwrap());
    let path = dir.path().join("deep/er/access.log");
    let log = format!(
        "LogPrefix = access\nLogDir = {}\nRotateWhen = MIDNIGHT\nBackupCount = 1",
        path.parent().unwrap().display()
    );
    let request = "R $remote_addr $host $product ${User-Agent}req_header $status_code $res_body_len $error";
    let bfe = Bfe::start(&tree(&backend, &log, request, "S $ses_keepalive_num $ses_error"));
    let mut client = bfe.client();
    for _ in 0..2 {
        assert_eq!(client.ask(GET).status, 200);
    }
    client.half_close();
    client.expect_close();
    let request = "R 127.0.0.1 ok p test 200 5 -";
    assert_eq!(wait_lines(&path, 3), [request, request, "S 2 CLIENT_CLOSE,EOF"]);
    assert_eq!(metric(&bfe, "log_file_RECORDS_WRITTEN"), 3);
}

#[test]
fn json_lines() {
    let (backend, dir) = (Backend::ok("hello"), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.json");
    let log = format!("{}\nFormat = json", single(&path));
    let request =
        "$time $request_line ${User-Agent}req_header ${X-Odd}req_header $status_code $all_time $error";
    let bfe = Bfe::start(&tree(&backend, &log, request, "$ses_keepalive_num"));
    let mut client = bfe.client();
    let odd = [b"GET /\"x\" HTTP/1.1\r\nHost: ok\r\nX-Odd: \"\\\xe9\xff\r\n\r\n".as_slice()].concat();
    assert_eq!(client.ask(odd).status, 200);
    client.half_close();
    let lines: Vec<Value> =
        wait_lines(&path, 2).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["type"], "request");
    assert_eq!(lines[0]["request_line"], "GET /\"x\" HTTP/1.1");
    assert_eq!(lines[0]["req_header_x_odd"], "\"\\\u{fffd}\u{fffd}");
    assert_eq!((&lines[0]["status_code"], &lines[0]["error"]), (&200.into(), &Value::Null));
    assert!(lines[0]["req_header_user_agent"].is_null() && lines[0]["all_time"].is_u64());
    assert_eq!(lines[1], serde_json::json!({"type": "session", "ses_keepalive_num": 1}));
}

#[test]
fn all_lines_are_there_when_the_process_ends() {
    const REQUESTS: usize = 3000;
    let (backend, dir) = (Backend::ok("hello"), tempfile::tempdir().unwrap());
    let path = dir.path().join("a.log");
    let mut bfe = Bfe::start(&tree(&backend, &single(&path), "$req_uri", "S"));
    let mut client = bfe.client();
    for i in 0..REQUESTS {
        assert_eq!(client.ask(format!("GET /{i} HTTP/1.1\r\nHost: ok\r\n\r\n")).status, 200);
    }
    bfe.signal("TERM");
    assert_eq!(bfe.wait_exit(), Some(0));
    let text = fs::read_to_string(&path).unwrap();
    let want: Vec<_> = (0..REQUESTS).map(|i| format!("/{i}")).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), want);
}

#[test]
fn access_17_files_are_put_aside_and_few_kept() {
    let (backend, dir) = (Backend::ok("hello"), tempfile::tempdir().unwrap());
    let path = dir.path().join("access.log");
    for name in
        ["access.log", "access.log.2020-01-01_00", "access.log.2020-01-01_01", "access.log.2020-01-01"]
    {
        fs::write(dir.path().join(name), "old\n").unwrap();
    }
    let past = SystemTime::now() - Duration::from_secs(2 * 3600);
    File::options().append(true).open(&path).unwrap().set_modified(past).unwrap();
    let log = format!(
        "LogPrefix = access\nLogDir = {}\nRotateWhen = NEXTHOUR\nBackupCount = 2",
        dir.path().display()
    );
    let tree = tree(&backend, &log, "R", "S");
    // A test of the configuration leaves the log of the process that runs alone.
    let ended = Launch::new(&tree).finish_with(&["-t"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old\n");
    let bfe = Bfe::start(&tree);
    assert_eq!(bfe.ask(GET).status, 200);
    wait_until("a new file", || fs::read_to_string(&path).is_ok_and(|text| text.starts_with("R\n")));
    let aside = |name: &str| dir.path().join(name).exists();
    wait_until("old files to be removed", || !aside("access.log.2020-01-01_00"));
    assert!(aside("access.log.2020-01-01_01") && aside("access.log.2020-01-01"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn a_full_disk_does_not_stop_traffic() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend, "LogFile = /dev/full", "R", "S"));
    let mut client = bfe.client();
    for _ in 0..100 {
        assert_eq!(client.ask(GET).status, 200);
    }
    wait_until("lost lines to be counted", || metric(&bfe, "log_file_RECORDS_FAILED") >= 100);
    wait_until("the server log to say so", || bfe.warnings().contains("/dev/full: records lost"));
}

#[test]
fn a_writer_that_is_stuck_does_not_stop_traffic() {
    const BIG: usize = 60_000;
    // What the pipe and two queues take, and some more.
    const REQUESTS: usize = 3 * (16 << 20) / BIG;
    let (backend, dir) = (Backend::ok("hello"), tempfile::tempdir().unwrap());
    let pipe = dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Nobody reads from the pipe.
    let bfe = Bfe::start(&tree(&backend, &single(&pipe), "${X-Big}req_header", "S"));
    let mut client = bfe.client();
    let request = format!("GET / HTTP/1.1\r\nHost: ok\r\nX-Big: {}\r\n\r\n", "x".repeat(BIG));
    for _ in 0..REQUESTS {
        assert_eq!(client.ask(&request).status, 200);
    }
    assert!(metric(&bfe, "log_file_RECORDS_DROPPED") > 0);
    assert!(bfe.rss() < 200 << 20, "{}", bfe.rss());
}

#[test]
fn a_folder_that_cannot_be_made_ends_the_start() {
    let backend = Backend::ok("hello");
    let log = "LogPrefix = access\nLogDir = /proc/nope\nRotateWhen = D\nBackupCount = 1";
    let ended = Launch::new(&tree(&backend, log, "R", "S")).finish();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("log file /proc/nope/access.log: "), "{ended:?}");
}

#[test]
fn a_wrong_template_names_its_place() {
    let backend = Backend::ok("hello");
    let ended = Launch::new(&tree(&backend, "LogFile = /dev/null", "$host $res_status", "S")).finish();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let want = "mod_access.conf:4:1: Template.RequestTemplate: unknown item at \"$res_status\"";
    assert!(ended.stderr.contains(want), "{ended:?}");
}

/// In the words of the reference: what came of a head is looked at before its end is missed (lifecycle 9).
#[test]
fn life_58_words_for_responses_that_end_early() {
    let cases = [
        ("HTTP/1.1 100 Continue\r\n\r\n", "BK_READ_RESP_HEADER,ReadRespHeaderError: unexpected EOF"),
        ("HTTP/1.1 200 OK\r\nX: 1", "BK_READ_RESP_HEADER,ReadRespHeaderError: EOF"),
        ("HTTP/1.1 ", "BK_READ_RESP_HEADER,ReadRespHeaderError: malformed HTTP status code \\x22\\x22"),
        (
            "HTTP/1.1 200 OK\r\nTrailer: content-length\r\n\r\n",
            "BK_READ_RESP_HEADER,ReadRespHeaderError: bad trailer key \\x22Content-Length\\x22",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "CLIENT_WRITE,http: unexpected EOF reading trailer",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "CLIENT_WRITE,unexpected EOF",
        ),
    ];
    let backend = Backend::start(move |req| {
        let number = req.line().trim_start_matches("GET /").trim_end_matches(" HTTP/1.1").parse::<usize>();
        Reply::bytes(cases[number.unwrap()].0).then(Step::Close)
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let bfe = Bfe::start(&tree(&backend, &single(&path), "$req_uri $error", "S"));
    for (i, (_, error)) in cases.iter().enumerate() {
        let mut client = bfe.client();
        client.send(format!("GET /{i} HTTP/1.1\r\nHost: ok\r\nConnection: close\r\n\r\n"));
        client.read_to_end();
        let lines = wait_lines(&path, 2 * i + 2);
        let line = lines.iter().rfind(|line| *line != "S").unwrap();
        assert_eq!(line.replace('"', "\\x22"), format!("/{i} {error}"));
    }
}
