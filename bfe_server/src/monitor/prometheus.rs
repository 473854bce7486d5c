//! `/metrics`: all counters in the text format of Prometheus, in one page.

use bfe_module::WebHandlers;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, IntCounter, IntGauge, TextEncoder};

/// The page. The names are those of the reference's own Prometheus output.
pub(super) fn text(web: &WebHandlers) -> String {
    let families: Vec<_> =
        web.metrics.iter().flat_map(|m| m.group().values().map(family(m.group().prefix()))).collect();
    let families: Vec<_> = families.into_iter().flatten().collect();
    let mut page = Vec::new();
    if let Err(e) = TextEncoder::new().encode(&families, &mut page) {
        log::error!("metrics: {e}");
    }
    String::from_utf8(page).unwrap_or_default()
}

fn family(prefix: &'static str) -> impl Fn((&'static str, bool, i64)) -> Vec<MetricFamily> {
    move |(name, is_gauge, value)| {
        let full = format!("{prefix}_{name}");
        let help = format!("Counter {name} of the group {prefix}.");
        let made = if is_gauge {
            IntGauge::new(full, help).map(|gauge| {
                gauge.set(value);
                gauge.collect()
            })
        } else {
            IntCounter::new(full, help).map(|counter| {
                counter.inc_by(value.max(0).unsigned_abs());
                counter.collect()
            })
        };
        made.unwrap_or_default()
    }
}
