//! `/metrics`: all counters in the text format of Prometheus, in one page.
//!
//! The counter groups have the names of the reference's own Prometheus output. Clusters and backends have
//! labels; how many of them there are is bounded, and what is beyond the bound is summed as `other`.

use crate::cluster_stats::{BOUNDS_US, ClusterCounts};
use crate::live::Live;
use bfe_module::WebHandlers;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use std::collections::BTreeMap;

/// Most clusters that have series of their own.
const MAX_CLUSTERS: usize = 1000;
/// Most backends that have series of their own.
const MAX_BACKENDS: usize = 2000;
/// Name of what is beyond.
const OTHER: &str = "other";

/// The page.
pub(super) fn text(web: &WebHandlers, live: &Live) -> String {
    let mut families: Vec<_> = web
        .metrics
        .iter()
        .flat_map(|m| m.group().values().map(|value| core_family(m.group().prefix(), value)))
        .collect();
    families.extend(cluster_families(live));
    families.extend(backend_families(live));
    // A family without series is no family to the encoder.
    families.retain(|family| !family.get_metric().is_empty());
    let mut page = Vec::new();
    if let Err(e) = TextEncoder::new().encode(&families, &mut page) {
        log::error!("metrics: {e}");
    }
    String::from_utf8(page).unwrap_or_default()
}

fn core_family(prefix: &str, (name, is_gauge, value): (&str, bool, i64)) -> MetricFamily {
    let help = format!("Counter {name} of the group {prefix}.");
    let mut family = Family::new(format!("{prefix}_{name}"), help, is_gauge);
    family.push(&[], value as f64);
    family.0
}

fn cluster_families(live: &Live) -> [MetricFamily; 3] {
    let mut requests = Family::new("bfe_cluster_requests_total", "Requests forwarded to the cluster.", false);
    let mut errors = Family::new("bfe_cluster_errors_total", "Requests that no backend answered.", false);
    let mut duration = MetricFamily::default();
    duration.set_name("bfe_cluster_request_duration_seconds".into());
    duration.set_help("From the first attempt to the head of the answer.".into());
    duration.set_field_type(MetricType::HISTOGRAM);

    let data = live.data.load();
    let sorted: BTreeMap<_, _> = data.clusters().map(|c| (&c.conf.name, c.stats.counts())).collect();
    let mut rest = ClusterCounts::default();
    for (_, counts) in sorted.iter().skip(MAX_CLUSTERS) {
        rest.add(counts);
    }
    let beyond = (sorted.len() > MAX_CLUSTERS).then_some((OTHER, &rest));
    let own = sorted.iter().take(MAX_CLUSTERS).map(|(name, counts)| (&***name, counts));
    let mut series = Vec::new();
    for (name, counts) in own.chain(beyond) {
        let labels = [("cluster", name)];
        requests.push(&labels, counts.requests as f64);
        errors.push(&labels, counts.errors as f64);
        series.push(histogram(&labels, counts));
    }
    duration.set_metric(series);
    [requests.0, errors.0, duration]
}

fn histogram(labels: &[(&str, &str)], counts: &ClusterCounts) -> Metric {
    const US_PER_SECOND: f64 = 1e6;
    let mut histogram = Histogram::default();
    histogram.set_sample_count(counts.requests);
    histogram.set_sample_sum(counts.sum_us as f64 / US_PER_SECOND);
    let mut below = 0;
    let buckets = BOUNDS_US.iter().zip(counts.buckets).map(|(bound, count)| {
        below += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound as f64 / US_PER_SECOND);
        bucket.set_cumulative_count(below);
        bucket
    });
    histogram.set_bucket(buckets.collect());
    let mut metric = Metric::default();
    metric.set_label(label_pairs(labels));
    metric.set_histogram(histogram);
    metric
}

fn backend_families(live: &Live) -> [MetricFamily; 4] {
    let mut families = [
        Family::new("bfe_backend_requests_total", "Attempts at the backend.", false),
        Family::new("bfe_backend_errors_total", "Attempts at the backend that failed.", false),
        Family::new("bfe_backend_active_requests", "Requests that the backend is working on.", true),
        Family::new("bfe_backend_up", "Whether the backend is in use: 1, or 0 while it is checked.", true),
    ];
    let mut rest = [0.0; 4];
    let mut seen = 0;
    for (cluster, balancer) in live.balance.balancers() {
        for backend in balancer.backends() {
            let values = [
                backend.requests() as f64,
                backend.errors() as f64,
                backend.conn_num() as f64,
                f64::from(u8::from(backend.avail())),
            ];
            seen += 1;
            if seen > MAX_BACKENDS {
                rest.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                continue;
            }
            let labels = [
                ("cluster", &*cluster),
                ("sub_cluster", &*backend.sub_cluster),
                ("backend", &*backend.name),
                ("addr", &*backend.addr_info),
            ];
            families.iter_mut().zip(values).for_each(|(family, value)| family.push(&labels, value));
        }
    }
    if seen > MAX_BACKENDS {
        let labels = [("cluster", OTHER), ("sub_cluster", OTHER), ("backend", OTHER), ("addr", OTHER)];
        families.iter_mut().zip(rest).for_each(|(family, value)| family.push(&labels, value));
    }
    families.map(|family| family.0)
}

/// A family of counters or gauges in the making.
struct Family(MetricFamily);

impl Family {
    fn new(name: impl Into<String>, help: impl Into<String>, is_gauge: bool) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(name.into());
        family.set_help(help.into());
        family.set_field_type(if is_gauge { MetricType::GAUGE } else { MetricType::COUNTER });
        Self(family)
    }

    fn push(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut metric = Metric::default();
        metric.set_label(label_pairs(labels));
        if self.0.get_field_type() == MetricType::GAUGE {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        } else {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        self.0.mut_metric().push(metric);
    }
}

fn label_pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    labels
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect()
}
