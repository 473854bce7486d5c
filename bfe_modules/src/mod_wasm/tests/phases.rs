//! Which calls plugins get for a request, and what becomes of what they do.

use super::*;
use crate::testing;
use bfe_http::Response;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn on_request(state: &Arc<State>) -> OnRequest {
    OnRequest { state: Arc::clone(state), before_location: false }
}

fn ask(state: &Arc<State>, req: &mut Request) -> Option<HandlerResult> {
    on_request(state).ready(req).map(|handled| handled.unwrap().result())
}

fn answer(state: &Arc<State>, req: &mut Request) -> bool {
    OnResponse { state: Arc::clone(state) }.ready(req).is_some()
}

fn of(header: &bfe_http::Header, name: &str) -> String {
    String::from_utf8_lossy(header.get(name).unwrap_or_default()).into_owned()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn wasm_6_and_14_calls_in_order() {
    let folder = Folder::new();
    for (name, letters) in [("a", "abAB"), ("b", "cdCD")] {
        let mut source = Source::default();
        let mut letters = letters.chars();
        let mut mark = |source: &mut Source, map| source.mark(map, letters.next().unwrap());
        source.request = mark(&mut source, 0);
        source.create = mark(&mut source, 0);
        source.response = mark(&mut source, 2);
        source.done = mark(&mut source, 2);
        folder.plugin(name, &source.wat(), "");
    }
    let state = folder.state(
        r#"{"Version":"1",
            "BeforeLocationRules":[
                {"Cond":"req_path_in(\"/none\", false)","PluginList":[]},
                {"Cond":"default_t()","PluginList":["a"]}],
            "FoundProductRules":{"p":[
                {"Cond":"req_path_in(\"/x\", false)","PluginList":["b","a"]},
                {"Cond":"default_t()","PluginList":["a"]}]},
            "ProductRules":{"q":[{"Cond":"default_t()","PluginList":["a"]}]},
            "PluginMap":{"a":{"InstanceNum":1},"b":{"InstanceNum":1}}}"#,
    );
    let before = OnRequest { state: Arc::clone(&state), before_location: true };
    let mut req = testing::request("GET", "/x");
    assert_eq!(before.ready(&mut req).unwrap().unwrap().result(), HandlerResult::GoOn);
    // The context of the plugin itself was made at a time without a request.
    assert_eq!(of(&req.http.header, "X-Trace"), "bba");
    assert_eq!(ask(&state, &mut req), Some(HandlerResult::GoOn), "pausing has no effect");
    assert_eq!(of(&req.http.header, "X-Trace"), "bbaba");
    req.response = Some(Response::new(200));
    assert!(answer(&state, &mut req));
    assert_eq!(of(&req.response.unwrap().header, "X-Trace"), "bbabaABAB");

    let mut none = testing::request("GET", "/none");
    assert_eq!(before.ready(&mut none).unwrap().unwrap().result(), HandlerResult::GoOn);
    none.route.product = "q".into();
    assert_eq!(ask(&state, &mut none), Some(HandlerResult::GoOn));
    assert!(none.context.is_empty() && none.http.header.is_empty());
}

#[test]
fn wasm_7_local_responses() {
    let folder = Folder::new();
    let mut source = Source::default();
    source.request = source.reply(403, "no") + &source.set(2, "x-later", "1");
    source.response = source.set(2, "x-back", "1");
    folder.plugin("a", &source.wat(), "");
    let mut after = Source::default();
    after.request = after.set(0, "x-after", "1");
    folder.plugin("b", &after.wat(), "");
    let state = folder.state(
        r#"{"Version":"1","FoundProductRules":{"p":[{"Cond":"default_t()","PluginList":["a","b"]}]},
            "PluginMap":{"a":{},"b":{}}}"#,
    );
    let mut callbacks = Callbacks::default();
    callbacks.add_async_request_filter(Point::HandleFoundProduct, NAME, on_request(&state)).unwrap();
    let mut req = testing::request("GET", "/");
    let mut progress = bfe_module::Progress::default();
    let run = callbacks.run_request(Point::HandleFoundProduct, &mut req, &mut progress);
    assert_eq!(wait(run), Ok(HandlerResult::Response));
    assert!(req.http.header.is_empty(), "the second plugin has had no turn");
    assert!(answer(&state, &mut req));
    let response = testing::response(&req);
    assert_eq!((response.status, response.content_length), (403, 2));
    assert_eq!(testing::fields(&response.header), ["X-From: plugin", "X-Later: 1", "X-Back: 1"]);
}

