//! The three data files: parameters of the clients, what each product sends, and the instances.

use bfe_basic::conf::json::{self, Path, Source};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// `Concurrency` where the file gives none.
const CONCURRENCY: i64 = 2000;
/// Largest `Concurrency`, and `MaxWaitCount`: what a process can have of connections.
const MOST: i64 = 1_000_000;
/// Longest time in milliseconds that counts: a day.
const LONGEST_MS: i64 = 86_400_000;

/// What a file says, and its label.
#[derive(Debug)]
pub(super) struct Loaded<T> {
    pub(super) version: String,
    pub(super) config: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: DeserializeOwned")]
struct RawFile<T> {
    version: Option<String>,
    config: Option<T>,
}

/// What is in one of the files under `Config`.
pub(super) trait Content: DeserializeOwned {
    /// Completes it; says what is wrong.
    fn check(&mut self, source: &Source, faults: &mut Faults);
}

/// Reads a file; what follows its value does not count.
pub(super) fn load<T: Content>(path: &std::path::Path) -> Result<Loaded<T>, ConfErrors> {
    let (raw, source, warnings) = json::read_file::<RawFile<T>>(path)?.into_parts();
    for warning in warnings {
        log::warn!("{warning}");
    }
    let mut faults = Faults::new();
    if raw.version.is_none() {
        faults.push(source.error(&json_path!["Version"], "no Version"));
    }
    let Some(mut config) = raw.config else {
        faults.push(source.error(&json_path!["Config"], "no Config"));
        return Err(faults
            .into_result()
            .err()
            .unwrap_or_else(|| source.error(&json_path![], "no Config").into()));
    };
    config.check(&source, &mut faults);
    faults.into_result()?;
    Ok(Loaded { version: raw.version.unwrap_or_default(), config })
}

/// `mod_unified_waf.data`. Its members are in the order in which the monitor port shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Params {
    pub(super) waf_client: ClientParams,
    pub(super) waf_detect: DetectParams,
    pub(super) health_checker: HealthParams,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ClientParams {
    /// Milliseconds.
    connect_timeout: i64,
    /// Requests that an instance looks at at a time.
    concurrency: i64,
    /// Requests that may wait for that.
    max_wait_count: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct DetectParams {
    /// Tries after the first.
    retry_max: i64,
    /// Milliseconds that a request waits at most, for its turn and for the answer.
    req_timeout: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HealthParams {
    /// Failures in a row that an instance may have.
    pub(super) unavailable_failed_thres: i64,
    /// Milliseconds.
    health_check_interval: i64,
}

impl Params {
    pub(super) fn connect_timeout(&self) -> Duration {
        millis(self.waf_client.connect_timeout)
    }

    pub(super) fn concurrency(&self) -> usize {
        count(self.waf_client.concurrency)
    }

    pub(super) fn max_waiting(&self) -> usize {
        count(self.waf_client.max_wait_count)
    }

    /// How often a request is sent at most.
    pub(super) fn tries(&self) -> usize {
        count(self.waf_detect.retry_max).saturating_add(1)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        millis(self.waf_detect.req_timeout)
    }

    pub(super) fn check_interval(&self) -> Duration {
        millis(self.health_checker.health_check_interval)
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms.min(LONGEST_MS)).unwrap_or_default())
}

fn count(n: i64) -> usize {
    usize::try_from(n.min(MOST)).unwrap_or_default()
}

impl Content for Params {
    fn check(&mut self, source: &Source, faults: &mut Faults) {
        if self.waf_client.concurrency <= 0 {
            self.waf_client.concurrency = CONCURRENCY;
        }
        let positive = "should be > 0";
        for (section, field, value, least, reason) in [
            ("WafClient", "ConnectTimeout", self.waf_client.connect_timeout, 1, positive),
            ("WafClient", "MaxWaitCount", self.waf_client.max_wait_count, 1, positive),
            ("WafDetect", "RetryMax", self.waf_detect.retry_max, 0, "should be >= 0"),
            ("WafDetect", "ReqTimeout", self.waf_detect.req_timeout, 1, positive),
            (
                "HealthChecker",
                "UnavailableFailedThres",
                self.health_checker.unavailable_failed_thres,
                1,
                positive,
            ),
            ("HealthChecker", "HealthCheckInterval", self.health_checker.health_check_interval, 1, positive),
        ] {
            if value < least {
                let reason = format!("{section}.{field} {reason}, got {value}");
                faults.push(source.error(&json_path!["Config", section, field], reason));
            }
        }
    }
}

/// `product_param.data`: what of the requests of a product is sent. Products that are not here are not looked at.
pub(super) type Products = BTreeMap<String, ProductParams>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ProductParams {
    /// Whether bodies are sent, too.
    send_body: bool,
    /// So many bytes of them at most.
    send_body_size: i64,
}

impl ProductParams {
    /// Bytes of a body that are sent; 0 for none.
    pub(super) fn body_bytes(&self) -> u64 {
        if self.send_body { self.send_body_size.unsigned_abs() } else { 0 }
    }
}

impl Content for Products {
    fn check(&mut self, source: &Source, faults: &mut Faults) {
        for (product, params) in self {
            let reason = match (params.send_body_size, params.send_body) {
                (..0, _) => "SendBodySize should >= 0",
                (0, true) => "SendBody and SendBodySize should > 0",
                _ => continue,
            };
            let at: Path = json_path!["Config", product, "SendBodySize"];
            faults.push(source.error(&at, format!("{product}: {reason}")));
        }
    }
}

/// `waf_instances.data`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Instances {
    /// `None`: there are none.
    pub(super) waf_cluster: Option<Vec<Instance>>,
}

/// An instance of the firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Instance {
    ip_addr: String,
    port: i64,
    /// That of health checks; the same where it is not given.
    health_check_port: i64,
}

