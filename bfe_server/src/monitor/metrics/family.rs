//! A family of series in the making.

use crate::histogram::{BOUNDS_US, Counts};
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use std::collections::BTreeMap;

const US_PER_SECOND: f64 = 1e6;

/// Values of the labels of a series.
type Labels = Vec<String>;

/// A family of counters or gauges. What comes twice under the same labels is summed, so that no series is
/// there twice whatever things are called.
pub(super) struct Family {
    name: String,
    help: String,
    kind: MetricType,
    labels: &'static [&'static str],
    values: BTreeMap<Labels, f64>,
}

impl Family {
    pub(super) fn counter(
        name: impl Into<String>,
        help: impl Into<String>,
        labels: &'static [&'static str],
    ) -> Self {
        Self {
            name: name.into(),
            help: help.into(),
            kind: MetricType::COUNTER,
            labels,
            values: BTreeMap::new(),
        }
    }

    pub(super) fn gauge(
        name: impl Into<String>,
        help: impl Into<String>,
        labels: &'static [&'static str],
    ) -> Self {
        Self { kind: MetricType::GAUGE, ..Self::counter(name, help, labels) }
    }

    /// Adds a value; `labels` are as many as the family has names for.
    pub(super) fn add(&mut self, labels: &[&str], value: f64) {
        let labels = labels.iter().map(|&l| l.to_owned()).collect();
        *self.values.entry(labels).or_default() += value;
    }

    pub(super) fn build(self) -> MetricFamily {
        let metrics = self.values.iter().map(|(values, value)| {
            let mut metric = labelled(self.labels, values, None);
            if self.kind == MetricType::GAUGE {
                let mut gauge = Gauge::default();
                gauge.set_value(*value);
                metric.set_gauge(gauge);
            } else {
                let mut counter = Counter::default();
                counter.set_value(*value);
                metric.set_counter(counter);
            }
            metric
        });
        family(self.name.clone(), self.help.clone(), self.kind, metrics.collect())
    }
}

/// A family of histograms, in seconds. What comes twice under the same labels is summed.
pub(super) struct Times {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    series: BTreeMap<Labels, Counts>,
}

impl Times {
    pub(super) fn new(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, help, labels, series: BTreeMap::new() }
    }

    /// Adds the counts of a histogram.
    pub(super) fn add(&mut self, labels: &[&str], counts: &Counts) {
        let labels = labels.iter().map(|&l| l.to_owned()).collect();
        self.series.entry(labels).or_default().add(counts);
    }

    pub(super) fn build(self) -> MetricFamily {
        let metrics = self.series.iter().map(|(values, counts)| {
            let bounds = BOUNDS_US.iter().map(|us| *us as f64 / US_PER_SECOND);
            let histogram = histogram(bounds.zip(counts.buckets), counts.count(), counts.sum_us);
            labelled(self.labels, values, Some(histogram))
        });
        family(self.name.into(), self.help.into(), MetricType::HISTOGRAM, metrics.collect())
    }
}

/// A family with one histogram whose buckets are equally wide.
pub(super) fn even_times(
    name: &str,
    help: &str,
    label: &'static [&'static str],
    series: &[(&str, bfe_module::delay::DelayTotals)],
) -> MetricFamily {
    const MS_PER_SECOND: f64 = 1e3;
    let metrics = series.iter().map(|(value, totals)| {
        let buckets = totals.counts.len().saturating_sub(1);
        let bounds = (1..=buckets).map(|i| (i as f64) * totals.bucket_ms as f64 / MS_PER_SECOND);
        let count = totals.counts.iter().sum();
        let histogram = histogram(bounds.zip(totals.counts.iter().copied()), count, totals.sum_us);
        labelled(label, &[(*value).to_owned()], Some(histogram))
    });
    family(name.into(), help.into(), MetricType::HISTOGRAM, metrics.collect())
}

/// A histogram of upper bounds in seconds, each with the entries of its bucket alone.
fn histogram(buckets: impl Iterator<Item = (f64, u64)>, count: u64, sum_us: u64) -> Histogram {
    let mut below = 0;
    let buckets = buckets.map(|(bound, entries)| {
        below += entries;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(count);
    histogram.set_sample_sum(sum_us as f64 / US_PER_SECOND);
    histogram
}

fn family(name: String, help: String, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name);
    family.set_help(help);
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn labelled(names: &[&str], values: &[String], histogram: Option<Histogram>) -> Metric {
    let pairs = names.iter().zip(values).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    });
    let mut metric = Metric::default();
    metric.set_label(pairs.collect());
    if let Some(histogram) = histogram {
        metric.set_histogram(histogram);
    }
    metric
}
