//! What the AI gateway knows of a request (ai-gateway 14.2).

use crate::protobuf::Message;
use bfe_basic::Request;
use bfe_basic::ai::{AiInfo, RateLimitHit};

/// Writes the fields, where the request went through the gateway.
pub(super) fn fields(log: &mut Message<'_>, req: &Request) {
    let Some(ai) = &req.ai else { return };
    text(log, 701, ai.client_key_id.as_bytes());
    for (name, value) in &ai.api_key_tags {
        log.message(702, |tag| {
            tag.text(1, name.as_bytes());
            tag.text(2, value.as_bytes());
        });
    }
    text(log, 703, &ai.client_model);
    text(log, 704, &ai.target_model);
    log.number(705, req.is_sse.into());
    let usage = &ai.usage;
    for (field, tokens) in
        [(706, usage.prompt_tokens), (707, usage.completion_tokens), (708, usage.used_quota)]
    {
        log.number(field, tokens.cast_unsigned());
    }
    positive(log, 709, ai.times.ttft_us);
    positive(log, 710, ai.times.tpot_us);
    for (policy, hit) in ai.rate_limit_hits.iter().flatten() {
        limits(log, policy, hit);
    }
    text(log, 712, ai.auth.reject_reason.map_or("", |reason| reason.as_str()).as_bytes());
    texts(log, 713, &ai.auth.reject_quota_plans);
    text(log, 714, ai.provider.as_bytes());
    positive(log, 715, ai.retry_count.into());
    positive(log, 761, usage.used_cost);
    text(log, 762, ai.cost_currency.as_bytes());
    places(log, ai);
    texts(log, 841, &ai.auth.hit_quota_plans);
}

/// The limits of a policy that the request hit, one entry for each kind.
fn limits(log: &mut Message<'_>, policy: &str, hit: &RateLimitHit) {
    let concurrency: &[&str] = if hit.is_concurrency { &["concurrency"] } else { &[] };
    let redis: &[&str] = if hit.redis_error.is_empty() { &[] } else { &["acc_redis_error"] };
    entry(log, policy, "tpm", &hit.tpm_rules);
    entry(log, policy, "rpm", &hit.rpm_rules);
    entry(log, policy, "concurrency", concurrency);
    entry(log, policy, "redis_error", redis);
}

fn entry(log: &mut Message<'_>, policy: &str, kind: &str, rules: &[impl AsRef<str>]) {
    if rules.is_empty() {
        return;
    }
    log.message(711, |hit| {
        hit.text(1, policy.as_bytes());
        hit.text(2, kind.as_bytes());
        for rule in rules {
            hit.text(3, rule.as_ref().as_bytes());
        }
    });
}

/// Which rule sent it, and which clusters it was sent to, each with the name of the key.
fn places(log: &mut Message<'_>, ai: &AiInfo) {
    if let Some(route) = &ai.route {
        log.message(801, |rule| {
            rule.text(1, route.owner.as_bytes());
            rule.text(2, route.kind.as_bytes());
            rule.text(3, route.rule.as_bytes());
        });
    }
    for (cluster, key) in &ai.cluster_keys {
        log.message(802, |tried| {
            tried.text(1, cluster.as_bytes());
            tried.text(2, key.as_bytes());
        });
    }
}

/// A text, unless it is empty.
fn text(log: &mut Message<'_>, field: u32, text: &[u8]) {
    if !text.is_empty() {
        log.text(field, text);
    }
}

fn texts(log: &mut Message<'_>, field: u32, texts: &[String]) {
    for text in texts {
        log.text(field, text.as_bytes());
    }
}

/// A number, where it is known.
fn positive(log: &mut Message<'_>, field: u32, number: i64) {
    if number > 0 {
        log.number(field, number.cast_unsigned());
    }
}
