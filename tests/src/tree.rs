//! A configuration tree, generated.

use crate::Backend;
use crate::tls_files;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;

/// Product and host tag of trees that have one product.
const PRODUCT: &str = "p";

/// Ports of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) monitor: u16,
}

/// A cluster: settings, sub-clusters, backends.
#[derive(Clone, Debug)]
pub struct Cluster {
    name: String,
    conf: Value,
    /// Name, weight, and the backends as they stand in the file.
    subs: Vec<(String, i64, Vec<Value>)>,
}

impl Cluster {
    /// A cluster without backends.
    #[must_use]
    pub fn new(name: &str) -> Self {
        // A test's backend is to see the test's requests only, so probes never start by themselves.
        let conf = json!({"CheckConf": {"Schem": "tcp", "FailNum": 1_000_000}});
        Self { name: name.into(), conf, subs: Vec::new() }
    }

    /// Adds a sub-cluster with backends of equal weight.
    #[must_use]
    pub fn sub(mut self, name: &str, weight: i64, backends: &[&Backend]) -> Self {
        let backends = backends
            .iter()
            .enumerate()
            .map(|(i, b)| json!({"Name": format!("{name}.{i}"), "Addr": "127.0.0.1", "Port": b.port(), "Weight": 10}))
            .collect();
        self.subs.push((name.into(), weight, backends));
        self
    }

    /// Lays settings over those that are there, as in `cluster_conf.data`.
    #[must_use]
    pub fn conf(mut self, more: Value) -> Self {
        merge(&mut self.conf, more);
        self
    }
}

