//! # mod_ai_token_auth: keys of the AI gateway, and their quotas
//!
//! **What it does.** Lets those requests pass that have a valid key, and that their quota plans allow. When the
//! response has been sent, it takes what the request used from the plans. It works where `EnableAiGateway` is on.
//!
//! **`mod_ai_token_auth/mod_ai_token_auth.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | `mod_ai_token_auth/token_rule.data` | rules, tokens and plans, by product |
//! | `Redis.Bns` | required | name of the Redis in `name_conf.data`, or several: `name,weight:10\|other,weight:20` |
//! | `Redis.ConnectTimeout` | required | milliseconds |
//! | `Redis.ReadTimeout`, `Redis.WriteTimeout` | required | milliseconds; together they are the time for a command |
//! | `Redis.Password` | | sent with `AUTH` |
//! | `Redis.MaxActive` | one for each CPU, which is also the most | connections to a Redis |
//! | `Redis.MaxIdle` | | read, without effect: connections are shared and stay |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** Requests that a rule of their product matches need a key; the others pass as they are.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {"shop": [{"Cond": "default_t()", "Action": {"Cmd": "CHECK_TOKEN"}}]},
//!   "Tokens": {
//!     "shop": {
//!       "KEY": {"key": "KEY", "key_id": "alice", "status": 1, "expired_time": -1, "quota_plans": ["monthly"]}
//!     }
//!   },
//!   "QuotaPlans": {
//!     "shop": [{"Id": "monthly", "RedisKey": "quota:alice", "ExpiredTime": -1, "Quota": 1000000}]
//!   }
//! }
//! ```
//!
//! | field of a token | meaning |
//! |---|---|
//! | its name | the key, as clients send it in `Authorization` without `Bearer ` and `sk-` |
//! | `key` | required; only its name counts |
//! | `key_id` | public name of the key, for logs |
//! | `status` | 1 is good; 2 disabled, 3 expired, 4 used up |
//! | `expired_time` | seconds since 1970, or -1 for never; without it the key is expired |
//! | `unlimited_quota` | plans are charged, but not asked; else there has to be one |
//! | `quota_plans` | `Id`s of plans of the product |
//! | `allow_models`, `block_models` | models, with commas between them |
//! | `subnet` | where clients are, with commas between them: `10.0.0.0/8, 2001:db8::/32` |
//! | `tags` | for the access log: `[{"TagName": "...", "TagValue": "..."}]` |
//! | `enabled`, `update_time` | read, without effect |
//!
//! | field of a plan | meaning |
//! |---|---|
//! | `Id` | its name |
//! | `RedisKey` | the key in Redis that holds what is left; somebody else fills it |
//! | `Unit` | `total_token`, which is the default, or `RMB`: what is left is in units of 1e-8 yuan |
//! | `Quota` | what an `RMB` plan starts with where it is charged and Redis does not know it |
//! | `ExpiredTime` | seconds since 1970, or -1 for never; without it the plan is expired |
//! | `PassNoQuota` | the plan is charged, but not asked |
//! | `Unlimited` | the plan is neither asked nor charged |
//! | `ResetMode`, `CreateTime` | checked or read, without effect |
//!
//! **Checks**, in this order: key, its status and time, plans, model, address. An answer to a request that is
//! refused is a JSON object with the reason, and the key. A plan whose key is missing in Redis is an error (500).
//!
//! **Charging.** Only responses with status 200 cost something. Their usage is read from `usage` in the body, or
//! counted by [mod_body_process](crate::mod_body_process) where the body is a stream; where it is not there,
//! `EstimateToken` has it estimated. `RMB` plans are charged by the `ModelTable` of the cluster that answered. Nothing
//! is put aside when a request begins: those under way can use more than there is, and what is left is then 0.
//!
//! **Monitor.** `/monitor/mod_ai_token_auth`, `/monitor/mod_ai_token_auth.diff`: `REQ_TOTAL`, `REQ_AUTH` (a rule
//! matched), `REQ_AUTH_FAIL`.
//!
//! **Reload.** `/reload/mod_ai_token_auth`, with `?path=FILE`. A wrong file changes nothing. Errors never name keys.
//!
//! Realises ai-gateway 9.

mod auth;
mod check;
mod conf;
mod quota;
mod raw;
mod table;
#[cfg(test)]
mod tests;
mod usage;

use crate::data_file::DataFile;
use crate::failed_body::peek;
use crate::rule_file::walk::first_match;
use bfe_basic::{ContextValue, NeedBody, Request};
use bfe_http::Response;
use bfe_module::redis_service::RedisService;
use bfe_module::{
    AsyncFinishFilter, AsyncRequestFilter, AsyncResponseFilter, Callbacks, Handled, HandlerResult, InitError,
    LocalBoxFuture, Module, Point, RequestOutcome, WebHandlers,
};
use mod_ai_token_auth_state as state;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use table::{Token, TokenTable, Unit};

const NAME: &str = "mod_ai_token_auth";
/// Where the token of a request waits for the response.
const TOKEN: &str = "mod_ai_token_auth.token";
/// Most of an answer that is looked into, where nothing is configured.
const ACCESSIBLE_BODY_SIZE: usize = 2 * 1024 * 1024;

bfe_http::counter_group! {
    /// `/monitor/mod_ai_token_auth`.
    pub mod_ai_token_auth_state "mod_ai_token_auth" {
        /// Requests.
        REQ_TOTAL,
        /// Requests that needed a key.
        REQ_AUTH,
        /// Requests that were refused.
        REQ_AUTH_FAIL,
    }
}

/// The module.
pub struct ModuleAiTokenAuth;

