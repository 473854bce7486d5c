use super::*;
use crate::protobuf::read::{Value, fields};
use crate::testing;
use bfe_basic::ai::{AiErrorCode, AiInfo, AiRoute, AuthOutcome, RateLimitHit, TokenTimes, TokenUsage};
use bfe_basic::{ErrorCode, Proto, Request, TlsState};
use bfe_http::Response;
use std::collections::BTreeMap;
use std::time::Duration;

type Fields = BTreeMap<u64, Value>;

fn number(n: u64) -> Option<Value> {
    Some(Value::Number(n))
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Bytes(text.into()))
}

fn inner(log: &Fields, field: u64) -> Fields {
    match log.get(&field) {
        Some(Value::Bytes(bytes)) => fields(bytes),
        other => panic!("field {field}: {other:?}"),
    }
}

/// The message that `write` makes.
fn made(write: impl FnOnce(Now, &mut Message<'_>)) -> Fields {
    let mut buffer = Vec::new();
    write(Now { instant: Instant::now(), seconds: 77 }, &mut Message::new(&mut buffer));
    fields(&buffer)
}

/// The numbers of the fields.
fn numbers(fields: &Fields) -> Vec<u64> {
    fields.keys().copied().collect()
}

fn session() -> Session {
    let start = Instant::now();
    let session = Session {
        remote_addr: Some("1.2.3.4:1000".parse().unwrap()),
        local_addr: Some("[2001:db8::1]:80".parse().unwrap()),
        vip: Some("9.8.7.6".parse().unwrap()),
        start: Some((start, UNIX_EPOCH + Duration::from_secs(55))),
        ..Session::default()
    };
    session.end.set(Some(start + Duration::from_millis(1500)));
    session.proto.set(Proto::Http);
    session.requests.set(2);
    *session.id.borrow_mut() = "0123456789abcdef0123456789abcdef".into();
    session
}

#[test]
fn pb3_5_7_8_and_10_a_request_that_was_redirected() {
    let mut req = testing::request_on(session(), "GET", "/x?y=1");
    req.stat.read_req_start = Some(Instant::now());
    req.stat.read_req_end = req.stat.read_req_start;
    req.route.product = "my-product".into();
    req.log_id = "42".into();
    let log = made(|now, message| request::log(message, now, &req, None));
    assert_eq!(numbers(&log), [1, 2, 3, 26, 200, 210]);
    assert_eq!(
        (log.get(&1), log.get(&2), log.get(&3)),
        (number(18).as_ref(), number(77).as_ref(), number(42).as_ref())
    );
    assert_eq!((log.get(&26).cloned(), log.get(&200).cloned()), (text("req_my_product"), number(0)));
    let log = inner(&log, 210);
    assert_eq!(
        numbers(&log),
        [
            3, 4, 5, 6, 7, 8, 9, 11, 13, 41, 42, 43, 52, 101, 102, 103, 105, 201, 202, 203, 204, 205, 206,
            207, 208
        ],
        "no response, no backend, the URI is as it was"
    );
    for (field, want) in [
        (3, text("")),
        (7, number(0)),
        (9, number(0x0102_0304)),
        (13, number(0)),
        (41, text("HTTP/1.1")),
        (42, text("example.org")),
        (43, text("/x?y=1")),
        (101, text("my-product")),
        (102, text("")),
        (203, number(0)),
        (206, number(2_217_714_954)),
        (208, number(2_217_714_954)),
    ] {
        assert_eq!(log.get(&field).cloned(), want, "{field}");
    }
    let addr = inner(&log, 8);
    assert_eq!(
        addr,
        BTreeMap::from(
            [1, 2, 3, 4].map(|f| (f, Value::Number([0, 0x0102_0304, 0, 0x0908_0706][f as usize - 1])))
        )
    );
}

/// A request that a backend answered, or failed to.
fn forwarded() -> Request {
    let session = Session {
        remote_addr: Some("[2001:db8::9]:1".parse().unwrap()),
        vip: Some("2001:db8::2".parse().unwrap()),
        ..session()
    };
    session.trust_source.set(true);
    let mut req = testing::request_on(session, "POST", "/a");
    let start = Instant::now();
    let at = |ms| Some(start + Duration::from_millis(ms));
    for (name, value) in [
        ("Referer", "r"),
        ("X-Forwarded-For", "a"),
        ("X-Forwarded-For", "b"),
        ("X-Forwarded-For", "c"),
        ("Accept-Language", "de"),
        ("Authorization", "Basic x"),
        ("User-Agent", "ua"),
        ("Clientip6", "::1"),
        ("X-Bfe-Proto", "h2"),
    ] {
        req.http.header.add(name, value);
    }
    req.http.url.path = "/b".into();
    req.backend.cluster = "c".into();
    req.backend.sub_cluster = "s".into();
    req.backend.addr = "10.0.0.1:8080".into();
    req.retry_time = 1;
    req.stat.read_req_start = at(0);
    req.stat.read_req_end = at(5);
    req.stat.cluster_start = at(10);
    req.stat.cluster_end = at(40);
    req.stat.backend_first = at(10);
    req.stat.backend_start = at(20);
    req.stat.backend_end = at(40);
    req.stat.response_start = at(40);
    req.stat.response_end = at(47);
    req.stat.header_len_out = 100;
    req.stat.body_len_out = 10;
    req.http.state.connect_backend_start = at(20);
    req.http.state.connect_backend_end = at(22);
    req
}

#[test]
fn pb3_a_request_that_went_all_the_way() {
    let req = forwarded();
    let mut res = Response::new(302);
    res.header.add("Content-Type", "text/plain");
    res.header.add("Location", "/l");
    let log = made(|now, message| request::log(message, now, &req, Some(&res)));
    let log = inner(&log, 210);
    for (field, want) in [
        (9, number(0)),
        (13, number(1)),
        (14, text("2001:db8::9")),
        (41, text("h2")),
        (43, text("/a")),
        (44, text("/b")),
        (45, text("r")),
        (47, text("a,b,c")),
        (48, text("de")),
        (49, text("Basic x")),
        (50, text("ua")),
        (52, text("POST")),
        (102, text("c")),
        (103, text("s")),
        (105, number(1)),
        (151, number(302)),
        (152, number(100)),
        (153, number(10)),
        (154, text("text/plain")),
        (155, text("/l")),
        (202, number(5)),
        (203, number(30)),
        (204, number(20)),
        (205, number(7)),
        (207, number(2)),
        (208, number(5)),
    ] {
        assert_eq!(log.get(&field).cloned(), want, "{field}");
    }
    let backend = inner(&log, 104);
    assert_eq!((backend.get(&1).cloned(), backend.get(&2).cloned()), (number(0x0a00_0001), number(8080)));
    assert_eq!(inner(&log, 8).get(&5).cloned(), text("2001:db8::2"));
    assert!(log.keys().all(|field| *field < 701), "PB3-11");
}

#[test]
fn pb3_5_tags_of_requests() {
    for (product, error, want) in [
        ("", false, "req_bfe"),
        ("", true, "req_err_bfe"),
        ("a-b-c", false, "req_a_b_c"),
        ("a", true, "req_err_a"),
    ] {
        let mut req = testing::request("GET", "/");
        req.route.product = product.into();
        if error {
            req.set_error(ErrorCode::BLOCK, "");
        }
        let log = made(|now, message| request::log(message, now, &req, None));
        assert_eq!(log.get(&26).cloned(), text(want));
    }
}

#[test]
fn pb3_6_and_12_sessions() {
    let plain = session();
    plain.set_error(ErrorCode::BLOCK, "");
    let log = made(|now, message| session::log(message, now, &plain));
    assert_eq!(numbers(&log), [1, 2, 3, 26, 200, 211]);
    assert_eq!((log.get(&26).cloned(), log.get(&200).cloned()), (text("session_bfe"), number(1)), "PB3-6");
    let log = inner(&log, 211);
    assert_eq!(numbers(&log), [2, 3, 4, 5, 6, 7, 8, 9, 41, 42, 43]);
    for (field, want) in [
        (2, text("BLOCK")),
        (3, text("")),
        (4, number(2)),
        (5, number(0)),
        (6, number(0)),
        (8, text("http")),
        (9, text("")),
        (41, number(55)),
        (42, number(1500)),
        (43, number(0)),
    ] {
        assert_eq!(log.get(&field).cloned(), want, "{field}");
    }
    let secure = session();
    *secure.product.borrow_mut() = Some("p-q".into());
    secure.set_error(ErrorCode::CLIENT_CLOSE, "EOF");
    let tls = TlsState {
        version: "TLS1.2",
        cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        did_resume: true,
        handshake_time: Duration::from_micros(12_900),
        ..TlsState::default()
    };
    *secure.tls.borrow_mut() = Some(Box::new(tls));
    let log = made(|now, message| session::log(message, now, &secure));
    assert_eq!(log.get(&26).cloned(), text("session_err_p_q"));
    let log = inner(&log, 211);
    let of_tls = [101, 102, 103, 104, 105].map(|field| log.get(&field).cloned());
    assert_eq!(of_tls, [number(0x0303), number(0xc02f), number(1), number(0), number(12)]);
}

#[test]
fn pb3_4_ids() {
    for (text, want) in [
        ("", 0),
        ("42", 42),
        ("18446744073709551615", u64::MAX),
        ("18446744073709551616", u64::MAX),
        ("184467440737095516160abc", u64::MAX),
        ("1844674407370955161abc", 0),
        ("0123456789abcdef0123456789abcdef", 0),
    ] {
        assert_eq!(id(text), want, "{text}");
    }
}

#[test]
fn pb3_8_times_that_are_not_known() {
    let now = Instant::now();
    let later = now + Duration::from_millis(7);
    assert_eq!(millis(Some(now), None), 2_217_714_954);
    assert_eq!(millis(None, Some(now)), 2_077_252_342);
    assert_eq!((millis(None, None), millis(Some(now), Some(later))), (0, 7));
    assert_eq!(millis(Some(later), Some(now)), 4_294_967_289);
}

#[test]
fn pb3_1_3_and_9_records() {
    let dir = tempfile::tempdir().unwrap();
    let init = |more: &str| {
        let conf = format!(
            "[Log]\nLogPrefix = pb\nLogDir = {}\nRotateWhen = D\nBackupCount = 1\n{more}",
            dir.path().display()
        );
        std::fs::create_dir_all(dir.path().join(NAME)).unwrap();
        std::fs::write(dir.path().join("mod_access_pb3/mod_access_pb3.conf"), conf).unwrap();
        let mut callbacks = Callbacks::default();
        let result = ModuleAccessPb3.init(&mut callbacks, &mut WebHandlers::default(), dir.path());
        result.map(|()| callbacks).map_err(|e| e.to_string())
    };
    assert!(init("LogFile = x").err().is_some_and(|e| e.contains("LogFile")), "PB3-3");
    let callbacks = init("[BasicConf]\nOpenDebug = true").unwrap();
    let count = || state::group().get(state::ALL_REQ_LOG_COUNT);
    let before = count();
    let mut req = testing::request_on(session(), "GET", "/");
    for length in [10, 70_000, 20] {
        req.http.header.set("User-Agent", vec![b'x'; length]);
        let _ = callbacks.run_request_finish(&mut req);
    }
    assert_eq!(count() - before, 2, "one is too long");
    drop(callbacks);
    log_file::flush_all();
    let file = std::fs::read(dir.path().join("pb.log")).unwrap();
    let mut rest = file.as_slice();
    for length in [10, 20] {
        let (header, records) = rest.split_at(HEADER);
        assert_eq!(header[..8], [0xa7, 0xbe, 0xae, 0xb0, 1, 0, 0, 0]);
        assert_eq!(header[12..16], [0; 4]);
        let size = u32::from_le_bytes(header[8..12].try_into().unwrap());
        let time = u64::from_le_bytes(header[16..].try_into().unwrap());
        let (record, records) = records.split_at(size.try_into().unwrap());
        let log = fields(record);
        assert_eq!(log.get(&2).cloned(), number(time / 1000));
        assert_eq!(inner(&log, 210).get(&50).cloned(), text(&"x".repeat(length)));
        rest = records;
    }
    assert_eq!(rest, b"");
}

/// A request through the AI gateway.
fn of_gateway(ai: AiInfo) -> Fields {
    let mut req = forwarded();
    req.is_sse = ai.retry_count > 0;
    req.ai = Some(Box::new(ai));
    inner(&made(|now, message| request::log(message, now, &req, None)), 210)
}

#[test]
fn aix_1_every_field() {
    let hit = RateLimitHit { tpm_rules: vec!["t".into(), "u".into()], ..RateLimitHit::default() };
    let route = AiRoute { kind: "apikey".into(), owner: "o".into(), rule: "r".into(), ..AiRoute::default() };
    let log = of_gateway(AiInfo {
        client_api_key: b"secret".to_vec(),
        client_key_id: "id".into(),
        client_model: b"m".to_vec(),
        target_model: b"n".to_vec(),
        provider: "p".into(),
        retry_count: 2,
        cost_currency: "RMB".into(),
        api_key_tags: vec![("department".into(), "it".into())],
        times: TokenTimes { ttft_us: 5, tpot_us: 6, ..TokenTimes::default() },
        auth: AuthOutcome {
            reject_reason: Some(AiErrorCode::QuotaExhausted),
            reject_quota_plans: vec!["a".into()],
            hit_quota_plans: vec!["b".into()],
        },
        cluster_keys: vec![("c".into(), String::new())],
        usage: TokenUsage { prompt_tokens: 100, completion_tokens: 50, used_quota: 150, used_cost: 20_000 },
        estimate_token: true,
        rate_limit_hits: Some([("policy".to_owned(), hit)].into()),
        route: Some(Arc::new(route)),
        ..AiInfo::default()
    });
    assert_eq!(
        log.keys().copied().filter(|field| *field > 700).collect::<Vec<_>>(),
        [701, 702, 703, 704, 705, 706, 707, 708, 709, 710, 711, 712, 713, 714, 715, 761, 762, 801, 802, 841]
    );
    for (field, want) in [
        (701, text("id")),
        (703, text("m")),
        (704, text("n")),
        (705, number(1)),
        (706, number(100)),
        (707, number(50)),
        (708, number(150)),
        (709, number(5)),
        (710, number(6)),
        (712, text("QUOTA_EXHAUSTED")),
        (713, text("a")),
        (714, text("p")),
        (715, number(2)),
        (761, number(20_000)),
        (762, text("RMB")),
        (841, text("b")),
    ] {
        assert_eq!(log.get(&field).cloned(), want, "{field}");
    }
    let parts = |field, parts: &[u64]| -> Vec<_> {
        let inner = inner(&log, field);
        parts.iter().map(|part| inner.get(part).cloned()).collect()
    };
    assert_eq!(parts(702, &[1, 2]), [text("department"), text("it")]);
    assert_eq!(parts(801, &[1, 2, 3]), [text("o"), text("apikey"), text("r")]);
    assert_eq!(parts(802, &[1, 2]), [text("c"), text("")], "a key without a name");
}

#[test]
fn aix_2_what_is_not_known() {
    let log = of_gateway(AiInfo { client_key_id: "id".into(), ..AiInfo::default() });
    assert_eq!(
        log.keys().copied().filter(|field| *field > 700).collect::<Vec<_>>(),
        [701, 705, 706, 707, 708]
    );
    assert_eq!((log.get(&707).cloned(), log.get(&705).cloned()), (number(u64::MAX), number(0)));
}

#[test]
fn aix_4_limits_that_were_hit() {
    let of = |hit: RateLimitHit| {
        let hits = Some([("p".to_owned(), hit)].into());
        let log = of_gateway(AiInfo { rate_limit_hits: hits, ..AiInfo::default() });
        let hit = inner(&log, 711);
        [1, 2, 3].map(|field| hit.get(&field).cloned())
    };
    let none = RateLimitHit::default;
    for (hit, kind, rule) in [
        (RateLimitHit { tpm_rules: vec!["t".into()], ..none() }, "tpm", "t"),
        (RateLimitHit { rpm_rules: vec!["r".into()], ..none() }, "rpm", "r"),
        (RateLimitHit { is_concurrency: true, ..none() }, "concurrency", "concurrency"),
        (RateLimitHit { redis_error: "rule".into(), ..none() }, "redis_error", "acc_redis_error"),
    ] {
        assert_eq!(of(hit), [text("p"), text(kind), text(rule)]);
    }
}