impl Instance {
    /// Where requests go.
    pub(super) fn addr(&self) -> String {
        format!("{}:{}", self.ip_addr, self.port)
    }

    /// Where it is asked how it is.
    pub(super) fn health_addr(&self) -> String {
        format!("{}:{}", self.ip_addr, self.health_check_port)
    }
}

impl Content for Instances {
    fn check(&mut self, source: &Source, faults: &mut Faults) {
        let Some(instances) = &mut self.waf_cluster else { return };
        if instances.is_empty() {
            faults.push(source.error(&json_path!["Config", "WafCluster"], "WafCluster is empty"));
        }
        for (index, instance) in instances.iter_mut().enumerate() {
            if instance.port <= 0 {
                let reason = format!("illegal waf instance Port, idx:{index}, got {}", instance.port);
                faults.push(source.error(&json_path!["Config", "WafCluster", index, "Port"], reason));
            }
            if instance.health_check_port <= 0 {
                instance.health_check_port = instance.port;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn load<T: Content>(text: &str) -> Result<Loaded<T>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        super::load(file.path()).map_err(|e| e.to_string())
    }

    fn refused<T: Content + std::fmt::Debug>(cases: &[(&str, &str)]) {
        for (text, want) in cases {
            let got = load::<T>(text).map(|loaded| loaded.version).unwrap_err();
            assert!(got.contains(want), "{text}: {got}");
        }
    }

    #[test]
    fn uwaf_11_parameters() {
        let text = |client: &str, detect: &str, health: &str| {
            format!(
                r#"{{"Version":"v","Config":{{"WafClient":{{{client}}},"WafDetect":{{{detect}}},"HealthChecker":{{{health}}},"MaxWafMem":1}}}} rest"#
            )
        };
        let client = r#""ConnectTimeout":30,"MaxWaitCount":400"#;
        let detect = r#""RetryMax":0,"ReqTimeout":40"#;
        let health = r#""UnavailableFailedThres":20,"HealthCheckInterval":10000"#;
        let loaded = load::<Params>(&text(client, detect, health)).unwrap();
        assert_eq!((loaded.version.as_str(), loaded.config.tries()), ("v", 1));
        assert_eq!(
            serde_json::to_string(&loaded.config).unwrap(),
            r#"{"WafClient":{"ConnectTimeout":30,"Concurrency":2000,"MaxWaitCount":400},"WafDetect":{"RetryMax":0,"ReqTimeout":40},"HealthChecker":{"UnavailableFailedThres":20,"HealthCheckInterval":10000}}"#
        );
        refused::<Params>(&[
            (&text(r#""MaxWaitCount":1"#, detect, health), "WafClient.ConnectTimeout should be > 0, got 0"),
            (&text(r#""ConnectTimeout":1"#, detect, health), "WafClient.MaxWaitCount should be > 0"),
            (&text(client, r#""RetryMax":-1,"ReqTimeout":1"#, health), "WafDetect.RetryMax should be >= 0"),
            (&text(client, "", health), "WafDetect.ReqTimeout should be > 0"),
            (&text(client, detect, r#""HealthCheckInterval":1"#), "HealthChecker.UnavailableFailedThres"),
            (&text(client, detect, r#""UnavailableFailedThres":1"#), "HealthChecker.HealthCheckInterval"),
            (r#"{"Config":{}}"#, "no Version"),
            (r#"{"Version":"v"}"#, "no Config"),
            ("[]", "1:1"),
            ("", ""),
        ]);
    }

    #[test]
    fn uwaf_11_products() {
        let loaded = load::<Products>(
            r#"{"version":"","config":{"p":{"sendbody":true,"SENDBODYSIZE":9},"q":{"SendBodySize":5},"r":null}}"#,
        );
        let products = loaded.unwrap().config;
        let bytes: Vec<_> = products.values().map(ProductParams::body_bytes).collect();
        assert_eq!(bytes, [9, 0, 0]);
        assert!(load::<Products>(r#"{"Version":"v","Config":{}}"#).unwrap().config.is_empty());
        refused::<Products>(&[
            (
                r#"{"Version":"v","Config":{"p":{"SendBody":true}}}"#,
                "p: SendBody and SendBodySize should > 0",
            ),
            (
                r#"{"Version":"v","Config":{"p":{"SendBodySize":-1}}}"#,
                "Config.p.SendBodySize: p: SendBodySize",
            ),
            (r#"{"Version":"v","Config":null}"#, "no Config"),
        ]);
    }

    #[test]
    fn uwaf_10_and_11_instances() {
        let cluster = |text: &str| load::<Instances>(&format!(r#"{{"Version":"v","Config":{text}}}"#));
        for none in ["{}", r#"{"WafCluster":null}"#] {
            assert_eq!(cluster(none).unwrap().config.waf_cluster, None, "{none}");
        }
        let two =
            r#"{"WafCluster":[{"IpAddr":"1.2.3.4","Port":5},{"IpAddr":"h","Port":6,"HealthCheckPort":7}]}"#;
        let two = cluster(two).unwrap().config.waf_cluster.unwrap();
        let addrs: Vec<_> = two.iter().map(|i| (i.addr(), i.health_addr())).collect();
        assert_eq!(addrs, [("1.2.3.4:5".into(), "1.2.3.4:5".into()), ("h:6".into(), "h:7".into())]);
        for (text, want) in [
            (r#"{"WafCluster":[]}"#, "WafCluster is empty"),
            (
                r#"{"WafCluster":[{"Port":1},{}]}"#,
                "Config.WafCluster[1].Port: illegal waf instance Port, idx:1",
            ),
            (r#"{"WafCluster":[{"Port":"1"}]}"#, "Config.WafCluster[0].Port"),
        ] {
            let got = cluster(text).map(|loaded| loaded.version).unwrap_err();
            assert!(got.contains(want), "{text}: {got}");
        }
    }
}
