//! # mod_ai_rate_limit: limits on requests and tokens of the AI gateway
//!
//! **What it does.** Limits what the clients with a key ask for: requests at once, requests and tokens in some
//! minutes. What has been used stands in Redis, so that several proxies share the limits. It works where
//! `EnableAiGateway` is on.
//!
//! **`mod_ai_rate_limit/mod_ai_rate_limit.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | required | rules by product, policies, and the policies of each key |
//! | `Basic.IsRejectOnRedisError` | `false` | what becomes of requests while Redis does not answer: they pass, or are refused |
//! | `Redis.*` | | as for [mod_ai_token_auth](crate::mod_ai_token_auth) |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {"shop": [{"cond": "default_t()", "hit_action": {"cmd": "FINISH", "params": []}}]},
//!   "RateLimitPolicies": {
//!     "policy-1": {
//!       "name": "small", "enabled": true, "models": ["gpt-4"],
//!       "rules": {
//!         "tpm": [{"name": "minute", "window_minutes": 1, "max_tokens": 10000}],
//!         "rpm": [{"name": "hour", "window_minutes": 60, "max_requests": 100}],
//!         "max_concurrency": 5
//!       }
//!     }
//!   },
//!   "ApikeyRateLimitPolicyBindings": {"KEY": ["policy-1"]}
//! }
//! ```
//!
//! **Rules.** Each rule of the product that matches checks all policies of the client's key, in their order; two that
//! match check them twice. `hit_action` says what becomes of a request that is too much: `FINISH` answers 429 (500
//! where Redis does not answer) and closes the connection, `CLOSE` closes it without a word, `PASS` only notes it for
//! the access log, and skips the other policies of the rule.
//!
//! **Policies.** A policy, and each rule in it, can be for some `models`; `*` means all, but not requests that name
//! none. A limit of 0 refuses all, a negative one none.
//!
//! | limit | meaning |
//! |---|---|
//! | `max_concurrency` | requests under way at once |
//! | `rpm` | requests in the last `window_minutes`, up to three rules; refused ones do not count |
//! | `tpm` | tokens in the last `window_minutes`, calendar minutes, up to three rules. They are known when a request is over: it is let in while no more than `max_tokens` have been used, and what it uses counts for the minute in which it began |
//! | `burst`, `step_minutes` | checked, without effect |
//!
//! **Monitor.** `/monitor/mod_ai_rate_limit`, `/monitor/mod_ai_rate_limit.diff`: the version and the file, with its keys;
//! `/monitor/mod_ai_rate_limit.prometheus`: how often each limit was looked at (`_match`) and refused (`_hit`), and
//! tokens (`_token`).
//!
//! **Reload.** `/reload/mod_ai_rate_limit`, with `?path=FILE`; it answers with the version. A wrong file changes nothing.
//!
//! Realises ai-gateway 10.

mod check;
mod conf;
mod limiter;
mod page;
mod raw;
mod table;
#[cfg(test)]
mod tests;

use crate::data_file::DataFile;
use bfe_basic::action::Command;
use bfe_basic::ai::{AiError, AiErrorCode, AiErrorDetails, RateLimitHit};
use bfe_basic::{ContextValue, ErrorCode, NeedBody, Request};
use bfe_http::Response;
use bfe_module::redis_service::{Fault, RedisService};
use bfe_module::states::States;
use bfe_module::{
    AsyncFinishFilter, AsyncRequestFilter, Callbacks, Handled, HandlerResult, InitError, LocalBoxFuture,
    Module, Point, RequestOutcome, WebHandlers,
};
use limiter::{Concurrency, Limiter, Verdict};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use table::{LimitTable, Policy};

const NAME: &str = "mod_ai_rate_limit";
/// Where what a request has taken waits for its end.
const TAKEN: &str = "mod_ai_rate_limit.taken";
/// Error code of requests that are refused.
const REFUSED: ErrorCode = ErrorCode::new("AI_RATE_LIMIT");
/// Stands for the name of a rule where requests at once are limited.
const CONCURRENCY: &str = "concurrency";
/// Never moves, as in the original.
const COUNTER: &str = "REQ_AI_RATE_MEET_THRESHOLD";

/// The module.
pub struct ModuleAiRateLimit;

