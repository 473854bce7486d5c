//! Who may ask for what: the checks of a key, in their order (ai-gateway 9.3).

use super::quota;
use super::table::{Status, Token, TokenTable};
use bfe_basic::Request;
use bfe_basic::ai::{AiError, AiErrorCode, AiErrorDetails};
use bfe_module::redis_service::RedisService;
use std::net::IpAddr;
use std::sync::Arc;

/// What `limit_type` says of a plan.
const API_KEY_QUOTA: &str = "api_key_quota";

/// Checks the key of a request; notes in its [`AiInfo`](bfe_basic::ai::AiInfo) what came of it. `now` is in seconds
/// since 1970.
pub(super) async fn authenticate(
    table: &TokenTable,
    redis: &RedisService,
    req: &mut Request,
    now: i64,
) -> Result<Arc<Token>, AiError> {
    let key = req.ai.as_ref().map(|ai| ai.client_api_key.clone()).unwrap_or_default();
    let refused = Refused { key: &key, key_id: "" };
    if key.is_empty() {
        return Err(refused.plain(AiErrorCode::NoApiKey, "no api key in request"));
    }
    if req.route.product.is_empty() {
        return Err(refused.plain(AiErrorCode::InvalidRequest, "product not found"));
    }
    let token = table.token(&req.route.product, &key).cloned();
    let token = token.ok_or_else(|| refused.key(AiErrorCode::InvalidApiKey, ". Key not found in system."))?;
    let refused = Refused { key: &key, key_id: &token.key_id };
    if let Some(ai) = &mut req.ai {
        ai.client_key_id.clone_from(&token.key_id);
    }
    if token.status == Status::Exhausted {
        return Err(refused.key(AiErrorCode::InvalidApiKey, ". quota exhausted."));
    }
    if token.status == Status::Disabled {
        return Err(refused.key(AiErrorCode::KeyDisabled, ". disabled."));
    }
    if token.is_expired(now) {
        return Err(refused.key(AiErrorCode::KeyExpired, ". expired."));
    }
    if !token.unlimited_quota {
        check_plans(&token, redis, req, now, &refused).await?;
    }
    if let Some(error) = wrong_model(&token, req, &refused) {
        return Err(error);
    }
    if !token.allows_addresses(&addresses(req)) {
        let message = [b"Client IP not in subnet of key ", key.as_slice()].concat();
        return Err(refused.details(AiErrorCode::SubnetNotAllowed, message, |_| {}));
    }
    Ok(token)
}

/// Asks for the balance of each plan, up to the first that has none.
async fn check_plans(
    token: &Token,
    redis: &RedisService,
    req: &mut Request,
    now: i64,
    refused: &Refused<'_>,
) -> Result<(), AiError> {
    for plan in token.plans.iter().filter(|plan| !plan.unlimited && !plan.pass_no_quota) {
        let id = &plan.id;
        let (code, message) = if plan.is_expired(now) {
            (AiErrorCode::QuotaExpired, format!("Quota plan {id} expired."))
        } else {
            match quota::balance(redis, plan).await {
                Ok(1..) => {
                    if let Some(ai) = &mut req.ai {
                        ai.auth.hit_quota_plans.push(id.clone());
                    }
                    continue;
                }
                Ok(_) => (AiErrorCode::QuotaExhausted, format!("Quota plan {id} exhausted.")),
                Err(why) => {
                    let message = format!("Internal error during quota deduction for plan {id}: {why}");
                    (AiErrorCode::InternalQuotaError, message)
                }
            }
        };
        if let Some(ai) = &mut req.ai {
            ai.auth.reject_quota_plans = vec![id.clone()];
        }
        return Err(refused.details(code, message, |details| {
            details.quota_plan_id.clone_from(id);
            if code != AiErrorCode::InternalQuotaError {
                details.limit_type = API_KEY_QUOTA;
            }
        }));
    }
    Ok(())
}

/// What is wrong with the model that the client asked for, if anything.
fn wrong_model(token: &Token, req: &Request, refused: &Refused<'_>) -> Option<AiError> {
    if token.allow_models.is_empty() && token.block_models.is_empty() {
        return None;
    }
    let model = req.ai.as_ref().map(|ai| ai.client_model.as_slice()).unwrap_or_default();
    if model.is_empty() {
        let message = "Model not found in request body: <nil>";
        return Some(refused.details(AiErrorCode::InvalidRequest, message, |_| {}));
    }
    let model = std::str::from_utf8(model).map_or(model.trim_ascii(), |model| model.trim().as_bytes());
    let names = |list: &[String]| list.iter().any(|name| name.as_bytes() == model);
    let verb = if names(&token.block_models) {
        "blocked"
    } else if !token.allow_models.is_empty() && !names(&token.allow_models) {
        "not allowed"
    } else {
        return None;
    };
    let message = [b"Model ", model, b" ", verb.as_bytes(), b" by key ", refused.key].concat();
    Some(refused.details(AiErrorCode::ModelNotAllowed, message, |details| details.model = model.to_vec()))
}

/// Where a request comes from: by its headers, and by its connection.
fn addresses(req: &Request) -> Vec<IpAddr> {
    [req.client_addr, req.remote_addr].into_iter().flatten().map(|address| address.ip()).collect()
}

/// Whose request is refused.
struct Refused<'a> {
    key: &'a [u8],
    /// Public name of the key, where it is known.
    key_id: &'a str,
}

impl Refused<'_> {
    /// Without details.
    fn plain(&self, code: AiErrorCode, message: &str) -> AiError {
        AiError { code, message: message.into(), details: None }
    }

    /// For a reason that lies in the key itself.
    fn key(&self, code: AiErrorCode, why: &str) -> AiError {
        let message = [b"Invalid API key: ", self.key, why.as_bytes()].concat();
        self.details(code, message, |_| {})
    }

    /// With what `add` adds to the details.
    fn details(
        &self,
        code: AiErrorCode,
        message: impl Into<Vec<u8>>,
        add: impl FnOnce(&mut AiErrorDetails),
    ) -> AiError {
        let mut details = AiErrorDetails {
            api_key: self.key.to_vec(),
            key_id: self.key_id.to_owned(),
            ..AiErrorDetails::default()
        };
        add(&mut details);
        AiError { code, message: message.into(), details: Some(details) }
    }
}
