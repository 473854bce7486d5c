//! Starts that fail: the exit code, and a message that names file, place, value and reason (CFG-7 to CFG-14).

use bfe_tests::{Backend, Cluster, Finished, Launch, Tree};
use serde_json::json;
use std::net::TcpListener;

/// A tree that is wrong, and what has to be in the message.
struct Wrong {
    id: &'static str,
    tree: Tree,
    says: &'static [&'static str],
}

fn wrong_trees(backend: &Backend) -> Vec<Wrong> {
    let good = || Tree::proxy(backend);
    let wrong = |id, tree, says| Wrong { id, tree, says };
    let hosts = "server_data_conf/host_rule.data";
    let block =
        "[Basic]\nProductRulePath = mod_block/block_rules.data\nIPBlocklistPath = mod_block/ip.data\n";
    vec![
        wrong("port", good().set("HttpPort", 70000), &["bfe.conf:", "Server.HttpPort", "70000"]),
        wrong("key", good().set("HtpPort", 1), &["bfe.conf:", "HtpPort"]),
        wrong("no integer", good().set("MaxHeaderBytes", "many"), &["bfe.conf:", "MaxHeaderBytes", "many"]),
        wrong("bound", good().set("GracefulShutdownTimeout", 301), &["bfe.conf:", "GracefulShutdownTimeout[301]", "300"]),
        wrong("no bfe.conf", good().without("bfe.conf"), &["bfe.conf", "no such file"]),
        wrong("no file", good().without(hosts), &["host_rule.data", "no such file"]),
        wrong("no JSON", good().file(hosts, "{\n  \"Version\": }"), &["host_rule.data:2:"]),
        wrong("wrong type", good().file(hosts, r#"{"Version": 1, "Hosts": {}, "HostTags": {}}"#), &["host_rule.data:1:", "Version"]),
        wrong(
            "address of a vip",
            good().file("server_data_conf/vip_rule.data", r#"{"Version": "1", "Vips": {"p": ["10.0.0.300"]}}"#),
            &["vip_rule.data:1:", "Vips.p", "10.0.0.300"],
        ),
        wrong("CFG-72 condition", good().route("p", "req_host_inn(\"x\")", "c"), &["route_rule.data:", "ProductRule.p[1].Cond", "req_host_inn"]),
        wrong("CFG-115 cluster", good().route("p", "default_t()", "nowhere"), &["route_rule.data", "nowhere"]),
        wrong("CFG-114 product", good().route("q", "default_t()", "c"), &["q"]),
        wrong(
            "CFG-80 protocol",
            good().cluster_conf("c", json!({"BackendConf": {"Protocol": "gopher"}})),
            &["cluster_conf.data:", "Config.c.BackendConf.Protocol", "gopher"],
        ),
        wrong("CFG-106 weights", good().cluster(Cluster::new("d").sub("d.s", 0, &[backend])), &["gslb.data:", "Clusters.d"]),
        wrong(
            "CFG-110 port of a backend",
            good().file("cluster_conf/cluster_table.data", r#"{"Version": "1", "Config": {"c": {"c.s": [{"Name": "b", "Addr": "127.0.0.1", "Weight": 1}]}}}"#),
            &["cluster_table.data:1:", "Config.c.\"c.s\"[0]", "Port"],
        ),
        wrong("LIFE-1 module", good().module("mod_nothing"), &["no module for mod_nothing"]),
        wrong("no module file", good().module("mod_block"), &["mod_block.conf", "no such file"]),
        wrong(
            "rule of a module",
            good()
                .module("mod_block")
                .file("mod_block/mod_block.conf", block)
                .file("mod_block/ip.data", "10.0.0.1\n")
                .file("mod_block/block_rules.data", r#"{"Version": "1", "Config": {"p": [{"Name": "n", "Cond": "default_t()", "Action": {"Cmd": "STOP", "Params": []}}]}}"#),
            &["block_rules.data:1:", "Config.p[0].Action.Cmd", "STOP"],
        ),
        wrong(
            "address of a module",
            good()
                .module("mod_block")
                .file("mod_block/mod_block.conf", block)
                .file("mod_block/ip.data", "10.0.0.1\n10.0.0.300\n")
                .file("mod_block/block_rules.data", r#"{"Version": "1", "Config": {}}"#),
            &["ip.data", "10.0.0.300"],
        ),
    ]
}

#[track_caller]
fn says(ended: &Finished, id: &str, text: &str, wanted: &[&str]) {
    for part in wanted {
        assert!(text.contains(part), "{id}: {part:?} is not in the message: {ended:?}");
    }
}

#[test]
fn cfg_8_9_11_wrong_trees_are_refused_with_a_reason() {
    let backend = Backend::ok("x");
    for Wrong { id, tree, says: wanted } in wrong_trees(&backend) {
        let tested = Launch::new(&tree).finish_with(&["-t"]);
        assert_eq!(tested.code, Some(1), "{id}: {tested:?}");
        let verdict = format!("bfe: configuration file {}/bfe.conf test failed\n", tested.conf.display());
        assert!(tested.stdout.ends_with(&verdict), "{id}: {tested:?}");
        says(&tested, id, &tested.stdout, wanted);
        let started = Launch::new(&tree).finish();
        assert_eq!(started.code, Some(1), "{id}: {started:?}");
        says(&started, id, &started.stderr, wanted);
        says(&started, id, &started.log, wanted);
        let reason = started.stderr.trim_end().rsplit(": ").next().unwrap_or_default();
        assert_eq!(started.stderr.matches(reason).count(), 1, "{id}: it is said once: {started:?}");
    }
}

#[test]
fn cfg_10_12_13_ports_in_use() {
    let backend = Backend::ok("x");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for key in ["HttpPort", "MonitorPort"] {
        let tree = Tree::proxy(&backend).set(key, port);
        assert_eq!(Launch::new(&tree).finish_with(&["-t"]).code, Some(0), "CFG-10 {key}");
        let started = Launch::new(&tree).finish();
        assert_eq!(started.code, Some(1), "{key}: {started:?}");
        says(&started, key, &started.stderr, &[&format!("127.0.0.1:{port}"), "in use"]);
    }
}

#[test]
fn life_1_and_cfg_50_module_names() {
    let backend = Backend::ok("x");
    let block =
        "[Basic]\nProductRulePath = mod_block/block_rules.data\nIPBlocklistPath = mod_block/ip.data\n";
    let tree = Tree::proxy(&backend)
        .module("  mod_block  ")
        .module("")
        .module("mod_block")
        .file("mod_block/mod_block.conf", block)
        .file("mod_block/ip.data", "")
        .file("mod_block/block_rules.data", r#"{"Version": "1", "Config": {}}"#);
    let bfe = bfe_tests::Bfe::start(&tree);
    let status = bfe.monitor_json("/monitor/module_status");
    assert_eq!(status["enabled"], json!(["mod_block"]));
    let available = status["available"].as_array().unwrap();
    assert_eq!((&available[0], available.len()), (&json!("mod_trust_clientip"), 33));
    let handlers = bfe.monitor_json("/monitor/module_handlers");
    assert_eq!(handlers["0#HandleAccept"], json!(["mod_block"]));
    assert_eq!(handlers["8#HandleFinish"], json!([]));
}

#[test]
fn the_tree_that_comes_with_the_program() {
    let conf = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf");
    assert!(std::path::Path::new(conf).join("bfe.conf").is_file(), "{conf} is there");
    let dir = tempfile::tempdir().unwrap();
    let ended = bfe_tests::run(&["-c", conf, "-t"], dir.path());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.ends_with("test is successful\n"), "{ended:?}");
}