impl Module for ModuleAiRateLimit {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let conf = conf::load(conf_root)?;
        let limits = Limits {
            table: Arc::new(DataFile::load(conf.rules, check::read)?),
            redis: Arc::new(RedisService::new(&conf.redis)),
            reject_on_redis_error: conf.reject_on_redis_error,
        };
        let states = Arc::new(States::new(NAME, "mod_ai_rate_limit_diff"));
        states.add(COUNTER, 0);
        show(&states, &limits.table.current());
        web_handlers.add_states(NAME, "mod_ai_rate_limit.diff", Arc::clone(&states))?;
        let table = Arc::clone(&limits.table);
        web_handlers
            .add_monitor("mod_ai_rate_limit.prometheus", move |_| Ok(page::prometheus(&table.current())))?;
        let table = Arc::clone(&limits.table);
        web_handlers.add_reload(NAME, move |query| {
            let (file, table) = table.reload(query.path()).map_err(|e| e.to_string())?;
            show(&states, &table);
            Ok(Some(format!("{file}={}", table.version)))
        })?;
        register(callbacks, limits)
    }
}

/// Has the monitor port show what is in force.
fn show(states: &States, table: &LimitTable) {
    states.set_text("Version", table.version.as_str());
    states.set_text("ProductRuleTable", table.page.as_str());
}

fn register(callbacks: &mut Callbacks, limits: Limits) -> Result<(), InitError> {
    callbacks.add_async_request_finish_filter(
        "mod_ai_rate_limit.request_finish",
        OnFinish(Arc::clone(&limits.redis)),
    );
    callbacks.add_async_request_filter(
        Point::HandleFoundProduct,
        "mod_ai_rate_limit.found_product",
        limits,
    )?;
    Ok(())
}

struct Limits {
    table: Arc<DataFile<LimitTable>>,
    redis: Arc<RedisService>,
    reject_on_redis_error: bool,
}

/// What a request has taken, to be settled at its end.
#[derive(Default)]
struct Taken {
    /// Limits on tokens that let it in, and when.
    tokens: Vec<(Arc<Limiter>, i64)>,
    /// Places among the requests that run at once.
    places: Vec<Arc<Concurrency>>,
}

impl AsyncRequestFilter for Limits {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        req.ai.is_none().then_some(Ok(RequestOutcome::GO_ON))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async {
            let table = self.table.current();
            let actions = actions(&table, req)?;
            let Some(ai) = &mut req.ai else { return Ok(RequestOutcome::GO_ON) };
            ai.rate_limit_hits = Some(Default::default());
            let policies = table.bindings.get(ai.client_api_key.as_slice());
            let Some(policies) = policies.filter(|_| !ai.client_api_key.is_empty()) else {
                return Ok(RequestOutcome::GO_ON);
            };
            let mut taken = Taken::default();
            let refused = self.check_all(req, policies, &actions, &mut taken).await;
            if !taken.tokens.is_empty() || !taken.places.is_empty() {
                req.context.set(TAKEN, ContextValue::Any(Box::new(taken)));
            }
            Ok(refused.map_or(RequestOutcome::GO_ON, |(policy, action)| {
                req.set_error(REFUSED, "");
                if action == Command::Close {
                    return RequestOutcome::CLOSE;
                }
                RequestOutcome::finish(Some(refusal(policy, req).response()))
            }))
        })
    }
}

/// What the rules say that match a request. All conditions are looked at before the first check, so that none is
/// done twice where one wants the body.
fn actions(table: &LimitTable, req: &Request) -> Result<Vec<Command>, NeedBody> {
    use crate::rule_file::walk::Conditional as _;
    let mut actions = Vec::new();
    for (_, rule) in table.rules(&req.route.product).candidates(req, 0) {
        if rule.condition().matches(req)? {
            actions.push(rule.action);
        }
    }
    Ok(actions)
}

