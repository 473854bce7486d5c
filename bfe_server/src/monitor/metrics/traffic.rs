//! Requests by product, cluster and backend; connections by protocol.

use super::OTHER;
use super::family::{Family, Times, even_times};
use crate::histogram::Counts;
use crate::server::Server;
use crate::state::{self, proxy_state};
use crate::stats::CLASSES;
use bfe_basic::pace;
use prometheus::proto::MetricFamily;
use std::collections::BTreeMap;

/// Most products, clusters and backends that have series of their own: the first by name.
const MAX_PRODUCTS: usize = 500;
const MAX_CLUSTERS: usize = 1000;
const MAX_BACKENDS: usize = 2000;
/// Label of requests for which no product was found.
const NO_PRODUCT: &str = "none";

pub(super) fn families(server: &Server) -> Vec<MetricFamily> {
    let mut families = products(server);
    families.extend(clusters(server));
    families.extend(backends(server));
    families.extend(connections());
    families.extend(times(server));
    families
}

fn products(server: &Server) -> Vec<MetricFamily> {
    let mut duration = Times::new(
        "bfe_request_duration_seconds",
        "From the head of a request to the last byte of its answer, by product and class of the status.",
        &["product", "code"],
    );
    let data = server.live.data.load();
    let (products, none) = data.products();
    let sorted: BTreeMap<_, _> = products.collect();
    let named = sorted.into_iter().enumerate().map(|(i, (name, stats))| (own(i, MAX_PRODUCTS, name), stats));
    for (name, stats) in named.chain([(NO_PRODUCT, none)]) {
        for (class, counts) in CLASSES.iter().zip(stats.counts()) {
            if counts != Counts::default() {
                duration.add(&[name, class], &counts);
            }
        }
        pace::step();
    }
    vec![duration.build()]
}

fn clusters(server: &Server) -> Vec<MetricFamily> {
    const LABEL: &[&str] = &["cluster"];
    let mut requests =
        Family::counter("bfe_cluster_requests_total", "Requests forwarded to the cluster.", LABEL);
    let mut errors = Family::counter("bfe_cluster_errors_total", "Requests that no backend answered.", LABEL);
    let mut duration = Times::new(
        "bfe_cluster_request_duration_seconds",
        "From the first attempt to the head of the answer.",
        LABEL,
    );
    let data = server.live.data.load();
    let sorted: BTreeMap<_, _> = data.clusters().map(|c| (&c.conf.name, &c.stats)).collect();
    for (i, (name, stats)) in sorted.into_iter().enumerate() {
        let label = [own(i, MAX_CLUSTERS, name)];
        let (took, failed) = stats.counts();
        requests.add(&label, took.count() as f64);
        errors.add(&label, failed as f64);
        duration.add(&label, &took);
        pace::step();
    }
    vec![requests.build(), errors.build(), duration.build()]
}

fn backends(server: &Server) -> Vec<MetricFamily> {
    const LABELS: &[&str] = &["cluster", "sub_cluster", "backend", "addr"];
    let mut families = [
        Family::counter("bfe_backend_requests_total", "Attempts at the backend.", LABELS),
        Family::counter("bfe_backend_errors_total", "Attempts at the backend that failed.", LABELS),
        Family::gauge("bfe_backend_active_requests", "Requests that the backend is working on.", LABELS),
        Family::gauge(
            "bfe_backend_up",
            "Whether the backend is in use: 1, or 0 while it is checked.",
            LABELS,
        ),
    ];
    let mut all = Family::gauge("bfe_cluster_backends", "Backends of the cluster.", &["cluster"]);
    let mut up = Family::gauge("bfe_cluster_backends_up", "Of them those in use.", &["cluster"]);
    let mut seen = 0;
    for (i, (cluster, balancer)) in server.live.balance.balancers().into_iter().enumerate() {
        let mut counted = [0u32; 2];
        for backend in balancer.backends() {
            let is_up = u32::from(backend.avail());
            counted = [counted[0] + 1, counted[1] + is_up];
            let values = [
                backend.requests() as f64,
                backend.errors() as f64,
                backend.conn_num() as f64,
                f64::from(is_up),
            ];
            let labels = [&*cluster, &*backend.sub_cluster, &*backend.name, &*backend.addr_info];
            let labels = labels.map(|label| own(seen, MAX_BACKENDS, label));
            seen += 1;
            families.iter_mut().zip(values).for_each(|(family, value)| family.add(&labels, value));
            pace::step();
        }
        let label = [own(i, MAX_CLUSTERS, &cluster)];
        all.add(&label, f64::from(counted[0]));
        up.add(&label, f64::from(counted[1]));
    }
    families.into_iter().chain([all, up]).map(Family::build).collect()
}

/// The counters of the core by protocol, as labels.
fn connections() -> Vec<MetricFamily> {
    const LABEL: &[&str] = &["protocol"];
    let mut conns = [
        Family::counter(
            "bfe_connections_total",
            "Connections of clients, once their protocol is known.",
            LABEL,
        ),
        Family::gauge("bfe_connections_active", "Open connections of clients.", LABEL),
    ];
    let mut requests = [
        Family::counter("bfe_requests_total", "Requests of clients.", LABEL),
        Family::gauge("bfe_requests_active", "Requests that are being served.", LABEL),
    ];
    for traffic in state::traffic() {
        let label = traffic.proto.as_str();
        let values = [(&mut conns, Some(traffic.connections)), (&mut requests, traffic.requests)];
        for (families, values) in values {
            let Some(values) = values else { continue };
            families.iter_mut().zip(values).for_each(|(family, value)| family.add(&[label], value as f64));
        }
    }
    conns.into_iter().chain(requests).map(Family::build).collect()
}

fn times(server: &Server) -> Vec<MetricFamily> {
    let delays = &server.delays;
    let mut handshakes =
        Times::new("bfe_tls_handshake_duration_seconds", "TLS handshakes that succeeded.", &["session"]);
    for (kind, times) in ["new", "resumed"].into_iter().zip(&delays.handshake_times) {
        handshakes.add(&[kind], &times.counts());
    }
    let mut results =
        Family::counter("bfe_tls_handshakes_total", "TLS handshakes that are over.", &["result"]);
    results.add(&["success"], proxy_state::group().get(proxy_state::TLS_HANDSHAKE_SUCC) as f64);
    results.add(&["failure"], delays.failed_handshakes() as f64);
    let internal = even_times(
        "bfe_request_internal_delay_seconds",
        "From the head of a request that went well to the first attempt at a backend.",
        &["body"],
        &[("no", delays.request.totals()), ("yes", delays.post.totals())],
    );
    let core = delays.pages().map(|(_, delay)| delay.prefix());
    let of_modules = server.web.delays.iter().filter(|d| !core.contains(&d.prefix()));
    let mut of_modules: Vec<_> = of_modules.map(|d| (d.prefix(), d.totals())).collect();
    of_modules.sort_by_key(|(name, _)| *name);
    of_modules.dedup_by_key(|(name, _)| *name);
    let modules = even_times("bfe_module_delay_seconds", "What modules wait for.", &["name"], &of_modules);
    vec![handshakes.build(), results.build(), internal, modules]
}

/// The name itself, for as long as there is room for names.
fn own(place: usize, room: usize, name: &str) -> &str {
    if place < room { name } else { OTHER }
}