/// A configuration tree. Ports are filled in when a process is started with it.
#[derive(Clone, Debug)]
pub struct Tree {
    server: Vec<(String, String)>,
    /// What follows `[Server]` in `bfe.conf`.
    sections: String,
    modules: Vec<String>,
    hosts: BTreeMap<String, Vec<String>>,
    default_product: Option<String>,
    basic: BTreeMap<String, Vec<Value>>,
    advanced: BTreeMap<String, Vec<Value>>,
    clusters: Vec<Cluster>,
    version: String,
    files: BTreeMap<String, Option<String>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A tree without products and clusters.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sections: String::new(),
            server: Vec::new(),
            modules: Vec::new(),
            hosts: BTreeMap::new(),
            default_product: None,
            basic: BTreeMap::new(),
            advanced: BTreeMap::new(),
            clusters: Vec::new(),
            version: "1".into(),
            files: BTreeMap::new(),
        }
    }

    /// A tree whose host `ok` leads to that backend: product `p`, cluster `c`, sub-cluster `c.s`.
    #[must_use]
    pub fn proxy(backend: &Backend) -> Self {
        Self::new().host(PRODUCT, "ok").route(PRODUCT, "default_t()", "c").cluster(Cluster::new("c").sub(
            "c.s",
            100,
            &[backend],
        ))
    }

    /// Sets a key of `[Server]`; `Modules` is better set by [`Tree::module`].
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        self.server.retain(|(known, _)| known != key);
        self.server.push((key.into(), value.to_string()));
        self
    }

    /// Enables a module.
    #[must_use]
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.into());
        self
    }

    /// Adds a host of a product.
    #[must_use]
    pub fn host(mut self, product: &str, host: &str) -> Self {
        self.hosts.entry(product.into()).or_default().push(host.into());
        self
    }

    /// The product of requests whose host is unknown.
    #[must_use]
    pub fn default_product(mut self, product: &str) -> Self {
        self.default_product = Some(product.into());
        self
    }

    /// Adds an advanced rule behind those that the product has.
    #[must_use]
    pub fn route(mut self, product: &str, condition: &str, cluster: &str) -> Self {
        let rule = json!({"Cond": condition, "ClusterName": cluster});
        self.advanced.entry(product.into()).or_default().push(rule);
        self
    }

    /// Adds a basic rule, as it stands in the file.
    #[must_use]
    pub fn basic_route(mut self, product: &str, rule: Value) -> Self {
        self.basic.entry(product.into()).or_default().push(rule);
        self
    }

    /// Adds a cluster; one of the same name is replaced.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.clusters.retain(|c| c.name != cluster.name);
        self.clusters.push(cluster);
        self
    }

    /// Adds a cluster whose name no other has; for very many of them.
    #[must_use]
    pub fn cluster_unchecked(mut self, cluster: Cluster) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Lays settings over those of a cluster, as in `cluster_conf.data`.
    #[must_use]
    pub fn cluster_conf(mut self, name: &str, more: Value) -> Self {
        let cluster = self.clusters.iter_mut().find(|c| c.name == name).expect("a cluster of that name");
        merge(&mut cluster.conf, more);
        self
    }

    /// Adds sections to `bfe.conf`.
    #[must_use]
    pub fn sections(mut self, text: &str) -> Self {
        self.sections.push_str(text);
        self
    }

    /// `Version` of all data files.
    #[must_use]
    pub fn version(mut self, version: impl Display) -> Self {
        self.version = version.to_string();
        self
    }

    /// Writes a file of the tree as it is given, in place of what would be generated.
    #[must_use]
    pub fn file(mut self, path: &str, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), Some(text.into()));
        self
    }

    /// Leaves a file out.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.files.insert(path.into(), None);
        self
    }

    /// Lays the tree out in a folder, for a process that is started by hand. Its ports are free now.
    pub fn lay_out(&self, root: &Path) {
        self.write(root, crate::launch::free_ports());
    }

    /// Whether there is a monitor port.
    pub(crate) fn has_monitor(&self) -> bool {
        self.server.iter().all(|(k, v)| k != "MonitorEnabled" || v != "false")
    }

    /// Lays the tree out in a folder.
    pub(crate) fn write(&self, root: &Path, ports: Ports) {
        let (certificate, key) = tls_files::certificate();
        let mut files = BTreeMap::from([
            ("bfe.conf".to_owned(), self.bfe_conf(ports)),
            ("tls_conf/server.crt".to_owned(), certificate.clone()),
            ("tls_conf/server.key".to_owned(), key.clone()),
            // The folder must be there, with or without lists.
            ("tls_conf/client_crl/README".to_owned(), String::new()),
        ]);
        for (path, value) in self.data_files() {
            files.insert(path.into(), format!("{value:#}"));
        }
        for (path, text) in &self.files {
            files.remove(path);
            if let Some(text) = text {
                files.insert(path.clone(), text.clone());
            } else {
                let _ = fs::remove_file(root.join(path));
            }
        }
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder of the tree");
            fs::write(path, text).expect("write a file of the tree");
        }
    }

    fn bfe_conf(&self, ports: Ports) -> String {
        let mut keys = vec![
            ("HttpAddr".to_owned(), "127.0.0.1".to_owned()),
            ("HttpsAddr".into(), "127.0.0.1".into()),
            ("MonitorAddr".into(), "127.0.0.1".into()),
            ("HttpPort".into(), ports.http.to_string()),
            ("HttpsPort".into(), ports.https.to_string()),
            ("MonitorPort".into(), ports.monitor.to_string()),
            ("MaxCpus".into(), "2".into()),
            ("NameConf".into(), String::new()),
        ];
        keys.retain(|(key, _)| self.server.iter().all(|(set, _)| set != key));
        keys.extend(self.server.iter().cloned());
        keys.extend(self.modules.iter().map(|m| ("Modules".to_owned(), m.clone())));
        let lines: Vec<_> = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        format!("[Server]\n{}{}", lines.concat(), self.sections)
    }

    fn data_files(&self) -> [(&'static str, Value); 8] {
        let version = &self.version;
        let hosts: Map<_, _> = self.hosts.iter().map(|(p, h)| (format!("{p}.tag"), json!(h))).collect();
        let tags: Map<_, _> = self.hosts.keys().map(|p| (p.clone(), json!([format!("{p}.tag")]))).collect();
        let confs: Map<_, _> = self.clusters.iter().map(|c| (c.name.clone(), c.conf.clone())).collect();
        let weights = |c: &Cluster| {
            let subs: Map<_, _> =
                c.subs.iter().map(|(name, weight, _)| (name.clone(), json!(weight))).collect();
            (c.name.clone(), Value::Object(subs))
        };
        let backends = |c: &Cluster| {
            let subs: Map<_, _> =
                c.subs.iter().map(|(name, _, backends)| (name.clone(), json!(backends))).collect();
            (c.name.clone(), Value::Object(subs))
        };
        let balanced = || self.clusters.iter().filter(|c| !c.subs.is_empty());
        [
            (
                "server_data_conf/host_rule.data",
                json!({"Version": version, "DefaultProduct": self.default_product, "Hosts": hosts, "HostTags": tags}),
            ),
            ("server_data_conf/vip_rule.data", json!({"Version": version, "Vips": {}})),
            (
                "server_data_conf/route_rule.data",
                json!({"Version": version, "BasicRule": self.basic, "ProductRule": self.advanced}),
            ),
            ("server_data_conf/cluster_conf.data", json!({"Version": version, "Config": confs})),
            (
                "cluster_conf/gslb.data",
                json!({"Hostname": "", "Ts": version, "Clusters": balanced().map(weights).collect::<Map<_, _>>()}),
            ),
            (
                "cluster_conf/cluster_table.data",
                json!({"Version": version, "Config": balanced().map(backends).collect::<Map<_, _>>()}),
            ),
            (
                "tls_conf/server_cert_conf.data",
                json!({"Version": version, "Config": {"Default": "server", "CertConf": {"server": {
                    "ServerCertFile": "tls_conf/server.crt", "ServerKeyFile": "tls_conf/server.key"
                }}}}),
            ),
            (
                "tls_conf/tls_rule_conf.data",
                json!({"Version": version, "DefaultNextProtos": ["http/1.1"], "Config": {}}),
            ),
        ]
    }
}

/// Lays one value over another: objects are merged, everything else is replaced.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
