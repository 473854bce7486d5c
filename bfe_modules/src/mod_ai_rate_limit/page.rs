//! What the monitor port shows: the file, and what the limits have been asked (ai-gateway 10.5).

use super::limiter::Counts;
use super::raw::{RawFile, RawLimits, RawPolicy, RawRule};
use super::table::LimitTable;
use bfe_basic::condition::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

// === The file ===

/// The file as JSON, with the names that the original has in memory.
pub(super) fn of_file(raw: &RawFile) -> String {
    let config = raw.config.iter().flatten();
    let config = config.map(|(product, rules)| (product, list(Some(rules.iter().flatten().map(rule)))));
    let policies = raw.rate_limit_policies.iter().flatten();
    let policies = policies.map(|(id, raw)| (id, raw.as_ref().map_or_else(null, policy)));
    let bindings = raw.bindings.iter().flatten();
    let bindings = bindings.map(|(key, ids)| (key, texts(ids.as_ref())));
    format!(
        r#"{{"Version":{},"Config":{},"RateLimitPolicies":{},"ApikeyRatePoliciesBindings":{}}}"#,
        text(raw.version.as_deref().unwrap_or_default()),
        object(config),
        object(policies),
        object(bindings),
    )
}

fn rule(raw: &Option<RawRule>) -> String {
    let cond = raw.as_ref().and_then(|raw| raw.cond.as_deref()).unwrap_or_default();
    let action = raw.as_ref().and_then(|raw| raw.hit_action.as_ref());
    let cmd = action.map(|action| action.command().to_string()).unwrap_or_default();
    format!(r#"{{"Cond":{},"HitAction":{{"Cmd":{},"Params":[]}}}}"#, text(cond), text(&cmd))
}

fn policy(raw: &RawPolicy) -> String {
    format!(
        r#"{{"Name":{},"Enabled":{},"Models":{},"Rules":{}}}"#,
        text(&raw.name),
        raw.enabled,
        texts(raw.models.as_ref()),
        raw.rules.as_ref().map_or_else(null, limits),
    )
}

fn limits(raw: &RawLimits) -> String {
    let tpm = raw.tpm.iter().map(|rule| {
        format!(
            r#"{{"Name":{},"TimeWindow":{},"Threshold":{max},"BucketTimeWindow":60,"BucketThreshold":{max},"ReservedX":0,"ReservedOff":0,"Models":{}}}"#,
            text(&rule.name),
            rule.window_minutes.saturating_mul(60),
            texts(rule.models.as_ref()),
            max = rule.max_tokens,
        )
    });
    let rpm = raw.rpm.iter().map(|rule| {
        format!(
            r#"{{"Name":{},"TimeWindow":{},"MaxRequests":{},"Burst":{},"Models":{}}}"#,
            text(&rule.name),
            rule.window_minutes.saturating_mul(60),
            rule.max_requests,
            rule.burst.max(1),
            texts(rule.models.as_ref()),
        )
    });
    format!(
        r#"{{"TPM":{},"RPM":{},"MaxConcurrency":{}}}"#,
        list(Some(tpm).filter(|_| !raw.tpm.is_empty())),
        list(Some(rpm).filter(|_| !raw.rpm.is_empty())),
        raw.max_concurrency.map_or_else(null, |max| max.to_string()),
    )
}

fn null() -> String {
    "null".into()
}

fn text(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    json::quote(text.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn texts(items: Option<&Vec<String>>) -> String {
    list(items.map(|items| items.iter().map(|item| text(item))))
}

fn list(items: Option<impl Iterator<Item = String>>) -> String {
    items.map_or_else(null, |items| format!("[{}]", items.collect::<Vec<_>>().join(",")))
}

fn object<'a>(members: impl Iterator<Item = (&'a String, String)>) -> String {
    let members = members.map(|(name, value)| format!("{}:{value}", text(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

// === What the limits have been asked ===

/// A family: its name, its help, and which number it shows.
type Family = (&'static str, &'static str, fn(&Counts) -> &AtomicU64);

const CON: [Family; 2] =
    [("con_hit", "concurrency hit", |c| &c.hit), ("con_match", "concurrency match", |c| &c.matched)];
const RPM: [Family; 2] = [("rpm_hit", "rpm hit", |c| &c.hit), ("rpm_match", "rpm match", |c| &c.matched)];
const TPM: [Family; 3] = [
    ("tpm_hit", "tpm hit", |c| &c.hit),
    ("tpm_match", "tpm match", |c| &c.matched),
    ("tpm_token", "tpm token", |c| &c.tokens),
];

/// The page for Prometheus.
pub(super) fn prometheus(table: &LimitTable) -> String {
    let mut out = String::new();
    let policies = || table.policies.values();
    let con = policies().filter_map(|p| Some((&p.id, "concurrency", &*p.concurrency.as_ref()?.counts)));
    family(&mut out, &CON, &con.collect::<Vec<_>>());
    let rpm = policies().flat_map(|p| p.rpm.iter().map(|rule| (&p.id, rule.name.as_str(), &*rule.counts)));
    family(&mut out, &RPM, &rpm.collect::<Vec<_>>());
    let tpm = policies().flat_map(|p| p.tpm.iter().map(|rule| (&p.id, rule.name.as_str(), &*rule.counts)));
    family(&mut out, &TPM, &tpm.collect::<Vec<_>>());
    out
}

/// A counter for each rule, and a gauge with their sum, for each number of a kind.
fn family(out: &mut String, families: &[Family], rules: &[(&String, &str, &Counts)]) {
    for (name, help, count) in families {
        let (mut series, mut sum) = (BTreeMap::<_, u64>::new(), 0u64);
        for (policy, rule, counts) in rules {
            let n = count(counts).load(Relaxed);
            sum = sum.wrapping_add(n);
            let series = series.entry((label(rule), label(policy))).or_default();
            *series = series.wrapping_add(n);
        }
        // Writing to memory cannot fail.
        if !series.is_empty() {
            let _ =
                writeln!(out, "# HELP {name} ai rate limit {help} by policy and inst\n# TYPE {name} counter");
        }
        for ((rule, policy), n) in series {
            let _ = writeln!(out, "{name}{{inst_id=\"{rule}\",policy_id=\"{policy}\"}} {}", number(n));
        }
        let _ = writeln!(out, "# HELP {name}_total ai rate limit {help} total\n# TYPE {name}_total gauge");
        let _ = writeln!(out, "{name}_total {}", number(sum));
    }
}

/// The value of a label, without blanks.
fn label(text: &str) -> String {
    text.replace(' ', "_").replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

/// A number as the original writes it: with an exponent from a million on.
fn number(n: u64) -> String {
    if n < 1_000_000 {
        return n.to_string();
    }
    let short = format!("{:e}", n as f64);
    let (digits, exponent) = short.split_once('e').unwrap_or((&short, "0"));
    format!("{digits}e+{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ail_13_numbers() {
        for (n, want) in [
            (0, "0"),
            (999_999, "999999"),
            (1_000_000, "1e+06"),
            (1_234_567, "1.234567e+06"),
            (12_000_000_000, "1.2e+10"),
        ] {
            assert_eq!(number(n), want);
        }
    }
}