impl Limits {
    /// Checks all policies for each action; gives the first that refuses the request.
    async fn check_all<'p>(
        &self,
        req: &mut Request,
        policies: &'p [Arc<Policy>],
        actions: &[Command],
        taken: &mut Taken,
    ) -> Option<(&'p Policy, Command)> {
        for action in actions {
            for policy in policies {
                let model = req.ai.as_ref().map(|ai| ai.client_model.clone()).unwrap_or_default();
                if !policy.enabled || !policy.models.fit(&model) {
                    continue;
                }
                let mut hit = RateLimitHit::default();
                if self.allows(policy, &model, &mut hit, taken).await {
                    continue;
                }
                if let Some(hits) = req.ai.as_mut().and_then(|ai| ai.rate_limit_hits.as_mut()) {
                    add(hits.entry(policy.id.clone()).or_default(), hit);
                }
                if *action == Command::Pass {
                    break;
                }
                return Some((policy, *action));
            }
        }
        None
    }

    /// Whether a policy allows a request for that model; else what it hit.
    async fn allows(&self, policy: &Policy, model: &[u8], hit: &mut RateLimitHit, taken: &mut Taken) -> bool {
        if let Some(concurrency) = &policy.concurrency {
            match concurrency.acquire(&self.redis).await {
                Ok(Verdict::Allowed) => taken.places.push(Arc::clone(concurrency)),
                Ok(Verdict::TooMany) => {
                    hit.is_concurrency = true;
                    return false;
                }
                Err(fault) if self.fails(policy, CONCURRENCY, &fault, hit) => return false,
                Err(_) => {}
            }
        }
        for rule in policy.rpm.iter().filter(|rule| rule.models.fit(model)) {
            match rule.check_request(&self.redis).await {
                Ok(Verdict::Allowed) => {}
                Ok(Verdict::TooMany) => {
                    hit.rpm_rules.push(rule.name.clone());
                    return false;
                }
                Err(fault) if self.fails(policy, &rule.name, &fault, hit) => return false,
                // Nor will the others of the kind be answered.
                Err(_) => break,
            }
        }
        for rule in policy.tpm.iter().filter(|rule| rule.models.fit(model)) {
            match rule.check_tokens(&self.redis).await {
                Ok((Verdict::Allowed, time)) => taken.tokens.push((Arc::clone(rule), time)),
                Ok((Verdict::TooMany, _)) => {
                    hit.tpm_rules.push(rule.name.clone());
                    return false;
                }
                Err(fault) if self.fails(policy, &rule.name, &fault, hit) => return false,
                Err(_) => break,
            }
        }
        true
    }

    /// Whether a request is refused because Redis does not say whether it is too much.
    fn fails(&self, policy: &Policy, rule: &str, fault: &Fault, hit: &mut RateLimitHit) -> bool {
        let reject = self.reject_on_redis_error;
        let becomes = if reject { "refused" } else { "let in" };
        log::warn!("mod_ai_rate_limit: policy {}, rule {rule}: {becomes}: {fault}", policy.id);
        if reject {
            rule.clone_into(&mut hit.redis_error);
        }
        reject
    }
}

/// Adds a hit to those of the same policy.
fn add(hits: &mut RateLimitHit, hit: RateLimitHit) {
    hits.tpm_rules.extend(hit.tpm_rules);
    hits.rpm_rules.extend(hit.rpm_rules);
    hits.is_concurrency |= hit.is_concurrency;
    if !hit.redis_error.is_empty() {
        hits.redis_error = hit.redis_error;
    }
}

/// The answer to a request that a policy refuses.
fn refusal(policy: &Policy, req: &Request) -> AiError {
    let ai = req.ai.as_deref();
    let hit = ai.and_then(|ai| ai.rate_limit_hits.as_ref()?.get(&policy.id));
    let (code, limit_type) = match hit {
        Some(hit) if !hit.redis_error.is_empty() => (AiErrorCode::RateLimitRedisError, "redis_access_error"),
        Some(hit) if hit.is_concurrency => (AiErrorCode::ConcurrencyLimitExceeded, CONCURRENCY),
        Some(hit) if hit.rpm_rules.is_empty() && !hit.tpm_rules.is_empty() => {
            (AiErrorCode::TpmLimitExceeded, "tpm")
        }
        _ => (AiErrorCode::RpmLimitExceeded, "rpm"),
    };
    AiError {
        code,
        message: format!("Rate limit exceeded for policy {}", policy.name).into(),
        details: Some(AiErrorDetails {
            api_key: ai.map(|ai| ai.client_api_key.clone()).unwrap_or_default(),
            limit_type,
            ..AiErrorDetails::default()
        }),
    }
}

struct OnFinish(Arc<RedisService>);

impl AsyncFinishFilter for OnFinish {
    fn ready(&self, req: &mut Request, _response: Option<&Response>) -> Option<HandlerResult> {
        let taken = req.ai.is_some() && req.context.any::<Taken>(TAKEN).is_some();
        if taken { None } else { Some(HandlerResult::GoOn) }
    }

    fn call<'a>(
        &'a self,
        req: &'a mut Request,
        _response: Option<&'a Response>,
    ) -> LocalBoxFuture<'a, HandlerResult> {
        Box::pin(async {
            if let Some(ai) = &mut req.ai {
                ai.settle();
            }
            let used = req.ai.as_ref().map_or(0, |ai| ai.usage.used_quota);
            let Some(taken) = req.context.any::<Taken>(TAKEN) else { return HandlerResult::GoOn };
            let warn = |fault: &Fault| log::warn!("mod_ai_rate_limit: at the end of a request: {fault}");
            for (rule, time) in &taken.tokens {
                let _ = rule.add_tokens(&self.0, *time, used).await.inspect_err(warn);
                rule.counts.tokens.fetch_add(u64::try_from(used).unwrap_or(0), Relaxed);
            }
            for place in &taken.places {
                let _ = place.release(&self.0).await.inspect_err(warn);
            }
            HandlerResult::GoOn
        })
    }
}
