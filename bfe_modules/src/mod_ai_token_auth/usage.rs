//! How many tokens a request used, and what they cost (ai-gateway 9.4, 9.5).

use super::table::{Token, Unit};
use bfe_basic::ai::{AiInfo, TokenUsage};
use bfe_basic::condition::json;
use bfe_basic::{BodyPeek, Request};
use bfe_http::Body;

/// Bytes of text that count as a token.
const BYTES_PER_TOKEN: i64 = 4;

/// Tokens of a question, by its length.
pub(super) fn estimated_prompt(req: &Request) -> i64 {
    let seen = match (&req.body_peek, &req.http.body) {
        _ if req.http.content_length > 0 => return req.http.content_length / BYTES_PER_TOKEN,
        (BodyPeek::Read(start), _) => start.len(),
        (_, Body::Full(bytes)) => bytes.len(),
        _ => 0,
    };
    i64::try_from(seen).unwrap_or(i64::MAX) / BYTES_PER_TOKEN
}

/// Reads what the body of a response says of usage; its length stands for it where it says nothing and that is
/// wanted.
pub(super) fn read(ai: &mut AiInfo, body: &[u8], content_length: i64) {
    let [total, prompt, completion] =
        ["usage.total_tokens", "usage.prompt_tokens", "usage.completion_tokens"]
            .map(|path| json::get_int(body, path));
    let usage = &mut ai.usage;
    let used = if total > 0 { total } else { prompt.saturating_add(completion) };
    if total > 0 || prompt > 0 || completion > 0 {
        *usage = TokenUsage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            used_quota: used,
            used_cost: usage.used_cost,
        };
    }
    if usage.used_quota <= 0 && ai.estimate_token {
        usage.completion_tokens = content_length / BYTES_PER_TOKEN;
        usage.used_quota = sum(usage);
    }
}

/// Works out what a request that has been answered is to be charged.
pub(super) fn settle(ai: &mut AiInfo, token: &Token) {
    ai.settle();
    let usage = &mut ai.usage;
    if usage.used_quota <= 0 && ai.estimate_token {
        usage.used_quota = sum(usage);
    }
    if usage.used_cost <= 0 && token.plans.iter().any(|plan| plan.unit == Unit::Rmb) {
        match ai.price {
            Some(price) => {
                let input = usage.prompt_tokens.saturating_mul(price.input);
                let output = usage.completion_tokens.saturating_mul(price.output);
                usage.used_cost = input.saturating_add(output);
            }
            None => {
                let model = String::from_utf8_lossy(&ai.target_model);
                log::warn!("mod_ai_token_auth: no price for model {model:?}: nothing is charged");
                usage.used_cost = 0;
            }
        }
    }
    if let Some(counting) = &ai.counting {
        counting.set(ai.usage);
    }
}

/// What both estimates make together; nothing where one is unknown.
fn sum(usage: &TokenUsage) -> i64 {
    if usage.prompt_tokens < 0 || usage.completion_tokens < 0 {
        return 0;
    }
    usage.prompt_tokens.saturating_add(usage.completion_tokens)
}
