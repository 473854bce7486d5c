//! What the AI gateway finds out about a request (ai-gateway 2).
//!
//! A request carries it from its start where `EnableAiGateway` is on, and never where it is off: the modules of the
//! gateway look for it, and go on without.

mod error;

pub use error::{AiError, AiErrorCode, AiErrorDetails};

use crate::Name;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// What the AI gateway knows of a request.
#[derive(Debug, Default)]
pub struct AiInfo {
    /// Key of the client: `Authorization` without `Bearer ` and `sk-`.
    pub client_api_key: Vec<u8>,
    /// The key's public name, once it has been looked up.
    pub client_key_id: String,
    /// Model that the client asked for; empty where the body names none.
    pub client_model: Vec<u8>,
    /// Model that the last attempt asked for.
    pub target_model: Vec<u8>,
    /// Provider of the last cluster that has one.
    pub provider: String,
    /// Tries with another key, or the same once more.
    pub retry_count: u32,
    /// Currency of the last cluster that has one.
    pub cost_currency: String,
    /// Tags of the client's key: name, value.
    pub api_key_tags: Vec<(String, String)>,
    /// When what came.
    pub times: TokenTimes,
    /// What authentication said.
    pub auth: AuthOutcome,
    /// Cluster and name of the key of each attempt at a cluster with `AIConf`.
    pub cluster_keys: Vec<(Name, String)>,
    /// Tokens and what they cost.
    pub usage: TokenUsage,
    /// The same, as far as the body of the response has told it while it is sent; see [`AiInfo::settle`].
    pub counting: Option<Rc<Cell<TokenUsage>>>,
    /// Price of `target_model` (mode `chat`) in the last cluster; `None` where that names none.
    pub price: Option<TokenPrice>,
    /// Whether usage is estimated where the response does not tell it (`EstimateToken`).
    pub estimate_token: bool,
    /// Policies that mod_ai_rate_limit found exceeded, by their ids; `None` where it has not looked.
    pub rate_limit_hits: Option<BTreeMap<String, RateLimitHit>>,
    /// What mod_ai_route found; shared with its table.
    pub route: Option<Arc<AiRoute>>,
}

impl AiInfo {
    /// Takes over into `usage` what the body of the response has told.
    pub fn settle(&mut self) {
        if let Some(counting) = &self.counting {
            self.usage = counting.get();
        }
    }
}

/// What a token costs, in units of 1e-8 of the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenPrice {
    /// A token of the question.
    pub input: i64,
    /// A token of the answer.
    pub output: i64,
}

/// Tokens of a request, and what they cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens of the question.
    pub prompt_tokens: i64,
    /// Tokens of the answer; -1 while unknown.
    pub completion_tokens: i64,
    /// Tokens to be charged.
    pub used_quota: i64,
    /// Their price, in units of 1e-8 of the currency.
    pub used_cost: i64,
}

impl Default for TokenUsage {
    fn default() -> Self {
        Self { prompt_tokens: 0, completion_tokens: -1, used_quota: 0, used_cost: 0 }
    }
}

/// When what came, and the two figures that come of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenTimes {
    /// The request was complete.
    pub request_end: Option<Instant>,
    /// The first token came.
    pub first_token: Option<Instant>,
    /// The last one came.
    pub last_token: Option<Instant>,
    /// Time to the first token, in microseconds; 0 while unknown.
    pub ttft_us: i64,
    /// Time for each token after the first, in microseconds; 0 while unknown.
    pub tpot_us: i64,
}

/// What mod_ai_token_auth said.
#[derive(Clone, Debug, Default)]
pub struct AuthOutcome {
    /// Why the request was refused.
    pub reject_reason: Option<AiErrorCode>,
    /// Quota plans that refused it.
    pub reject_quota_plans: Vec<String>,
    /// Quota plans that let it pass.
    pub hit_quota_plans: Vec<String>,
}

/// Limits of a policy that a request hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimitHit {
    /// Names of rules for tokens a minute.
    pub tpm_rules: Vec<String>,
    /// Names of rules for requests a minute.
    pub rpm_rules: Vec<String>,
    /// Whether too many requests ran at once.
    pub is_concurrency: bool,
    /// Rule whose state Redis did not tell; empty where it did.
    pub redis_error: String,
}

/// Where mod_ai_route sends a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AiRoute {
    /// Kind of the table: `apikey`, `entity`, `global`.
    pub kind: String,
    /// Owner of the table, for logs.
    pub owner: String,
    /// Name of the rule.
    pub rule: String,
    /// One of these is chosen by weight; the weights add up to 100.
    pub targets: Vec<AiTarget>,
    /// These are tried in turn where it fails.
    pub fallbacks: Vec<AiTarget>,
}

/// A cluster, and the model to ask it for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AiTarget {
    /// Name of the cluster.
    pub cluster: String,
    /// Model; empty leaves the request's.
    pub model: String,
    /// Share of the requests in percent; 0 for fallbacks.
    pub weight: i64,
}
