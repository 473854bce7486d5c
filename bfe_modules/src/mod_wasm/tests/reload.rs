//! What loads, and what a reload changes.

use super::*;

const MINIMAL: &str = r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_1_0")))"#;

fn count(table: &Table, name: &str) -> usize {
    table.plugin(name).unwrap().instance_count()
}

fn load_error(folder: &Folder, rules: &str) -> String {
    folder.load(&Table::default(), rules).err().unwrap_or_default()
}

#[test]
fn wasm_4_5_and_17_versions_and_instances() {
    let folder = Folder::new();
    folder.plugin("a", MINIMAL, "");
    let cpus = std::thread::available_parallelism().unwrap().get();
    let none = Table::default();
    let rules =
        |version: &str, plugin: &str| format!(r#"{{"Version":"{version}","PluginMap":{{"a":{plugin}}}}}"#);
    let first = folder.load(&none, &rules("1", r#"{"InstanceNum":2}"#)).unwrap().unwrap();
    assert_eq!(count(&first, "a"), 2);
    // The same version: nothing is looked at.
    assert!(
        folder.load(&first, r#"{"Version":"1","BeforeLocationRules":[{"Cond":"bad("}]}"#).unwrap().is_none()
    );
    assert!(folder.load(&first, r#"{"Version":null}"#).unwrap().is_none());
    assert!(folder.load(&none, r#"{"BeforeLocationRules":[{}]}"#).unwrap().is_none());
    assert!(folder.load(&none, r#"{"Version":""}"#).unwrap().is_none());

    // Other bytes, same versions of the plugin: it is kept.
    fs::write(folder.root.path().join("a/a.wasm"), "no plugin").unwrap();
    let root = first.plugin("a").unwrap().root;
    let grown = folder.load(&first, &rules("2", r#"{"InstanceNum":3}"#)).unwrap().unwrap();
    assert_eq!((count(&grown, "a"), grown.plugin("a").unwrap().root), (3, root));
    let shrunk = folder.load(&grown, &rules("3", r#"{"InstanceNum":1}"#)).unwrap().unwrap();
    assert_eq!(count(&shrunk, "a"), 1);
    let by_cpu =
        folder.load(&shrunk, &rules("4", r#"{"InstanceNum":-1,"Name":"x","Product":"y"}"#)).unwrap().unwrap();
    assert_eq!(count(&by_cpu, "a"), cpus);

    // Another version: the files are read.
    let error = folder.load(&by_cpu, &rules("5", r#"{"WasmVersion":"2"}"#)).err().unwrap();
    assert!(error.contains("PluginMap.a: incorrect hash of wasm bytes"), "{error}");
    assert_eq!(count(&by_cpu, "a"), cpus);
    folder.plugin("a", MINIMAL, "");
    let renewed =
        folder.load(&by_cpu, &rules("5", r#"{"ConfVersion":"2","InstanceNum":0}"#)).unwrap().unwrap();
    assert_ne!(renewed.plugin("a").unwrap().root, root);
    assert_eq!(count(&renewed, "a"), cpus);
    let gone = folder.load(&renewed, r#"{"Version":""}"#).unwrap().unwrap();
    assert!(gone.plugin("a").is_none());
}

#[test]
fn errors_name_the_place() {
    let folder = Folder::new();
    folder.plugin("a", MINIMAL, "");
    let with = |rest: &str| load_error(&folder, &format!(r#"{{"Version":"1",{rest}}}"#));
    for (rules, want) in [
        (r#""BeforeLocationRules":[{"PluginList":[]}]"#, "BeforeLocationRules[0].Cond: no Cond"),
        (
            r#""BeforeLocationRules":[{"Cond":"default_t()"}]"#,
            "BeforeLocationRules[0].PluginList: no PluginList",
        ),
        (
            r#""FoundProductRules":{"p":[{"Cond":"bad(","PluginList":["a"]}]},"PluginMap":{"a":{}}"#,
            "FoundProductRules.p[0].Cond: error build [bad(]",
        ),
        (
            r#""FoundProductRules":{"p":[{"Cond":"default_t()","PluginList":["a","b"]}]},"PluginMap":{"a":{}}"#,
            "FoundProductRules.p[0].PluginList[1]: unknown plugin: b",
        ),
        (r#""PluginMap":{"a":{"InstanceNum":1.5}}"#, "PluginMap.a.InstanceNum"),
        (r#""PluginMap":{"a":{"InstanceNum":10001}}"#, "PluginMap.a.InstanceNum: 10001 is above 10000"),
        (r#""PluginMap":{"b":{}}"#, "PluginMap.b: fail to load wasm bytes"),
        (r#""PluginMap":[]"#, "PluginMap"),
    ] {
        let error = with(rules);
        assert!(error.contains("mod_wasm.data:1:") && error.contains(want), "{rules}: {error}");
    }
}

#[test]
fn wasm_15_and_16_what_a_plugin_has_to_be() {
    let folder = Folder::new();
    let load = |wat: &str| {
        folder.plugin("a", wat, "");
        load_error(&folder, r#"{"Version":"1","PluginMap":{"a":{}}}"#)
    };
    assert_eq!(load(MINIMAL), "");
    let error = load("(module)");
    assert!(error.contains("fail to create wasm instance: no function is exported"), "{error}");
    let error = load(r#"(module (memory (export "proxy_abi_version") 1))"#);
    assert!(error.contains("fail to create wasm instance"), "{error}");
    for import in
        ["proxy_get_log_level", "proxy_get_status", "proxy_continue_stream", "proxy_get_buffer_status"]
    {
        let error = load(&format!(
            r#"(module (import "env" "{import}" (func (param i32) (result i32))) (func (export "proxy_abi_version_0_2_0")))"#
        ));
        assert!(error.contains("fail to create wasm instance") && error.contains(import), "{error}");
    }
    let error = load(
        r#"(module (import "env" "proxy_resolve_shared_queue" (func (param i32 i32 i32 i32 i32) (result i32)))
            (func (export "proxy_abi_version_0_2_0")))"#,
    );
    assert!(error.contains("proxy_resolve_shared_queue"), "{error}");

    let start = |name: &str| {
        format!(
            r#"(module (func (export "proxy_abi_version_0_2_0")) (func (export "{name}") (unreachable)))"#
        )
    };
    assert!(load(&start("_start")).contains("fail to create wasm instance: _start: "));
    assert_eq!(load(&start("_initialize")), "");
    let exit = |code: i32| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func (export "proxy_abi_version_0_2_0")) (func (export "_start") (call $exit (i32.const {code}))))"#
        )
    };
    assert_eq!(load(&exit(0)), "");
    assert!(load(&exit(3)).contains("exits with code 3"));
    // What a plugin asks for at once is bounded too.
    let error = load(r#"(module (memory 5000) (func (export "proxy_abi_version_0_2_0")))"#);
    assert!(error.contains("fail to create wasm instance"), "{error}");

    let folder = Folder::new();
    folder.plugin("a", MINIMAL, "");
    for bytes in [&b"text"[..], b"\0asm\x01\0\0\0\xff", b"(module)"] {
        fs::write(folder.root.path().join("a/a.wasm"), bytes).unwrap();
        fs::write(folder.root.path().join("a/a.md5"), crate::hex::encode(&md5::Md5::digest(bytes))).unwrap();
        let error = load_error(&folder, r#"{"Version":"1","PluginMap":{"a":{}}}"#);
        assert!(error.contains("PluginMap.a: fail to create wasm module"), "{error}");
    }
}

#[test]
fn a_start_that_fails_is_no_error() {
    let folder = Folder::new();
    let source = Source { configure: "(unreachable)".into(), ..Source::default() };
    folder.plugin("a", &source.wat(), "");
    assert_eq!(load_error(&folder, r#"{"Version":"1","PluginMap":{"a":{}}}"#), "");
}
