use super::ModuleAccess;
use crate::testing;
use bfe_basic::{ErrorCode, Request, Session, TlsState};
use bfe_http::{Response, Version};
use bfe_module::{Callbacks, Module as _, Point, WebHandlers};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// The module on a configuration with these templates, and the file that it writes to.
struct Logged {
    callbacks: Callbacks,
    dir: tempfile::TempDir,
}

fn init(root: &Path, conf: &str) -> Result<Callbacks, String> {
    std::fs::create_dir_all(root.join("mod_access")).unwrap();
    std::fs::write(root.join("mod_access/mod_access.conf"), conf).unwrap();
    let mut callbacks = Callbacks::default();
    ModuleAccess
        .init(&mut callbacks, &mut WebHandlers::default(), root)
        .map(|()| callbacks)
        .map_err(|e| e.to_string())
}

impl Logged {
    fn new(log: &str, request: &str, session: &str) -> Self {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let dir = tempfile::tempdir().unwrap();
        let conf = format!(
            "[Log]\nLogFile = a.log\n{log}\n[Template]\nRequestTemplate = {}\nSessionTemplate = {}\n",
            quote(request),
            quote(session)
        );
        let callbacks = init(dir.path(), &conf).unwrap();
        Self { callbacks, dir }
    }

    /// What has been written; the module is gone then.
    fn lines(self) -> Vec<String> {
        drop(self.callbacks);
        bfe_module::log_file::flush_all();
        let text = std::fs::read(self.dir.path().join("a.log")).unwrap();
        text.split_inclusive(|b| *b == b'\n')
            .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap()).into_owned())
            .collect()
    }
}

fn request(session: Session) -> Request {
    testing::request_on(session, "GET", "/x?y=1")
}

/// The line of a request.
fn line(template: &str, mut req: Request, res: Option<Response>) -> String {
    let logged = Logged::new("", template, "s");
    req.response = res;
    let _ = logged.callbacks.run_request_finish(&mut req);
    logged.lines().remove(0)
}

/// A request that went all the way.
fn forwarded() -> (Request, Response) {
    let start = Instant::now();
    let at = |ms| Some(start + Duration::from_millis(ms));
    let session = Session {
        remote_addr: Some("192.0.2.1:4711".parse().unwrap()),
        local_addr: Some("[2001:db8::2]:80".parse().unwrap()),
        vip: Some("203.0.113.1".parse().unwrap()),
        start: Some((start, SystemTime::now())),
        ..Session::default()
    };
    let mut req = request(session);
    req.http.header.add("User-Agent", "curl/8");
    req.http.header.add("Cookie", "a=1; c=; c=3");
    req.http.url.scheme = "http".into();
    req.http.url.host = "10.0.0.1:8000".into();
    req.http.state.serial_number = 2;
    req.http.state.connect_backend_start = at(30);
    req.http.state.connect_backend_end = at(35);
    req.backend.cluster = "c".into();
    req.backend.sub_cluster = "s".into();
    req.backend.name = "b".into();
    req.backend.addr = "10.0.0.1:8000".into();
    req.log_id = "id".into();
    req.stat.read_req_start = at(0);
    req.stat.read_req_end = at(10);
    req.stat.cluster_start = at(20);
    req.stat.cluster_end = at(70);
    req.stat.backend_first = at(30);
    req.stat.backend_start = at(30);
    req.stat.backend_end = at(69);
    req.stat.response_start = at(70);
    req.stat.response_end = at(77);
    req.stat.body_len_in = 5;
    req.stat.header_len_out = 100;
    req.stat.body_len_out = 10;
    let mut res = Response::new(200);
    res.version = Some(Version::HTTP_11);
    for (name, value) in [
        ("X-Res", "1"),
        ("X-Res", "2"),
        ("X-Empty", ""),
        ("Set-Cookie", "s=v; Path=/"),
        ("Set-Cookie", "s=w"),
    ] {
        res.header.add(name, value);
    }
    (req, res)
}

