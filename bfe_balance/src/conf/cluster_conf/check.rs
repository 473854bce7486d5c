//! Defaults and checks of `cluster_conf.data` (config 8).

use super::https::HttpsConf;
use super::raw::{
    RawBackendConf, RawCheckConf, RawCluster, RawClusterBasic, RawClusterConf, RawGslbBasic, RawHashConf,
};
use super::sections::{
    BackendConf, BalanceMode, CheckConf, CheckScheme, ClusterBasic, FlushMode, GslbBasic, HashConf,
    HashHeader, HashStrategy, HostType, Protocol, RetryLevel,
};
use super::status::{OutlierCodes, StatusExpect, StatusRange};
use super::table::{ClusterConf, ClusterTable};
use bfe_basic::conf::json::{Path, Source};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::{json_path, pace};
use bfe_http::transport::fcgi::FcgiConf;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The size of a write buffer where the file asks for none.
const DEFAULT_BUFFER: usize = 4096;

/// What a check of one section needs to tell a fault.
struct Section<'c> {
    source: &'c Source,
    at: Path,
    faults: &'c mut Faults,
}

impl Section<'_> {
    fn fault(&mut self, key: &str, reason: impl Into<String>) {
        self.faults.push_with(|| self.source.error(&self.at.then(key), reason));
    }
}

/// Checks all clusters, and reads the files that they name.
pub(super) fn check(raw: RawClusterConf, source: &Source) -> Result<ClusterTable, ConfErrors> {
    let mut faults = Faults::new();
    if raw.version.is_none() {
        faults.push(source.error(&json_path![], "no Version"));
    }
    if raw.config.is_none() {
        faults.push(source.error(&json_path![], "no Config"));
    }
    let mut clusters = HashMap::new();
    for (name, raw) in raw.config.unwrap_or_default() {
        let name: Arc<str> = name.into();
        let cluster = cluster(Arc::clone(&name), raw, source, &mut faults);
        clusters.insert(name, Arc::new(cluster));
        pace::step();
    }
    faults.into_result()?;
    Ok(ClusterTable { version: raw.version.unwrap_or_default(), clusters })
}

fn cluster(name: Arc<str>, raw: RawCluster, source: &Source, faults: &mut Faults) -> ClusterConf {
    let at = json_path!["Config", &*name];
    let mut section = Section { source, at: at.then("BackendConf"), faults };
    let backend = backend(raw.backend_conf, &mut section);
    section.at = at.then("CheckConf");
    let check = check_conf(raw.check_conf, &mut section);
    section.at = at.then("GslbBasic");
    let gslb = gslb(raw.gslb_basic, &mut section);
    let mut ai = raw.ai_conf;
    if let Some(ai) = &mut ai {
        ai.check(&at.then("AIConf"), source, faults);
    }
    let https_at = at.then("HTTPSConf");
    // Files are only read where the protocol needs them.
    let with_files = backend.protocol == Protocol::Https;
    let https = raw.https_conf.map(|raw| HttpsConf::load(raw, with_files, &https_at, source, faults));
    let check_tls = match check.scheme {
        CheckScheme::Https | CheckScheme::Tls => Some(match &https {
            Some(https) => https.clone(),
            None => HttpsConf::load(Default::default(), false, &https_at, source, faults),
        }),
        CheckScheme::Http | CheckScheme::Tcp => None,
    };
    ClusterConf { name, backend, check, gslb, basic: basic(&raw.cluster_basic), https, check_tls, ai }
}

fn backend(raw: RawBackendConf, section: &mut Section<'_>) -> BackendConf {
    let default = BackendConf::default();
    let protocol = raw.protocol.map_or(Protocol::Http, |name| {
        Protocol::parse(&name.to_lowercase()).unwrap_or_else(|| {
            let reason = format!("protocol only support http/tcp/ws/fcgi/h2c/https, but is:{name}");
            section.fault("Protocol", reason);
            Protocol::Http
        })
    });
    BackendConf {
        protocol,
        connect_timeout: match raw.timeout_conn_srv {
            None => default.connect_timeout,
            Some(0) => None,
            Some(ms) => Some(millis(ms).unwrap_or_default()),
        },
        response_header_timeout: match raw.timeout_response_header {
            None => default.response_header_timeout,
            Some(ms) => millis(ms).filter(|time| !time.is_zero()),
        },
        max_idle_conns_per_host: raw.max_idle_conns_per_host.map_or(default.max_idle_conns_per_host, size),
        max_conns_per_host: raw.max_conns_per_host.map_or(default.max_conns_per_host, size),
        retry_level: if raw.retry_level == Some(1) { RetryLevel::Get } else { RetryLevel::Connect },
        slow_start: raw
            .slow_start_time
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(Duration::ZERO, Duration::from_secs),
        outlier_codes: OutlierCodes::parse(&raw.outlier_detection_http_code.unwrap_or_default()),
        fcgi: FcgiConf { root: raw.fcgi_conf.root, env_vars: raw.fcgi_conf.env_vars },
    }
}

