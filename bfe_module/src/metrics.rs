//! Output families of the monitor port: counters (family M) and flat values (family K), monitor 2.

use bfe_http::counter::CounterGroup;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// Length of the window whose difference is shown, in seconds of the wall clock.
pub const WINDOW_SECONDS: u64 = 20;

/// A counter group on the monitor port: its totals, and what the last window added.
#[derive(Debug)]
pub struct Metrics {
    group: &'static CounterGroup,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    last: Vec<i64>,
    diff: Vec<i64>,
}

impl Metrics {
    /// For that group.
    #[must_use]
    pub fn new(group: &'static CounterGroup) -> Self {
        let counters = group.values().filter(|(_, gauge, _)| !gauge).count();
        let window = Window { last: vec![0; counters], diff: vec![0; counters] };
        Self { group, window: Mutex::new(window) }
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> &'static CounterGroup {
        self.group
    }

    /// Ends a window: what it added is shown from now on.
    pub fn close_window(&self) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> = self.group.values().filter(|(_, gauge, _)| !gauge).map(|(_, _, v)| v).collect();
        window.diff = now.iter().zip(&window.last).map(|(n, l)| n - l).collect();
        window.last = now;
    }

    /// The page with totals.
    ///
    /// # Errors
    /// The text for an unknown format.
    pub fn total(&self, format: Option<&str>) -> Result<String, String> {
        let all: Vec<_> = self.group.values().collect();
        let of = |gauges| all.iter().filter(|(_, g, _)| *g == gauges).map(|(n, _, v)| (*n, *v)).collect();
        Page { prefix: self.group.prefix(), kind: "total", counters: of(false), gauges: of(true) }
            .format(format)
    }

    /// The page with the differences of the last window.
    ///
    /// # Errors
    /// The text for an unknown format.
    pub fn diff(&self, format: Option<&str>) -> Result<String, String> {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.group.values().filter(|(_, gauge, _)| !gauge).map(|(n, _, _)| n);
        let counters = names.zip(window.diff.iter().copied()).collect();
        let prefix = format!("{}_diff", self.group.prefix());
        Page { prefix: &prefix, kind: "delta", counters, gauges: BTreeMap::new() }.format(format)
    }
}

struct Page<'a> {
    prefix: &'a str,
    kind: &'a str,
    counters: BTreeMap<&'a str, i64>,
    gauges: BTreeMap<&'a str, i64>,
}

impl Page<'_> {
    fn format(&self, format: Option<&str>) -> Result<String, String> {
        match format.unwrap_or("json") {
            "json" => Ok(format!(
                r#"{{"Prefix":"{}","Kind":"{}","GaugeData":{},"CounterData":{},"StateData":{{}}}}"#,
                self.prefix,
                self.kind,
                json_numbers(&self.gauges),
                json_numbers(&self.counters)
            )),
            "kv" | "noah" => {
                let mut out = String::new();
                for (name, value) in self.counters.iter().chain(&self.gauges) {
                    // Writing to memory cannot fail.
                    let _ = writeln!(out, "{}_{name}: {value}", self.prefix);
                }
                Ok(out)
            }
            "prometheus" => {
                let mut out = String::new();
                for (kind, values) in [("counter", &self.counters), ("gauge", &self.gauges)] {
                    for (name, value) in values {
                        let _ = writeln!(out, "# TYPE {0}_{name} {kind}\n{0}_{name} {value}", self.prefix);
                    }
                }
                Ok(out)
            }
            other => Err(format!("invalid format: {other}")),
        }
    }
}

fn json_numbers(values: &BTreeMap<&str, i64>) -> String {
    let fields: Vec<_> = values.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// A value of a flat page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlatValue {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
}

/// A flat page (family K): named values in a fixed order.
///
/// # Errors
/// The text for an unknown format; an empty one counts as `json`.
pub fn flat(values: &[(&str, FlatValue)], format: Option<&str>) -> Result<String, String> {
    match format.unwrap_or("json") {
        "json" | "" => {
            let fields: Vec<_> = values
                .iter()
                .map(|(name, value)| match value {
                    FlatValue::Text(text) => format!("\"{name}\":{}", json_string(text)),
                    FlatValue::Number(n) => format!("\"{name}\":{n}"),
                })
                .collect();
            Ok(format!("{{{}}}", fields.join(",")))
        }
        "kv" => Ok(values.iter().fold(String::new(), |mut out, (name, value)| {
            let _ = match value {
                FlatValue::Text(text) => writeln!(out, "{name}:{text}"),
                FlatValue::Number(n) => writeln!(out, "{name}:{n}"),
            };
            out
        })),
        other => Err(format!("invalid format:{other}")),
    }
}

/// JSON whose strings have no `<`, `>` and `&`, which could be markup: escaped, as Go's encoder does.
#[must_use]
pub fn html_safe(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Text as a JSON string.
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ..' ' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    bfe_http::counter_group! {
        /// For the tests.
        pub test_state "proxy_state" {
            /// One.
            B_ONE,
            /// Another.
            A_TWO,
        }
        gauges {
            /// A gauge.
            NOW,
        }
    }

    #[test]
    fn family_m_in_all_formats() {
        let group = test_state::group();
        let metrics = Metrics::new(group);
        group.add(test_state::B_ONE, 3);
        group.inc(test_state::NOW);
        assert_eq!(
            metrics.total(None).unwrap(),
            r#"{"Prefix":"proxy_state","Kind":"total","GaugeData":{"NOW":1},"CounterData":{"A_TWO":0,"B_ONE":3},"StateData":{}}"#
        );
        assert_eq!(
            metrics.total(Some("kv")).unwrap(),
            "proxy_state_A_TWO: 0\nproxy_state_B_ONE: 3\nproxy_state_NOW: 1\n"
        );
        assert!(
            metrics
                .total(Some("prometheus"))
                .unwrap()
                .contains("# TYPE proxy_state_NOW gauge\nproxy_state_NOW 1\n")
        );
        assert_eq!(metrics.total(Some("xml")).unwrap_err(), "invalid format: xml");
        assert_eq!(metrics.total(Some("")).unwrap_err(), "invalid format: ");
        metrics.close_window();
        group.add(test_state::B_ONE, 2);
        metrics.close_window();
        assert_eq!(
            metrics.diff(None).unwrap(),
            r#"{"Prefix":"proxy_state_diff","Kind":"delta","GaugeData":{},"CounterData":{"A_TWO":0,"B_ONE":2},"StateData":{}}"#
        );
    }

    #[test]
    fn family_k_in_all_formats() {
        let values = [("Vip", FlatValue::Text("a\"b".into())), ("Size", FlatValue::Number(2))];
        assert_eq!(flat(&values, None).unwrap(), r#"{"Vip":"a\"b","Size":2}"#);
        assert_eq!(flat(&values, Some("")), flat(&values, None));
        assert_eq!(flat(&values, Some("kv")).unwrap(), "Vip:a\"b\nSize:2\n");
        assert_eq!(flat(&values, Some("noah")).unwrap_err(), "invalid format:noah");
    }
}