#[test]
fn access_items_of_a_forwarded_request() {
    for (template, want) in [
        ("$remote_addr $server_addr $vip", "192.0.2.1 [2001:db8::2]:80 203.0.113.1"),
        (
            "$request_line|$req_uri|$host|$url",
            "GET /x?y=1 HTTP/1.1|/x?y=1|example.org|http://10.0.0.1:8000/x?y=1",
        ),
        ("$product $cluster_name $subcluster $backend", "p c s c,s,10.0.0.1,b"),
        ("$status_code $res_proto $res_len $res_body_len $req_body_len", "200 HTTP/1.1 110 10 5"),
        ("$read_req_duration $proxy_delay $connect_time $cluster_duration", "10 20 5 50"),
        ("$last_backend_duration $write_serve_time $response_duration", "39 39 7"),
        ("$log_id $req_nth $retry_num $is_trust_clientip $redirect $error", "id 2 0 false - -"),
        ("${user-agent}req_header ${X}req_header $req_header", "curl/8 - -"),
        ("${a}req_cookie|${c}req_cookie|${d}req_cookie", "1||-"),
        ("${X-Res}res_header|${x-res}res_header|${X-Empty}res_header|${X}res_header", "1,2|-||-"),
        ("${s}res_cookie ${t}res_cookie", "v -"),
    ] {
        let (req, res) = forwarded();
        assert_eq!(line(template, req, Some(res)), want, "{template}");
    }
}

#[test]
fn access_11_13_and_20_items_of_requests_that_ended_early() {
    let early = || {
        let mut req = request(Session::default());
        req.stat.read_req_start = Some(Instant::now());
        req
    };
    let mut redirected = early();
    redirected.redirect.url = b"http://r.org/".to_vec();
    redirected.redirect.code = 302;
    let template = "$status_code|$redirect|$connect_time|$res_proto|$res_len|$backend|$proxy_delay|$url";
    assert_eq!(line(template, redirected, None), "-|http://r.org/,302||-|-|,,,|-|/x?y=1");
    let mut unknown = early();
    unknown.route.product = "".into();
    unknown.set_error(ErrorCode::BK_FIND_PRODUCT, "no product found");
    let template = "$status_code|$product|$error|$res_proto|$readwrite_serve_time|$cluster_duration|$vip";
    assert_eq!(
        line(template, unknown, Some(Response::internal(500))),
        "500|-|BK_FIND_PRODUCT,no product found||-|0|-"
    );
}

#[test]
fn access_12_urls() {
    for (target, want) in [
        ("/a|b?", "/a%7Cb?"),
        ("http://h:80/x?y", "http://h:80/x?y"),
        ("http://h", "http://h"),
        ("http://user:secret@h/x", "http://h/x"),
        ("mailto:x?y", "mailto:x?y"),
        ("*", "*"),
    ] {
        assert_eq!(line("$url", testing::request("GET", target), None), want);
    }
}

#[test]
fn access_16_and_18_items_of_sessions() {
    let start = Instant::now();
    let session = Session {
        remote_addr: Some("192.0.2.1:4711".parse().unwrap()),
        start: Some((start, SystemTime::now())),
        is_secure: true,
        ..Session::default()
    };
    session.end.set(Some(start + Duration::from_millis(1_500)));
    session.requests.set(3);
    session.set_error(ErrorCode::CLIENT_CLOSE, "EOF");
    let tls = TlsState { client_random: [0xab; 32], ..TlsState::default() };
    *session.tls.borrow_mut() = Some(Box::new(tls));
    let logged = Logged::new(
        "",
        "r",
        "$ses_clientip|$ses_overhead|$ses_error|$ses_keepalive_num|$ses_read_total$ses_write_total|\
         $ses_is_secure|$ses_use100|$ses_tls_client_random|$ses_start_time",
    );
    let _ = logged.callbacks.run_session(Point::HandleFinish, &session);
    let line = logged.lines().remove(0);
    let (fields, time) = line.rsplit_once('|').unwrap();
    let want = format!("192.0.2.1:4711|1.5s|CLIENT_CLOSE,EOF|3|00|true|false|{}", "ab".repeat(32));
    assert_eq!(fields, want);
    assert!(time.contains(" m=+"), "{time}");
}