fn check_conf(raw: RawCheckConf, section: &mut Section<'_>) -> CheckConf {
    let default = CheckConf::default();
    let scheme = match raw.schem.as_deref() {
        None | Some("http") => CheckScheme::Http,
        Some("https") => CheckScheme::Https,
        Some("tls") => CheckScheme::Tls,
        Some("tcp") => CheckScheme::Tcp,
        Some(other) => {
            let reason = format!("Schem for BackendCheck should be http/https/tls/tcp, but is {other:?}");
            section.fault("Schem", reason);
            CheckScheme::Tcp
        }
    };
    let uri = raw.uri.unwrap_or(default.uri);
    let (mut status, mut status_range) = (default.status, None);
    if matches!(scheme, CheckScheme::Http | CheckScheme::Https) {
        if !uri.starts_with('/') {
            section.fault("Uri", format!("Uri should be start with '/', but is {uri:?}"));
        }
        let code = raw.status_code.unwrap_or(0);
        match StatusExpect::new(code) {
            Some(expect) => status = expect,
            None => section.fault(
                "StatusCode",
                format!("status code should be 100~599 (normal), 0~31 (special), but is {code}"),
            ),
        }
        if let Some(range) = raw.status_code_range.filter(|range| !range.is_empty()) {
            status_range = StatusRange::parse(&range);
            if status_range.is_none() {
                section.fault("StatusCodeRange", format!("StatusCodeRange format error : {range}"));
            }
        }
    }
    let succ_num = raw.succ_num.unwrap_or(default.succ_num);
    if succ_num < 1 {
        section.fault("SuccNum", format!("SuccNum should be bigger than 0, but is {succ_num}"));
    }
    CheckConf {
        scheme,
        uri,
        host: raw.host.unwrap_or_default(),
        host_type: match raw.host_type.as_deref() {
            Some("Instance_IP") => HostType::InstanceIp,
            _ => HostType::Host,
        },
        status,
        status_range,
        fail_num: raw.fail_num.unwrap_or(default.fail_num),
        succ_num,
        timeout_ms: raw.check_timeout,
        interval: raw.check_interval.map_or(default.interval, |ms| millis(ms).unwrap_or_default()),
    }
}

fn gslb(raw: RawGslbBasic, section: &mut Section<'_>) -> GslbBasic {
    let default = GslbBasic::default();
    let hash_at = section.at.then("HashConf");
    let hash =
        hash(raw.hash_conf, &mut Section { source: section.source, at: hash_at, faults: section.faults });
    let mode = raw.balance_mode.map_or(BalanceMode::Wrr, |mode| match &*mode.to_uppercase() {
        "WRR" => BalanceMode::Wrr,
        "WLC" => BalanceMode::Wlc,
        "EPP" => BalanceMode::Epp,
        _ => {
            section.fault("BalanceMode", format!("unsupported bal mode {mode}: expected WRR, WLC or EPP"));
            BalanceMode::Wrr
        }
    });
    if mode == BalanceMode::Epp && raw.epp_addr.is_empty() {
        section.fault("EPPAddr", "EPPAddr is nil or empty");
    }
    GslbBasic {
        cross_retry: raw.cross_retry.unwrap_or(default.cross_retry),
        retry_max: raw.retry_max.unwrap_or(default.retry_max),
        mode,
        epp_addr: raw.epp_addr,
        hash,
    }
}

fn hash(raw: RawHashConf, section: &mut Section<'_>) -> HashConf {
    let strategy = match raw.hash_strategy {
        Some(0) => HashStrategy::ClientIdOnly,
        None | Some(1) => HashStrategy::ClientIpOnly,
        Some(2) => HashStrategy::ClientIdPreferred,
        Some(3) => HashStrategy::RequestUri,
        Some(other) => {
            section.fault("HashStrategy", format!("HashStrategy[{other}] must be [0], [1], [2] or [3]"));
            HashStrategy::ClientIpOnly
        }
    };
    let text = raw.hash_header.unwrap_or_default();
    let header = HashHeader::parse(&text);
    if matches!(strategy, HashStrategy::ClientIdOnly | HashStrategy::ClientIdPreferred) {
        match &header {
            None => section.fault("HashHeader", "no HashHeader"),
            Some(HashHeader { cookie: Some(cookie), .. }) if cookie.is_empty() => section
                .fault("HashHeader", format!("invalid HashHeader {text:?}: no cookie name after the colon")),
            Some(_) => {}
        }
    }
    HashConf { strategy, header, session_sticky: raw.session_sticky.unwrap_or(false) }
}

fn basic(raw: &RawClusterBasic) -> ClusterBasic {
    let default = ClusterBasic::default();
    // Negative is without limit, and so is `None`.
    let limit = |ms: Option<i64>, default| ms.map_or(default, millis);
    ClusterBasic {
        read_client: limit(raw.timeout_read_client, default.read_client),
        write_client: limit(raw.timeout_write_client, default.write_client),
        read_client_again: limit(raw.timeout_read_client_again, default.read_client_again),
        req_write_buffer_size: match raw.req_write_buffer_size.map(size) {
            None => default.req_write_buffer_size,
            Some(0) => DEFAULT_BUFFER,
            Some(size) => size,
        },
        req_flush_interval: raw.req_flush_interval.and_then(millis).filter(|time| !time.is_zero()),
        res_flush: match raw.res_flush_interval.unwrap_or(-1) {
            0 => FlushMode::Buffered,
            ms => millis(ms).map_or(FlushMode::EachWrite, FlushMode::Every),
        },
        cancel_on_client_close: raw.cancel_on_client_close.unwrap_or(false),
        disable_host_header: raw.disable_host_header.unwrap_or(false),
        disable_health_check: raw.disable_health_check.unwrap_or(false),
    }
}

/// `None` where negative.
fn millis(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// 0 where negative.
fn size(size: i64) -> usize {
    usize::try_from(size).unwrap_or(0)
}
