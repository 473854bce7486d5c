use super::*;
use crate::backend::Backend;
use bfe_basic::{Request, Session};
use std::path::PathBuf;
use std::rc::Rc;
use tempfile::TempDir;

/// The files of a table, rewritten at will.
struct Tree {
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Tree {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { dir: tempfile::tempdir().unwrap(), runtime }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes both files, of these clusters.
    fn files(&self, label: &str, gslb: &str, backends: &str) -> (PathBuf, PathBuf) {
        let gslb = format!(r#"{{"Clusters":{gslb},"Hostname":"h{label}","Ts":"t{label}"}}"#);
        let backends = format!(r#"{{"Version":"v{label}","Config":{backends}}}"#);
        (self.write("gslb.data", &gslb), self.write("cluster_table.data", &backends))
    }

    fn load(&self, gslb: &str, backends: &str) -> Result<BalTable, ConfErrors> {
        let (gslb, backends) = self.files("1", gslb, backends);
        BalTable::load(&gslb, &backends, self.runtime.handle().clone())
    }

    fn reload(&self, table: &BalTable, gslb: &str, backends: &str) -> Result<(), ConfErrors> {
        let (gslb, backends) = self.files("2", gslb, backends);
        table.reload(&gslb, &backends)
    }

    fn conf(&self, clusters: &str) -> Arc<ClusterTable> {
        let path = self.write("cluster_conf.data", &format!(r#"{{"Version":"1","Config":{clusters}}}"#));
        Arc::new(ClusterTable::load(&path).unwrap())
    }
}

fn backend(name: &str, weight: i64) -> String {
    format!(r#"{{"Name":"{name}","Addr":"{name}.host","Port":80,"Weight":{weight}}}"#)
}

fn pick(table: &BalTable, cluster: &str) -> Arc<Backend> {
    let http = bfe_http::Request::new("GET", "/", "h").unwrap();
    let mut req = Request::new(Rc::new(Session::default()), http);
    table.lookup(cluster).unwrap().balance(&mut req).unwrap()
}

#[test]
fn bal_5_cfg_116_cluster_missing_at_start() {
    let tree = Tree::new();
    let one = format!(r#"{{"c":{{"s":[{}]}}}}"#, backend("a", 1));
    let error = tree.load(r#"{"c":{"s":1},"d":{"s":1},"e":{"s":1}}"#, &one).unwrap_err();
    assert_eq!(error.first().reason, "error in ClusterTable.backendInit() for [d,e]");
    let error = tree.load(r#"{"c":{"s":1},"":{"s":1}}"#, &one).unwrap_err();
    assert_eq!(error.first().reason, "error in ClusterTable.backendInit() for []");
}

#[test]
fn cfg_106_a_sum_of_weights_that_overflows_is_none() {
    let tree = Tree::new();
    let backends = format!(r#"{{"c":{{"s":[{a}],"t":[{a}]}}}}"#, a = backend("a", 1));
    let error = tree.load(r#"{"c":{"s":9223372036854775807,"t":1}}"#, &backends).unwrap_err();
    assert!(error.first().reason.starts_with("total weight <= 0"), "{error}");
    assert!(tree.load(r#"{"c":{"s":9223372036854775807,"t":-1}}"#, &backends).is_ok());
}

#[test]
fn cfg_119_join_rules() {
    let tree = Tree::new();
    let backends =
        format!(r#"{{"c":{{"s":[{a}],"unused":[{a}]}},"other":{{"s":[{a}]}}}}"#, a = backend("a", 1));
    let table = tree.load(r#"{"c":{"s":1,"empty":0,"GSLB_BLACKHOLE":0}}"#, &backends).unwrap();
    assert!(table.lookup("other").is_none());
    assert_eq!(
        table.status_json(),
        r#"{"Balancers":{"c":{"SubClusters":{"GSLB_BLACKHOLE":{"BackendNum":0},"empty":{"BackendNum":0},"s":{"BackendNum":1}},"BackendNum":1}},"BackendNum":1}"#
    );
}

#[test]
fn bal_120_121_monitor_pages() {
    let tree = Tree::new();
    let backends = format!(r#"{{"cluster_c2":{{"c2-example.a":[{}]}}}}"#, backend("a", 1));
    let table = tree.load(r#"{"cluster_c2":{"c2-example.a":1,"GSLB_BLACKHOLE":0}}"#, &backends).unwrap();
    assert_eq!(
        table.status_json(),
        r#"{"Balancers":{"cluster_c2":{"SubClusters":{"GSLB_BLACKHOLE":{"BackendNum":0},"c2-example.a":{"BackendNum":1}},"BackendNum":1}},"BackendNum":1}"#
    );
    assert_eq!(table.cluster_status("cluster_c2").json(), r#"{"status": "Exist"}"#);
    assert_eq!(table.cluster_status("x").json(), r#"{"status": "Not Exist"}"#);
    assert_eq!(ClusterStatus::NoSubCluster.json(), r#"{"status": "No SubCluster"}"#);
    let version = BalVersion { gslb_conf_src: "<h>".into(), ..table.versions() };
    assert_eq!(
        version.json(),
        r#"{"ClusterTableConfVer":"v1","GslbConfTimeStamp":"t1","GslbConfSrc":"\u003ch\u003e"}"#
    );
}

#[test]
fn bal_102_106_108_reload() {
    let tree = Tree::new();
    let ab = format!(r#"{{"c":{{"s":[{},{}]}}}}"#, backend("a", 1), backend("b", 1));
    let table = tree.load(r#"{"c":{"s":1}}"#, &ab).unwrap();
    let a = pick(&table, "c");
    a.inc_conn();
    // A bad file changes nothing.
    assert!(tree.reload(&table, r#"{"c":{"s":0}}"#, &ab).is_err());
    assert_eq!(table.versions().cluster_table_conf_ver, "v1");
    // A good one keeps what stays.
    let only_a = format!(r#"{{"c":{{"s":[{}]}}}}"#, backend("a", 3));
    tree.reload(&table, r#"{"c":{"s":7}}"#, &only_a).unwrap();
    assert!(Arc::ptr_eq(&a, &pick(&table, "c")), "the same backend");
    assert_eq!(a.conn_num(), 1);
    let want = BalVersion {
        cluster_table_conf_ver: "v2".into(),
        gslb_conf_time_stamp: "t2".into(),
        gslb_conf_src: "h2".into(),
    };
    assert_eq!(table.versions(), want);
}

#[test]
fn bal_107_cfg_138_145_partial_reload() {
    let tree = Tree::new();
    let c = format!(r#"{{"c":{{"s":[{}]}}}}"#, backend("a", 1));
    let table = tree.load(r#"{"c":{"s":1}}"#, &c).unwrap();
    let d = format!(r#"{{"d":{{"s":[{}]}}}}"#, backend("z", 1));
    let error = tree.reload(&table, r#"{"c":{"s":1},"d":{"s":1}}"#, &d).unwrap_err();
    assert_eq!(error.first().reason, "error in BalTableReload() for [c]");
    assert_eq!(*pick(&table, "c").name, *"a", "old backends stay");
    assert_eq!(*pick(&table, "d").name, *"z", "the rest is applied");
    assert_eq!(table.versions().cluster_table_conf_ver, "v2");
    // A cluster that is gone from gslb goes.
    tree.reload(&table, r#"{"d":{"s":1}}"#, &d).unwrap();
    assert!(table.lookup("c").is_none());
}

#[test]
fn bal_109_cfg_150_settings_apply_at_once() {
    let tree = Tree::new();
    let table = tree.load(r#"{"c":{"s":1}}"#, &format!(r#"{{"c":{{"s":[{}]}}}}"#, backend("a", 1))).unwrap();
    let balancer = table.lookup("c").unwrap();
    let mut req = Request::new(Rc::new(Session::default()), bfe_http::Request::new("GET", "/", "h").unwrap());
    req.retry_time = 1;
    balancer.balance(&mut req).unwrap();
    let conf = tree.conf(r#"{"c":{"GslbBasic":{"RetryMax":0}}}"#);
    table.set_gslb_basic(&conf);
    assert!(balancer.balance(&mut req).is_err());
    // A cluster_conf without the cluster leaves it as it is.
    table.set_gslb_basic(&tree.conf("{}"));
    assert!(balancer.balance(&mut req).is_err());
}

#[test]
fn bal_65_68_70_72_failures_in_a_row() {
    let tree = Tree::new();
    let one = backend("a", 1);
    let table = tree
        .load(r#"{"c":{"s":1},"d":{"s":1}}"#, &format!(r#"{{"c":{{"s":[{one}]}},"d":{{"s":[{one}]}}}}"#))
        .unwrap();
    let (a, other) = (pick(&table, "c"), pick(&table, "d"));
    for _ in 0..9 {
        a.on_fail();
    }
    assert!(a.avail() && a.fail_num() == 9, "without a cluster_conf failures are only counted");
    a.on_success();
    table.set_gslb_basic(&tree.conf(r#"{"c":{"CheckConf":{"FailNum":3}},"d":{}}"#));
    for step in ["fail", "fail", "success", "fail", "fail"] {
        match step {
            "fail" => a.on_fail(),
            _ => a.on_success(),
        }
        assert!(a.avail());
    }
    // A lower FailNum counts from the next failure on.
    table.set_gslb_basic(&tree.conf(r#"{"c":{"CheckConf":{"FailNum":0}},"d":{}}"#));
    assert!(a.avail());
    a.on_fail();
    assert!(!a.avail() && a.is_checked());
    a.on_success();
    assert!(!a.avail(), "a request in flight does not bring it back");
    assert!(other.avail(), "the same address in another cluster is another backend");
    drop(table);
    tree.runtime.block_on(tokio::task::yield_now());
    assert!(!a.is_checked(), "no task outlives the table");
}

#[test]
fn bal_40_cfg_146_slow_start_after_reload_only() {
    let tree = Tree::new();
    let conf = tree.conf(r#"{"c":{"BackendConf":{"SlowStartTime":3600}}}"#);
    let a = format!(r#"{{"c":{{"s":[{}]}}}}"#, backend("a", 1));
    let table = tree.load(r#"{"c":{"s":1}}"#, &a).unwrap();
    table.set_gslb_basic(&conf);
    table.set_slow_start(&conf);
    let ab = format!(r#"{{"c":{{"s":[{},{}]}}}}"#, backend("a", 1), backend("b", 1));
    tree.reload(&table, r#"{"c":{"s":1}}"#, &ab).unwrap();
    let of_b = (0..60).filter(|_| *pick(&table, "c").name == *"b").count();
    assert!(of_b <= 1, "b has a hundredth of its weight for half a minute, but got {of_b} of 60");
}