impl Module for ModuleAiTokenAuth {
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
        let redis = Arc::new(RedisService::new(&conf.redis));
        let rules = Arc::new(DataFile::load(conf.rules, check::read)?);
        let of_reload = Arc::clone(&rules);
        web_handlers.add_reload(NAME, move |query| {
            of_reload.reload(query.path()).map(|_| None).map_err(|e| e.to_string())
        })?;
        web_handlers.add_counters(NAME, "mod_ai_token_auth.diff", state::group())?;
        register(callbacks, &rules, &redis)
    }
}

fn register(
    callbacks: &mut Callbacks,
    rules: &Arc<DataFile<TokenTable>>,
    redis: &Arc<RedisService>,
) -> Result<(), InitError> {
    let on_request = OnRequest { rules: Arc::clone(rules), redis: Arc::clone(redis) };
    callbacks.add_async_request_filter(
        Point::HandleFoundProduct,
        "mod_ai_token_auth.found_product",
        on_request,
    )?;
    callbacks.add_async_response_filter("mod_ai_token_auth.read_response", OnResponse);
    callbacks
        .add_async_request_finish_filter("mod_ai_token_auth.request_finish", OnFinish(Arc::clone(redis)));
    Ok(())
}

struct OnRequest {
    rules: Arc<DataFile<TokenTable>>,
    redis: Arc<RedisService>,
}

impl AsyncRequestFilter for OnRequest {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        req.ai.is_none().then_some(Ok(RequestOutcome::GO_ON))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async {
            let table = self.rules.current();
            // Before anything is counted: a rule that wants the body has this called again.
            let is_matched = first_match(table.rules(&req.route.product), req)?.is_some();
            let group = state::group();
            group.inc(state::REQ_TOTAL);
            if !is_matched {
                return Ok(RequestOutcome::GO_ON);
            }
            group.inc(state::REQ_AUTH);
            match auth::authenticate(&table, &self.redis, req, now()).await {
                Ok(token) => {
                    accept(req, token);
                    Ok(RequestOutcome::GO_ON)
                }
                Err(error) => {
                    group.inc(state::REQ_AUTH_FAIL);
                    if let Some(ai) = &mut req.ai {
                        ai.auth.reject_reason = Some(error.code);
                    }
                    Ok(RequestOutcome::response(error.response()))
                }
            }
        })
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Notes that a request may pass, and on whose account.
fn accept(req: &mut Request, token: Arc<Token>) {
    let prompt = usage::estimated_prompt(req);
    if let Some(ai) = &mut req.ai {
        ai.usage.prompt_tokens = if ai.estimate_token { prompt } else { 0 };
        ai.usage.completion_tokens = -1;
        ai.api_key_tags.clone_from(&token.tags);
    }
    req.context.set(TOKEN, ContextValue::Any(Box::new(token)));
}

/// The token of a request that has been let pass.
fn token_of(req: &Request) -> Option<&Arc<Token>> {
    req.ai.as_ref()?;
    req.context.any::<Arc<Token>>(TOKEN)
}

struct OnResponse;

impl AsyncResponseFilter for OnResponse {
    fn ready(&self, req: &mut Request) -> Option<Result<HandlerResult, NeedBody>> {
        let is_told = |response: &Response| response.status == 200 && response.content_length >= 0;
        let is_wanted = token_of(req).is_some() && req.response.as_ref().is_some_and(is_told);
        if is_wanted { None } else { Some(Ok(HandlerResult::GoOn)) }
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Result<HandlerResult, NeedBody>> {
        Box::pin(async {
            let max = match req.session.accessible_body_size {
                0 => ACCESSIBLE_BODY_SIZE,
                max => max,
            };
            if let (Some(response), Some(ai)) = (&mut req.response, &mut req.ai)
                && let Some(start) = peek(&mut response.body, max).await
            {
                usage::read(ai, &start, response.content_length);
            }
            Ok(HandlerResult::GoOn)
        })
    }
}

struct OnFinish(Arc<RedisService>);

impl AsyncFinishFilter for OnFinish {
    fn ready(&self, req: &mut Request, response: Option<&Response>) -> Option<HandlerResult> {
        let token = response.filter(|response| response.status == 200).and_then(|_| token_of(req)).cloned();
        let (Some(token), Some(ai)) = (token, &mut req.ai) else { return Some(HandlerResult::GoOn) };
        usage::settle(ai, &token);
        let is_charged = token.plans.iter().any(|plan| !plan.unlimited && amount(ai, plan) > 0);
        if is_charged { None } else { Some(HandlerResult::GoOn) }
    }

    fn call<'a>(
        &'a self,
        req: &'a mut Request,
        _response: Option<&'a Response>,
    ) -> LocalBoxFuture<'a, HandlerResult> {
        Box::pin(async {
            if let (Some(token), Some(ai)) = (token_of(req), &req.ai) {
                for plan in token.plans.iter().filter(|plan| !plan.unlimited) {
                    let amount = amount(ai, plan);
                    if amount <= 0 {
                        continue;
                    }
                    if let Err(why) = quota::deduct(&self.0, plan, amount).await {
                        log::warn!("mod_ai_token_auth: plan {} is not charged {amount}: {why}", plan.id);
                    }
                }
            }
            HandlerResult::GoOn
        })
    }
}

/// What a request costs a plan.
fn amount(ai: &bfe_basic::ai::AiInfo, plan: &table::Plan) -> i64 {
    match plan.unit {
        Unit::Tokens => ai.usage.used_quota,
        Unit::Rmb => ai.usage.used_cost,
    }
}