#[test]
fn json_lines_survive_any_byte() {
    let (mut req, mut res) = forwarded();
    let all: Vec<u8> = (0..=255).collect();
    req.http.header.add("X-Odd", all.clone());
    req.http.host = all.clone().into();
    req.redirect.url = all.clone();
    req.set_error(ErrorCode::CLIENT_WRITE, "a\n\"b\"");
    res.header.add("X-Odd", all.clone());
    let mut logged = Logged::new(
        "Format = JSON",
        "x $time, $host ${x-odd}req_header ${X-Odd}res_header $url $error $redirect $vip $req_nth \
         $is_trust_clientip ${none}req_cookie $connect_time $request_time $status_code",
        "$time $ses_overhead $ses_start_time $ses_error",
    );
    req.response = Some(res);
    let _ = logged.callbacks.run_request_finish(&mut req);
    req.session.end.set(Some(Instant::now()));
    let _ = logged.callbacks.run_session(Point::HandleFinish, &req.session);
    let callbacks = std::mem::take(&mut logged.callbacks);
    drop(callbacks);
    let lines = logged.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let [request, session] = [0, 1].map(|i| serde_json::from_str::<serde_json::Value>(&lines[i]).unwrap());
    let odd = String::from_utf8_lossy(&all);
    assert_eq!(request["type"], "request");
    assert_eq!(request["host"], *odd);
    assert_eq!(request["req_header_x_odd"], *odd);
    assert_eq!(request["res_header_x_odd"], *odd);
    assert_eq!(request["error"], "CLIENT_WRITE,a\n\"b\"");
    assert_eq!(request["vip"], "203.0.113.1");
    assert_eq!(request["req_nth"], 2);
    assert_eq!(request["is_trust_clientip"], false);
    assert!(request["req_cookie_none"].is_null());
    assert_eq!((&request["connect_time"], &request["status_code"]), (&5.into(), &200.into()));
    for time in [&request["time"], &request["request_time"], &session["time"], &session["ses_start_time"]] {
        assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}");
    }
    assert_eq!((&session["type"], &session["ses_error"]), (&"session".into(), &serde_json::Value::Null));
    assert!(session["ses_overhead"].is_u64());
}

#[test]
fn text_lines_cannot_be_forged() {
    let (mut req, _) = forwarded();
    req.http.header.add("X-Odd", "a\" 200 \"\nFORGED\r\\");
    assert_eq!(line("${X-Odd}req_header", req, None), "a\" 200 \"\\x0AFORGED\\x0D\\");
    let (mut req, _) = forwarded();
    req.http.header.set("User-Agent", "a\" 200 \"\nFORGED\r\\");
    let combined = line("COMBINED", req, Some(Response::new(200)));
    assert!(combined.ends_with(" \"-\" \"a\\x22 200 \\x22\\x0AFORGED\\x0D\\x5C\""), "{combined}");
}

#[test]
fn access_2_to_5_configurations() {
    let dir = tempfile::tempdir().unwrap();
    let log = "[Log]\nLogPrefix = a\nLogDir = log\nRotateWhen = D\nBackupCount = 1\n";
    let templates = "[Template]\nRequestTemplate = common\nSessionTemplate = COMMON\n";
    assert!(init(dir.path(), &format!("{log}{templates}")).is_ok());
    assert!(dir.path().join("log/a.log").exists());
    for (conf, want) in [
        (
            format!("{log}[Template]\nRequestTemplate = COMMON"),
            "Template.SessionTemplate: SessionTemplate not set",
        ),
        (format!("{log}OpenDebug = true\n{templates}"), "OpenDebug"),
        (format!("{log}Format = xml\n{templates}"), "Log.Format: invalid \"xml\", expected text or json"),
        (
            format!("{log}[Template]\nRequestTemplate = $nope\nSessionTemplate = s"),
            "unknown item at \"$nope\"",
        ),
        (
            format!("{log}[Template]\nRequestTemplate = r\nSessionTemplate = $host"),
            "Template.SessionTemplate",
        ),
        (templates.to_owned(), "LogPrefix is empty"),
        (format!("[Log]\nLogFile = no/such/folder/a.log\n{templates}"), "no/such/folder/a.log"),
    ] {
        let error = init(dir.path(), &conf).err().unwrap_or_else(|| panic!("accepted: {conf}"));
        assert!(error.contains(want), "{error}");
    }
}