#[test]
fn wasm_8_local_responses_to_responses() {
    let folder = Folder::new();
    let mut source = Source::default();
    source.response =
        source.set(2, "x-seen", "1") + &source.reply(500, "no") + &source.set(2, "x-unseen", "1");
    let state = folder.one(&source);
    let mut req = testing::request("GET", "/");
    ask(&state, &mut req);
    req.response = Some(Response::new(200));
    assert!(answer(&state, &mut req));
    assert_eq!(testing::response(&req).status, 200);
    assert_eq!(testing::fields(&testing::response(&req).header), ["X-Seen: 1"]);
}

#[test]
fn wasm_13_traps_and_loops() {
    let folder = Folder::new();
    let mut source = Source::default();
    source.request = source.set(0, "x-before", "1") + "(unreachable)";
    source.response = "(loop $l (br $l))".into();
    let state = folder.one(&source);
    let mut req = testing::request("GET", "/");
    assert_eq!(ask(&state, &mut req), Some(HandlerResult::GoOn));
    assert_eq!(testing::fields(&req.http.header), ["X-Before: 1"]);
    req.response = Some(Response::new(200));
    let begin = Instant::now();
    assert!(answer(&state, &mut req));
    assert!((150..3000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());

    // The instance is of use afterwards.
    let mut again = testing::request("GET", "/");
    assert_eq!(ask(&state, &mut again), Some(HandlerResult::GoOn));
    assert_eq!(testing::fields(&again.http.header), ["X-Before: 1"]);
}

#[test]
fn recursion_and_memory_have_ends() {
    let folder = Folder::new();
    let mut source = Source { more: "(func $deeper (call $deeper))".into(), ..Source::default() };
    source.request = source.set(0, "x-before", "1") + "(call $deeper)";
    // 4000 pages are 250 MB, 5000 more than there may be.
    let name = source.text("x-grown");
    source.response = format!(
        "(if (i32.eq (memory.grow (i32.const 5000)) (i32.const -1)) (then
           (if (i32.eq (memory.grow (i32.const 4000)) (i32.const 2)) (then
             (drop (call $add (i32.const 2) {name} {name}))))))"
    );
    let state = folder.one(&source);
    let mut req = testing::request("GET", "/");
    assert_eq!(ask(&state, &mut req), Some(HandlerResult::GoOn));
    assert_eq!(testing::fields(&req.http.header), ["X-Before: 1"]);
    req.response = Some(Response::new(200));
    assert!(answer(&state, &mut req));
    assert_eq!(testing::fields(&testing::response(&req).header), ["X-Grown: x-grown"]);
}

#[test]
fn a_context_that_cannot_be_made_closes_the_connection() {
    let folder = Folder::new();
    let mut source = Source { create: "(unreachable)".into(), ..Source::default() };
    source.request = source.set(0, "x-a", "1");
    let state = folder.one(&source);
    let mut req = testing::request("GET", "/");
    assert_eq!(ask(&state, &mut req), Some(HandlerResult::Close));
    assert!(req.http.header.is_empty());
}

#[test]
fn callbacks_of_other_abis_fail() {
    let folder = Folder::new();
    let source = Source::default();
    let wat = source.wat().replace(
        r#""proxy_on_request_headers") (param i32 i32 i32)"#,
        r#""proxy_on_request_headers") (param i32 i32)"#,
    );
    folder.plugin("a", &wat, "");
    let state = folder.state(
        r#"{"Version":"1","FoundProductRules":{"p":[{"Cond":"default_t()","PluginList":["a"]}]},"PluginMap":{"a":null}}"#,
    );
    assert_eq!(ask(&state, &mut testing::request("GET", "/")), Some(HandlerResult::GoOn));
}

#[test]
fn wasm_19_contexts_end_with_their_requests() {
    let folder = Folder::new();
    let mut source = Source::default();
    let imports =
        r#"(import "env" "proxy_register_shared_queue" (func $queue (param i32 i32 i32) (result i32)))"#;
    source.imports = imports.into();
    let name = source.text("done");
    source.done = format!("(drop (call $queue {name} (i32.const 8)))");
    let name = source.text("deleted");
    source.delete = format!("(drop (call $queue {name} (i32.const 8)))");
    let state = folder.one(&source);
    let mut req = testing::request("GET", "/");
    ask(&state, &mut req);
    let shared = &state.runtime.shared;
    assert!(shared.resolve_queue(b"done").is_err());
    drop(req);
    assert!(shared.resolve_queue(b"done").is_ok() && shared.resolve_queue(b"deleted").is_ok());
}

