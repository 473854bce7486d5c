//! Each function that plugins can call, called as a plugin does.

use super::super::host::{self, Host, Messages, Scope};
use super::super::http_call::Answer;
use super::super::pairs;
use super::super::shared::Shared;
use bfe_http::Header;
use bytes::Bytes;
use std::fmt::Write as _;
use std::sync::Arc;
use wasmtime::{Config, Engine, Instance, Linker, Module, Store, Val};

/// Names and numbers of parameters; all but two parameters are of 32 bits.
const FUNCTIONS: &[(&str, usize)] = &[
    ("proxy_log", 3),
    ("proxy_get_buffer_bytes", 5),
    ("proxy_set_buffer_bytes", 5),
    ("proxy_get_header_map_pairs", 3),
    ("proxy_set_header_map_pairs", 3),
    ("proxy_get_header_map_value", 5),
    ("proxy_replace_header_map_value", 5),
    ("proxy_add_header_map_value", 5),
    ("proxy_remove_header_map_value", 3),
    ("proxy_send_local_response", 8),
    ("proxy_http_call", 10),
    ("proxy_dispatch_http_call", 10),
    ("proxy_get_property", 4),
    ("proxy_set_property", 4),
    ("proxy_set_effective_context", 1),
    ("proxy_set_tick_period_milliseconds", 1),
    ("proxy_done", 0),
    ("proxy_resume_downstream", 0),
    ("proxy_resume_upstream", 0),
    ("proxy_resume_http_request", 0),
    ("proxy_resume_http_response", 0),
    ("proxy_define_metric", 4),
    ("proxy_get_metric", 2),
    ("proxy_remove_metric", 1),
    ("proxy_open_grpc_stream", 7),
    ("proxy_send_grpc_call_message", 4),
    ("proxy_cancel_grpc_call", 1),
    ("proxy_close_grpc_call", 1),
    ("proxy_grpc_call", 10),
    ("proxy_dispatch_grpc_call", 10),
    ("proxy_call_foreign_function", 6),
    ("proxy_get_current_time_nanoseconds", 1),
    ("proxy_get_shared_data", 5),
    ("proxy_set_shared_data", 5),
    ("proxy_register_shared_queue", 3),
    ("proxy_resolve_shared_queue", 3),
    ("proxy_remove_shared_queue", 1),
    ("proxy_enqueue_shared_queue", 3),
    ("proxy_dequeue_shared_queue", 3),
];

/// An instance that is nothing but its imports.
struct Probe {
    store: Store<Host>,
    instance: Instance,
}

