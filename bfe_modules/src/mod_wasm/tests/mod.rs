//! Plugins in text form, for tests.

mod functions;
mod phases;
mod reload;

use super::*;
use md5::Digest as _;
use std::fs;
use tempfile::TempDir;

/// What a test plugin does in each of its callbacks; empty does nothing.
#[derive(Clone, Default)]
struct Source {
    /// The texts that it uses, one after the other from address 1024.
    data: Vec<u8>,
    imports: String,
    /// Functions beside those below.
    more: String,
    create: String,
    configure: String,
    request: String,
    response: String,
    done: String,
    delete: String,
    answer: String,
}

impl Source {
    /// Address and length of a text.
    fn text(&mut self, text: &str) -> String {
        let at = 1024 + self.data.len();
        self.data.extend_from_slice(text.as_bytes());
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    /// Sets a field in a map.
    fn set(&mut self, map: i32, name: &str, value: &str) -> String {
        let (name, value) = (self.text(name), self.text(value));
        format!("(drop (call $add (i32.const {map}) {name} {value}))\n")
    }

    /// Appends a letter to the trace, and shows it as a field of the request or the response.
    fn mark(&mut self, map: i32, letter: char) -> String {
        let name = self.text("X-Trace");
        format!(
            "(i32.store8 (i32.add (i32.const 512) (global.get $marks)) (i32.const {}))
             (global.set $marks (i32.add (global.get $marks) (i32.const 1)))
             (drop (call $add (i32.const {map}) {name} (i32.const 512) (global.get $marks)))\n",
            letter as u32
        )
    }

    /// A local response with that status.
    fn reply(&mut self, status: i32, body: &str) -> String {
        let (body, fields) = (
            self.text(body),
            String::from_utf8(pairs::encode([(&b"x-from"[..], &b"plugin"[..])].into_iter())),
        );
        let fields = self.text(&fields.unwrap());
        format!(
            "(drop (call $reply (i32.const {status}) (i32.const 0) (i32.const 0) {body} {fields} (i32.const -1)))\n"
        )
    }

    /// An HTTP call.
    fn http(&mut self, url: &str) -> String {
        let url = self.text(url);
        format!(
            "(drop (call $http {url} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
             (i32.const 2000) (i32.const 8)))\n"
        )
    }

    fn wat(&self) -> String {
        let data: String = self.data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let Self { imports, more, create, configure, request, response, done, delete, answer, .. } = self;
        format!(
            r#"(module
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_dispatch_http_call" (func $http (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
            {imports}
            (memory (export "memory") 2)
            (global $marks (mut i32) (i32.const 0))
            (data (i32.const 1024) "{data}")
            (func (export "malloc") (param i32) (result i32) (i32.const 65536))
            (func (export "proxy_abi_version_0_2_0"))
            (func (export "proxy_on_context_create") (param i32 i32) {create})
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) {configure} (i32.const 0))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {request} (i32.const 1))
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {response} (i32.const 1))
            (func (export "proxy_on_done") (param i32) (result i32) {done} (i32.const 0))
            (func (export "proxy_on_delete") (param i32) {delete})
            (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32) {answer})
            {more})"#
        )
    }
}

/// A folder with plugins and a rule file.
struct Folder {
    root: TempDir,
    runtime: Arc<Runtime>,
}

impl Folder {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), runtime: Arc::new(Runtime::new().unwrap()) }
    }

    fn plugin(&self, name: &str, wat: &str, conf: &str) {
        let folder = self.root.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let wasm = wat::parse_str(wat).unwrap();
        fs::write(folder.join(format!("{name}.md5")), crate::hex::encode(&md5::Md5::digest(&wasm))).unwrap();
        fs::write(folder.join(format!("{name}.wasm")), wasm).unwrap();
        fs::write(folder.join(format!("{name}.conf")), conf).unwrap();
    }

    /// Loads a rule file on top of a table.
    fn load(&self, before: &Table, rules: &str) -> Result<Option<Table>, String> {
        let file = self.root.path().join("mod_wasm.data");
        fs::write(&file, rules).unwrap();
        before.load(&self.runtime, &file, self.root.path()).map_err(|e| e.to_string())
    }

    /// Loads a rule file, which has to be good.
    fn state(&self, rules: &str) -> Arc<State> {
        let table = self.load(&Table::default(), rules).unwrap().unwrap();
        Arc::new(State { runtime: Arc::clone(&self.runtime), table: ArcSwap::from_pointee(table) })
    }

    /// One plugin, that every request gets at FoundProduct, and that has one instance.
    fn one(&self, source: &Source) -> Arc<State> {
        self.plugin("a", &source.wat(), "");
        self.state(
            r#"{"Version":"1","FoundProductRules":{"p":[{"Cond":"default_t()","PluginList":["a"]}]},
                "PluginMap":{"a":{"InstanceNum":1}}}"#,
        )
    }
}