/// A server that answers every connection with these bytes, and gives what it was sent.
fn serve(answer: &'static [u8]) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, sent) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for conn in listener.incoming() {
            let mut conn = conn.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if conn.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            if send.send(String::from_utf8(head).unwrap()).is_err() {
                return;
            }
            conn.write_all(answer).unwrap();
        }
    });
    (port, sent)
}

#[test]
fn wasm_12_http_calls() {
    let (port, sent) =
        serve(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-S: v\r\nConnection: close\r\n\r\nbody");
    let folder = Folder::new();
    let mut source = Source::default();
    source.request = source.http(&format!("http://127.0.0.1:{port}/x?y"));
    // The root context, two names (that of the connection is not shown), four bytes; then the body becomes a field.
    let name = source.text("x-body");
    source.answer = format!(
        "(if (i32.and (i32.eq (local.get 0) (i32.const 1)) (i32.eq (local.get 1) (i32.load (i32.const 8)))) (then
           (if (i32.and (i32.eq (local.get 2) (i32.const 2)) (i32.eq (local.get 3) (i32.const 4))) (then
             (drop (call $buffer (i32.const 4) (i32.const 0) (i32.const 100) (i32.const 16) (i32.const 20)))
             (drop (call $add (i32.const 0) {name} (i32.load (i32.const 16)) (i32.load (i32.const 20))))))))"
    );
    source.response = source.set(2, "x-back", "1");
    let state = folder.one(&source);
    let mut req = testing::request("GET", "/");
    assert_eq!(ask(&state, &mut req), None, "it has to wait");
    let outcome = wait(on_request(&state).call(&mut req)).unwrap();
    assert_eq!(outcome.result(), HandlerResult::GoOn);
    assert_eq!(testing::fields(&req.http.header), ["X-Body: body"]);
    let head = sent.recv().unwrap();
    assert!(
        head.starts_with("GET /x?y HTTP/1.1\r\n") && head.contains("User-Agent: Go-http-client/1.1"),
        "{head}"
    );
    req.response = Some(Response::new(200));
    assert!(answer(&state, &mut req));
    assert_eq!(testing::fields(&testing::response(&req).header), ["X-Back: 1"]);
}

#[test]
fn wasm_12_a_call_that_fails_has_no_callback() {
    let folder = Folder::new();
    let mut source = Source::default();
    source.response = source.http("http://127.0.0.1:1/");
    source.answer = source.set(2, "x-answer", "1");
    source.delete = source.http("cluster") + &source.set(2, "x-deleted", "1");
    let state = folder.one(&source);
    let mut req = testing::request("GET", "/");
    assert_eq!(ask(&state, &mut req), Some(HandlerResult::GoOn));
    req.response = Some(Response::new(200));
    assert!(!answer(&state, &mut req));
    let filter = OnResponse { state: Arc::clone(&state) };
    assert_eq!(wait(filter.call(&mut req)), Ok(HandlerResult::GoOn));
    assert_eq!(testing::fields(&testing::response(&req).header), ["X-Deleted: 1"]);
}

#[test]
fn calls_in_a_row_and_at_the_start() {
    let (port, sent) = serve(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let folder = Folder::new();
    let mut source = Source::default();
    source.configure = source.http(&format!("http://127.0.0.1:{port}/start"));
    source.request = source.http(&format!("http://127.0.0.1:{port}/first"));
    source.answer = source.http(&format!("http://127.0.0.1:{port}/more"));
    let state = folder.one(&source);
    let paths = |sent: &std::sync::mpsc::Receiver<String>| -> Vec<String> {
        let heads = std::iter::from_fn(|| sent.recv_timeout(Duration::from_millis(200)).ok());
        heads.map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&sent).len(), 32, "not without end");
    let mut req = testing::request("GET", "/");
    assert_eq!(ask(&state, &mut req), None);
    wait(on_request(&state).call(&mut req)).unwrap();
    let asked = paths(&sent);
    assert_eq!((asked.len(), &asked[0][..], &asked[1][..]), (32, "/first", "/more"));
}