impl Probe {
    fn new(malloc: &str) -> Self {
        let mut wat = String::from("(module\n");
        for (name, params) in FUNCTIONS {
            let params = "i32 ".repeat(*params);
            writeln!(wat, r#"(import "env" "{name}" (func ${name} (param {params}) (result i32)))"#).unwrap();
        }
        for name in ["proxy_increment_metric", "proxy_record_metric"] {
            writeln!(wat, r#"(import "env" "{name}" (func ${name} (param i32 i64) (result i32)))"#).unwrap();
        }
        let wasi = [
            ("args_sizes_get", "i32 i32"),
            ("environ_get", "i32 i32"),
            ("clock_time_get", "i32 i64 i32"),
            ("random_get", "i32 i32"),
            ("fd_write", "i32 i32 i32 i32"),
            ("fd_read", "i32 i32 i32 i32"),
            ("fd_fdstat_get", "i32 i32"),
            ("fd_prestat_get", "i32 i32"),
            ("poll_oneoff", "i32 i32 i32 i32"),
            ("sched_yield", ""),
        ];
        for (name, params) in wasi {
            let module = if name == "fd_write" { "wasi_unstable" } else { "wasi_snapshot_preview1" };
            writeln!(wat, r#"(import "{module}" "{name}" (func ${name} (param {params}) (result i32)))"#)
                .unwrap();
        }
        let names = FUNCTIONS.iter().map(|(name, _)| *name).chain(wasi.iter().map(|(name, _)| *name));
        for name in names.chain(["proxy_increment_metric", "proxy_record_metric"]) {
            writeln!(wat, r#"(export "{name}" (func ${name}))"#).unwrap();
        }
        write!(
            wat,
            r#"(memory (export "memory") 1)
            (global $top (mut i32) (i32.const 32768))
            (func (export "{malloc}") (param $size i32) (result i32)
                (global.get $top) (global.set $top (i32.add (global.get $top) (local.get $size)))))"#
        )
        .unwrap();
        let engine = Engine::new(&Config::new()).unwrap();
        let mut linker = Linker::new(&engine);
        host::link(&mut linker).unwrap();
        let host = Host::new("p".into(), Bytes::from_static(b"configuration"), Arc::new(Shared::default()));
        let mut store = Store::new(&engine, host);
        let module = Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Host::bind(&mut store, &instance);
        let mut probe = Self { store, instance };
        probe.scope(Scope::Request(Messages::default()));
        probe
    }

    fn scope(&mut self, scope: Scope) {
        self.store.data_mut().scope = scope;
    }

    /// Puts a text into the memory; gives its place and size.
    fn put(&mut self, at: i32, text: &[u8]) -> [i32; 2] {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        memory.write(&mut self.store, at as usize, text).unwrap();
        [at, text.len() as i32]
    }

    fn number(&mut self, at: i32) -> u32 {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        let mut number = [0; 4];
        memory.read(&self.store, at as usize, &mut number).unwrap();
        u32::from_le_bytes(number)
    }

    /// What was handed over, by the place and size that stand at 0 and 4.
    fn got(&mut self) -> Vec<u8> {
        let (at, size) = (self.number(0), self.number(4));
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        memory.data(&self.store)[at as usize..][..size as usize].to_vec()
    }

    fn try_call(&mut self, name: &str, params: &[i32]) -> Result<i32, String> {
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        let types: Vec<_> = function.ty(&self.store).params().collect();
        let params: Vec<_> = params
            .iter()
            .zip(types)
            .map(|(n, ty)| if ty.is_i64() { Val::I64((*n).into()) } else { Val::I32(*n) })
            .collect();
        let mut results = [Val::I32(-1)];
        function.call(&mut self.store, &params, &mut results).map_err(|e| format!("{e:#}"))?;
        Ok(results[0].unwrap_i32())
    }

    fn call(&mut self, name: &str, params: &[i32]) -> i32 {
        self.try_call(name, params).unwrap()
    }

    fn messages(&mut self) -> &mut Messages {
        match &mut self.store.data_mut().scope {
            Scope::Request(messages) => messages,
            _ => panic!("no request"),
        }
    }

    fn set(&mut self, function: &str, map: i32, name: &str, value: &str) -> Result<i32, String> {
        let [n, nl] = self.put(100, name.as_bytes());
        let [v, vl] = self.put(200, value.as_bytes());
        self.try_call(function, &[map, n, nl, v, vl])
    }

    fn get(&mut self, map: i32, name: &str) -> Result<Vec<u8>, i32> {
        let [n, nl] = self.put(100, name.as_bytes());
        match self.call("proxy_get_header_map_value", &[map, n, nl, 0, 4]) {
            0 => Ok(self.got()),
            code => Err(code),
        }
    }
}

fn header(fields: &[(&'static str, &'static str)]) -> Header {
    let mut header = Header::new();
    for (name, value) in fields {
        header.add(*name, *value);
    }
    header
}

#[test]
fn wasm_9_header_calls() {
    const ADD: &str = "proxy_add_header_map_value";
    const REPLACE: &str = "proxy_replace_header_map_value";
    let mut probe = Probe::new("malloc");
    probe.messages().request =
        header(&[("User-Agent", "x"), ("Cookie", "1"), ("Cookie", "2"), ("X-Empty", "")]);
    assert_eq!(probe.get(0, "uSER-agent"), Ok(b"x".to_vec()));
    assert_eq!(probe.get(0, "cookie"), Ok(b"1".to_vec()));
    assert_eq!((probe.get(0, "x-empty"), probe.get(0, "x"), probe.get(0, "")), (Err(1), Err(1), Err(2)));

    assert_eq!(probe.call("proxy_get_header_map_pairs", &[0, 0, 4]), 0);
    let bytes = probe.got();
    let found: Vec<_> = pairs::decode(&bytes).collect();
    assert_eq!(found, [(&b"Cookie"[..], &b"1"[..]), (b"User-Agent", b"x"), (b"X-Empty", b"")]);
    assert_eq!(probe.messages().names_in_request(), 3);

    assert_eq!(probe.set(ADD, 0, "cookie", "3"), Ok(0));
    assert_eq!(probe.set(ADD, 0, "x-new", ""), Ok(0));
    assert_eq!(probe.set(REPLACE, 0, "user-agent", "y"), Ok(0));
    assert_eq!((probe.set(REPLACE, 0, "x", ""), probe.set(ADD, 0, "", "x")), (Ok(2), Ok(2)));
    assert_eq!(
        crate::testing::fields(&probe.messages().request),
        ["User-Agent: y", "Cookie: 3", "X-Empty: ", "X-New: "]
    );
    let [n, nl] = probe.put(100, b"COOKIE");
    assert_eq!(probe.call("proxy_remove_header_map_value", &[0, n, nl]), 0);
    assert_eq!(probe.call("proxy_remove_header_map_value", &[0, n, 0]), 2);
    let list = pairs::encode([(&b"x-w"[..], &b"p"[..]), (b"user-agent", b"z")].into_iter());
    let [at, size] = probe.put(300, &list);
    assert_eq!(probe.call("proxy_set_header_map_pairs", &[0, at, size]), 0);
    assert_eq!(
        crate::testing::fields(&probe.messages().request),
        ["User-Agent: z", "X-Empty: ", "X-New: ", "X-W: p"]
    );
}

#[test]
fn maps_that_are_not_there() {
    let mut probe = Probe::new("malloc");
    for map in [2, 3, 4, 5, 6, 7, 8, -1] {
        assert_eq!(probe.call("proxy_get_header_map_pairs", &[map, 0, 4]), 1, "{map}");
        assert_eq!(probe.set("proxy_add_header_map_value", map, "a", "b"), Ok(1), "{map}");
    }
    probe.messages().response = Some(header(&[("Server", "s")]));
    probe.store.data_mut().http.answer =
        Some(Answer { header: header(&[("Etag", "e")]), body: "body".into() });
    assert_eq!((probe.get(2, "server"), probe.get(6, "etag")), (Ok(b"s".to_vec()), Ok(b"e".to_vec())));
    for trailers in [1, 3] {
        assert_eq!(probe.call("proxy_get_header_map_pairs", &[trailers, 0, 4]), 0);
        assert_eq!(probe.got(), [0; 4]);
        assert_eq!(probe.get(trailers, "a"), Err(1));
        assert_eq!(probe.call("proxy_remove_header_map_value", &[trailers, 0, 1]), 0);
        let error = probe.set("proxy_add_header_map_value", trailers, "a", "b").unwrap_err();
        assert!(error.contains("trailers cannot be set"), "{error}");
    }
    probe.scope(Scope::Root);
    for map in 0..4 {
        assert!(probe.try_call("proxy_get_header_map_pairs", &[map, 0, 4]).is_err());
    }
    assert_eq!(probe.get(6, "etag"), Ok(b"e".to_vec()));
    assert!(probe.try_call("proxy_send_local_response", &[200, 0, 0, 0, 0, 0, 0, -1]).is_err());
    probe.scope(Scope::Loading);
    assert_eq!(probe.call("proxy_get_header_map_pairs", &[0, 0, 4]), 1);
    assert_eq!(probe.call("proxy_get_buffer_bytes", &[7, 0, 9, 0, 4]), 1);
    assert_eq!(probe.call("proxy_send_local_response", &[200, 0, 0, 0, 0, 0, 0, -1]), 12);
    assert_eq!(probe.call("proxy_http_call", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 12);
}

#[test]
fn wasm_18_buffers() {
    let mut probe = Probe::new("malloc");
    let mut get =
        |kind, start, length| match probe.call("proxy_get_buffer_bytes", &[kind, start, length, 0, 4]) {
            0 => Ok(String::from_utf8(probe.got()).unwrap()),
            code => Err(code),
        };
    assert_eq!(get(7, 0, i32::MAX).unwrap(), "configuration");
    assert_eq!(get(7, 0, 4).unwrap(), "conf");
    assert_eq!(get(7, 9, 100).unwrap(), "conf", "from the beginning");
    assert_eq!(get(7, 3, 2).unwrap(), "co");
    assert_eq!(get(7, -1, 5).unwrap(), "confi");
    assert_eq!((get(7, 1, i32::MAX), get(7, 3, -1), get(7, 14, 1)), (Err(2), Err(2), Err(2)));
    assert_eq!(get(6, 0, 10).unwrap(), "");
    for kind in [0, 1, 2, 3, 4, 5, 8, 9, -1] {
        assert_eq!(get(kind, 0, 1), Err(1), "{kind}");
    }
    probe.store.data_mut().http.answer = Some(Answer { header: Header::new(), body: "body".into() });
    let [at, size] = probe.put(100, b"new");
    let mut set =
        |kind, start, length| probe.call("proxy_set_buffer_bytes", &[kind, start, length, at, size]);
    assert_eq!((set(7, 0, 0), set(7, 0, 5), set(7, 13, 0), set(7, 5, 0), set(0, 0, 0)), (0, 2, 0, 2, 1));
    assert_eq!((set(4, 4, 9), set(4, 0, 2), set(4, -1, 2)), (0, 2, 2));
    assert_eq!(probe.store.data().http.answer.as_ref().unwrap().body, "bodynew");
    assert_eq!(probe.call("proxy_set_buffer_bytes", &[4, 0, 7, at, size]), 0);
    assert_eq!(probe.store.data().http.answer.as_ref().unwrap().body, "new");
    probe.scope(Scope::Root);
    assert!(probe.try_call("proxy_get_buffer_bytes", &[0, 0, 1, 0, 4]).is_err());
    assert_eq!(probe.call("proxy_get_buffer_bytes", &[7, 0, 1, 0, 4]), 0);
}

#[test]
fn wasm_10_properties_and_what_is_not_there() {
    let mut probe = Probe::new("malloc");
    let [key, size] = probe.put(100, b"source\0address");
    assert_eq!(probe.call("proxy_get_property", &[key, size, 0, 4]), 0);
    assert_eq!(probe.got(), b"");
    assert_eq!(probe.call("proxy_get_property", &[key, 0, 0, 4]), 2);
    let unimplemented: &[(&str, &[i32])] = &[
        ("proxy_set_property", &[key, size, key, size]),
        ("proxy_set_effective_context", &[1]),
        ("proxy_set_tick_period_milliseconds", &[1000]),
        ("proxy_done", &[]),
        ("proxy_resume_downstream", &[]),
        ("proxy_resume_upstream", &[]),
        ("proxy_resume_http_request", &[]),
        ("proxy_resume_http_response", &[]),
        ("proxy_define_metric", &[2, key, size, 0]),
        ("proxy_increment_metric", &[1, 1]),
        ("proxy_record_metric", &[1, 1]),
        ("proxy_get_metric", &[1, 0]),
        ("proxy_remove_metric", &[1]),
        ("proxy_open_grpc_stream", &[0, 0, 0, 0, 0, 0, 0]),
        ("proxy_send_grpc_call_message", &[0, 0, 0, 0]),
        ("proxy_cancel_grpc_call", &[0]),
        ("proxy_close_grpc_call", &[0]),
        ("proxy_grpc_call", &[0; 10]),
        ("proxy_dispatch_grpc_call", &[0; 10]),
        ("proxy_call_foreign_function", &[0; 6]),
    ];
    for (name, params) in unimplemented {
        assert_eq!(probe.call(name, params), 12, "{name}");
    }
    assert_eq!(probe.call("proxy_define_metric", &[3, key, size, 0]), 2);
    assert_eq!(probe.call("proxy_define_metric", &[0, key, 0, 0]), 2);
    assert_eq!(probe.call("proxy_set_property", &[key, 0, key, size]), 2);
    assert_eq!(probe.call("proxy_set_property", &[key, size, -1, 1]), 6);
    assert_eq!(probe.call("proxy_grpc_call", &[0, 0, 0, 0, 0, 0, 65535, 2, 0, 0]), 6);
}

#[test]
fn places_outside_the_memory() {
    let mut probe = Probe::new("malloc");
    probe.messages().request = header(&[("A", "b")]);
    let [key, size] = probe.put(100, b"a");
    for (name, params) in [
        ("proxy_log", &[2, 65536, 1][..]),
        ("proxy_log", &[2, -1, 2]),
        ("proxy_get_header_map_value", &[0, 65535, 2, 0, 4]),
        ("proxy_get_header_map_value", &[0, key, size, 65534, 4]),
        ("proxy_get_header_map_value", &[0, key, size, 0, -1]),
        ("proxy_get_header_map_pairs", &[0, 0, 65533]),
        ("proxy_set_header_map_pairs", &[0, 0, -1]),
        ("proxy_get_current_time_nanoseconds", &[65533]),
        ("proxy_send_local_response", &[200, 0, 0, -1, 1, 0, 0, -1]),
        ("proxy_http_call", &[0, 0, 0, 0, 0, 0, 65536, 1, 0, 0]),
        ("proxy_set_shared_data", &[key, size, 65536, 1, 0]),
    ] {
        assert_eq!(probe.call(name, params), 6, "{name}");
    }
    let mut without = Probe::new("allocate");
    assert_eq!(without.call("proxy_get_buffer_bytes", &[7, 0, 4, 0, 4]), 6);
    let mut newer = Probe::new("proxy_on_memory_allocate");
    assert_eq!(newer.call("proxy_get_buffer_bytes", &[7, 0, 4, 0, 4]), 0);
}

#[test]
fn local_responses_and_calls_are_noted() {
    let mut probe = Probe::new("malloc");
    let fields = pairs::encode([(&b"x-a"[..], &b"1"[..]), (b"x-a", b"2"), (b"X-A", b"3")].into_iter());
    let [f, fl] = probe.put(100, &fields);
    let [b, bl] = probe.put(200, b"body");
    for (status, want) in [(0, 0), (1000, 0), (-1, 2), (65736, 2)] {
        assert_eq!(
            probe.call("proxy_send_local_response", &[status, 0, 0, b, bl, f, fl, -1]),
            want,
            "{status}"
        );
    }
    assert_eq!(probe.call("proxy_send_local_response", &[403, 0, 0, b, bl, f, fl, -1]), 0);
    let reply = probe.messages().reply.as_ref().unwrap();
    assert_eq!((reply.status, &reply.body[..]), (403, &b"body"[..]));
    assert_eq!(crate::testing::fields(&reply.header), ["X-A: 3", "X-A: 2"]);
    assert_eq!(probe.set("proxy_add_header_map_value", 2, "x-a", "4"), Ok(0));
    assert_eq!(crate::testing::fields(&probe.messages().reply.as_ref().unwrap().header), ["X-A: 4"]);

    let [u, ul] = probe.put(300, b"http://127.0.0.1:1/");
    assert_eq!(probe.call("proxy_http_call", &[u, ul, f, fl, b, bl, 0, 0, 5, 8]), 0);
    let first = probe.number(8);
    assert_eq!(probe.call("proxy_dispatch_http_call", &[u, ul, f, fl, b, bl, 0, 0, 5, 8]), 0);
    let second = probe.number(8);
    assert_eq!(second, first + 1);
    assert_eq!(probe.call("proxy_http_call", &[b, 1, f, fl, b, bl, 0, 0, 5, 8]), 0, "leads nowhere");
    let [n, nl] = probe.put(400, b"http://h\n");
    assert_eq!(probe.call("proxy_http_call", &[n, nl, f, fl, b, bl, 0, 0, 5, 8]), 2);
    assert!(
        probe.store.data_mut().http.take_call().is_some_and(|call| call.id.cast_unsigned() == second + 1)
    );
    assert!(probe.store.data_mut().http.take_call().is_none(), "one at a time");
}

#[test]
fn wasm_11_shared_data_and_queues() {
    let mut probe = Probe::new("malloc");
    let [k, kl] = probe.put(100, b"key");
    let [v, vl] = probe.put(200, b"value");
    assert_eq!(probe.call("proxy_get_shared_data", &[k, kl, 0, 4, 8]), 1);
    assert_eq!(probe.call("proxy_set_shared_data", &[k, kl, v, vl, 7]), 0);
    assert_eq!(probe.call("proxy_set_shared_data", &[k, kl, v, vl, 0]), 8);
    assert_eq!(probe.call("proxy_get_shared_data", &[k, kl, 0, 4, 8]), 0);
    assert_eq!((probe.got(), probe.number(8)), (b"value".to_vec(), 1));
    assert_eq!(probe.call("proxy_get_shared_data", &[k, 0, 0, 4, 8]), 2);
    assert_eq!(probe.call("proxy_set_shared_data", &[k, 0, v, vl, 0]), 2);

    assert_eq!(probe.call("proxy_resolve_shared_queue", &[k, kl, 8]), 1);
    assert_eq!(probe.call("proxy_register_shared_queue", &[k, 0, 8]), 2);
    assert_eq!(probe.call("proxy_register_shared_queue", &[k, kl, 8]), 0);
    assert_eq!(probe.call("proxy_resolve_shared_queue", &[k, kl, 12]), 0);
    let queue = probe.number(8) as i32;
    assert_eq!(probe.number(12) as i32, queue);
    assert_eq!(probe.call("proxy_dequeue_shared_queue", &[queue, 0, 4]), 7);
    assert_eq!(probe.call("proxy_enqueue_shared_queue", &[queue, v, vl]), 0);
    assert_eq!(probe.call("proxy_dequeue_shared_queue", &[queue, 0, 4]), 0);
    assert_eq!(probe.got(), b"value");
    assert_eq!(probe.call("proxy_remove_shared_queue", &[queue]), 0);
    for (name, params) in [
        ("proxy_remove_shared_queue", &[queue][..]),
        ("proxy_enqueue_shared_queue", &[queue, v, vl]),
        ("proxy_dequeue_shared_queue", &[queue, 0, 4]),
    ] {
        assert_eq!(probe.call(name, params), 1, "{name}");
    }
}

#[test]
fn clocks_and_the_system() {
    let mut probe = Probe::new("malloc");
    probe.put(8, &[0xff; 8]);
    assert_eq!(probe.call("proxy_get_current_time_nanoseconds", &[8]), 0);
    assert!(probe.number(8) < 1_000_000_000 && probe.number(12) == u32::MAX);
    assert_eq!(probe.call("clock_time_get", &[0, 0, 8]), 0);
    let seconds = (u64::from(probe.number(8)) | u64::from(probe.number(12)) << 32) / 1_000_000_000;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((now - 5..=now).contains(&seconds));
    assert_eq!((probe.call("clock_time_get", &[1, 0, 8]), probe.call("clock_time_get", &[9, 0, 8])), (0, 28));
    assert_eq!((probe.call("random_get", &[100, 5000]), probe.call("random_get", &[65000, 5000])), (0, 21));
    assert_ne!((probe.number(100), probe.number(5096)), (0, 0));
    assert_eq!(probe.call("args_sizes_get", &[0, 4]), 0);
    assert_eq!(
        (probe.number(0), probe.call("environ_get", &[0, 4]), probe.call("sched_yield", &[])),
        (0, 0, 0)
    );

    probe.put(100, &[0, 2, 0, 0, 5, 0, 0, 0, 0, 2, 0, 0, 6, 0, 0, 0]);
    assert_eq!(probe.call("fd_write", &[1, 100, 2, 8]), 0);
    assert_eq!(probe.number(8), 11);
    assert_eq!((probe.call("fd_write", &[3, 100, 2, 8]), probe.call("fd_write", &[2, 65530, 2, 8])), (8, 21));
    assert_eq!(probe.call("fd_write", &[1, 100, i32::MAX, 8]), 21);
    assert_eq!((probe.call("fd_read", &[0, 100, 2, 8]), probe.number(8)), (0, 0));
    assert_eq!((probe.call("fd_fdstat_get", &[1, 8]), probe.call("fd_prestat_get", &[3, 8])), (0, 8));

    let mut subscriptions = [0; 96];
    subscriptions[0] = 42;
    (subscriptions[48], subscriptions[56]) = (43, 1);
    probe.put(1000, &subscriptions);
    assert_eq!(probe.call("poll_oneoff", &[1000, 2000, 2, 8]), 0);
    let event = |probe: &mut Probe, at| (probe.number(at), probe.number(at + 8));
    assert_eq!(
        (probe.number(8), event(&mut probe, 2000), event(&mut probe, 2032)),
        (2, (42, 0), (43, 8 | 1 << 16))
    );
    assert_eq!(
        (probe.call("poll_oneoff", &[0, 0, 0, 8]), probe.call("poll_oneoff", &[0, 0, i32::MAX, 8])),
        (28, 21)
    );
}
