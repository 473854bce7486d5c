//! Checks of `[Server]` (config 3.1).

use super::{Checker, seconds};
use crate::config::raw::{self, RawServer};
use crate::config::table::{Layer4LoadBalancer, Listen, ServerConf};
use bfe_basic::conf::conf_path;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Longest PROXY header, in bytes, where none is configured.
const MAX_PROXY_HEADER_BYTES: usize = 2048;
/// Upper bound of `AccessibleBodySize`, in bytes.
const MAX_ACCESSIBLE_BODY_SIZE: i64 = 8 << 20;

pub(super) fn check(raw: &RawServer, c: &mut Checker<'_>) -> ServerConf {
    // The fields stand in the order of the checks.
    ServerConf {
        http: Listen { addr: raw.http_addr.clone(), port: c.port("HttpPort", raw.http_port) },
        https: Listen { addr: raw.https_addr.clone(), port: c.port("HttpsPort", raw.https_port) },
        monitor: raw.monitor_enabled.then(|| Listen {
            addr: raw.monitor_addr.clone(),
            port: c.port("MonitorPort", raw.monitor_port),
        }),
        max_cpus: c.not_negative("MaxCpus", raw.max_cpus, "is too small"),
        layer4_load_balancer: layer4_load_balancer(&raw.layer4_load_balancer, c),
        accept_num: c.not_negative("AcceptNum", raw.accept_num, "is too small").unwrap_or(NonZeroUsize::MIN),
        tls_handshake_timeout: tls_handshake_timeout(raw.tls_handshake_timeout, c),
        client_read_timeout: c.positive_seconds("ClientReadTimeout", raw.client_read_timeout),
        client_write_timeout: c.positive_seconds("ClientWriteTimeout", raw.client_write_timeout),
        graceful_shutdown_timeout: graceful_shutdown_timeout(raw.graceful_shutdown_timeout, c),
        monitor_interval: monitor_interval(raw.monitor_interval, c),
        max_header_uri_bytes: c.positive("MaxHeaderUriBytes", raw.max_header_uri_bytes),
        max_header_bytes: max_header_bytes(raw.max_header_bytes, c),
        accessible_body_size: accessible_body_size(raw.accessible_body_size, c),
        total_body_buffer_size: c.not_negative(
            "TotalBodyBufferSize",
            raw.total_body_buffer_size,
            "should >= 0",
        ),
        max_proxy_header_bytes: usize::try_from(raw.max_proxy_header_bytes)
            .ok()
            .filter(|bytes| *bytes > 0)
            .unwrap_or(MAX_PROXY_HEADER_BYTES),
        keep_alive_enabled: raw.keep_alive_enabled,
        enable_ai_gateway: raw.enable_ai_gateway,
        estimate_token: raw.estimate_token,
        modules: modules(&raw.modules),
        host_rule_conf: c.path("HostRuleConf", &raw.host_rule_conf, raw::HOST_RULE_CONF),
        vip_rule_conf: c.path("VipRuleConf", &raw.vip_rule_conf, raw::VIP_RULE_CONF),
        route_rule_conf: c.path("RouteRuleConf", &raw.route_rule_conf, raw::ROUTE_RULE_CONF),
        cluster_table_conf: c.path("ClusterTableConf", &raw.cluster_table_conf, raw::CLUSTER_TABLE_CONF),
        gslb_conf: c.path("GslbConf", &raw.gslb_conf, raw::GSLB_CONF),
        cluster_conf: c.path("ClusterConf", &raw.cluster_conf, raw::CLUSTER_CONF),
        name_conf: if raw.name_conf.is_empty() {
            c.warn("NameConf not set, ignore optional name conf".to_owned());
            None
        } else {
            Some(conf_path(c.root, &raw.name_conf))
        },
        debug_serv_http: raw.debug_serv_http,
        debug_bfe_route: raw.debug_bfe_route,
        debug_bal: raw.debug_bal,
        debug_health_check: raw.debug_health_check,
    }
}

fn layer4_load_balancer(value: &str, c: &mut Checker<'_>) -> Layer4LoadBalancer {
    match value {
        "" | "NONE" => Layer4LoadBalancer::None,
        "PROXY" => Layer4LoadBalancer::Proxy,
        _ => {
            let reason = format!("Layer4LoadBalancer[{value}] should be PROXY/NONE");
            c.fault("Layer4LoadBalancer", reason);
            Layer4LoadBalancer::None
        }
    }
}

fn tls_handshake_timeout(value: i64, c: &mut Checker<'_>) -> Duration {
    if value > 1200 {
        c.fault("TlsHandshakeTimeout", format!("TlsHandshakeTimeout[{value}] should <= 1200"));
    }
    c.positive_seconds("TlsHandshakeTimeout", value)
}

fn graceful_shutdown_timeout(value: i64, c: &mut Checker<'_>) -> Duration {
    if !(1..=300).contains(&value) {
        c.fault("GracefulShutdownTimeout", format!("GracefulShutdownTimeout[{value}] should be (0, 300]"));
    }
    seconds(value)
}

fn monitor_interval(value: i64, c: &mut Checker<'_>) -> Duration {
    match value {
        ..=0 => {
            c.warn("MonitorInterval not set, use default value(20)".to_owned());
            return seconds(20);
        }
        61.. => {
            c.warn(format!("MonitorInterval[{value}] > 60, use 60"));
            return seconds(60);
        }
        _ if 60 % value > 0 => {
            c.fault("MonitorInterval", format!("MonitorInterval[{value}] can not divide 60"));
        }
        1..20 => c.fault("MonitorInterval", format!("MonitorInterval[{value}] is too small(<20)")),
        _ => {}
    }
    seconds(value)
}

fn max_header_bytes(value: i64, c: &mut Checker<'_>) -> usize {
    if value <= 0 {
        // The name is misspelt in Go BFE's message too; people search for it.
        c.fault("MaxHeaderBytes", format!("MaxHeaderHeaderBytes[{value}] should > 0"));
    }
    usize::try_from(value).unwrap_or_default()
}

fn accessible_body_size(value: i64, c: &mut Checker<'_>) -> usize {
    let size = if value <= 0 {
        let default = raw::ACCESSIBLE_BODY_SIZE;
        c.warn(format!("AccessibleBodySize not set or invalid, use default value({default})"));
        default
    } else {
        value
    };
    if size > MAX_ACCESSIBLE_BODY_SIZE {
        let reason = format!("AccessibleBodySize[{size}] should <= {MAX_ACCESSIBLE_BODY_SIZE}");
        c.fault("AccessibleBodySize", reason);
    }
    usize::try_from(size).unwrap_or_default()
}

/// Module names, trimmed, without empty ones and repetitions (config 3.6).
fn modules(names: &[String]) -> Vec<String> {
    let mut modules: Vec<String> = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if modules.iter().all(|known| known != name) {
            modules.push(name.to_owned());
        }
    }
    modules
}
