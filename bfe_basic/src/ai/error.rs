//! Errors of the AI gateway as clients see them (ai-gateway 2.4).

use crate::condition::json;
use bfe_http::{Body, Response};
use std::fmt;

/// What is wrong, in the words of the body, the counters and the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AiErrorCode {
    /// What the model is, cannot be told.
    InvalidRequest,
    /// No key in the request.
    NoApiKey,
    /// Unknown key, or one that is used up.
    InvalidApiKey,
    /// The key is switched off.
    KeyDisabled,
    /// The key's time is over.
    KeyExpired,
    /// The client's address is none that the key may come from.
    SubnetNotAllowed,
    /// The key is not for this model.
    ModelNotAllowed,
    /// Nothing is left of a plan.
    QuotaExhausted,
    /// A plan's time is over.
    QuotaExpired,
    /// What is left of a plan cannot be told.
    InternalQuotaError,
    /// Too many requests a minute.
    RpmLimitExceeded,
    /// Too many tokens a minute.
    TpmLimitExceeded,
    /// Too many requests at once.
    ConcurrencyLimitExceeded,
    /// The state of a limit cannot be told.
    RateLimitRedisError,
}

impl AiErrorCode {
    /// The code as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::NoApiKey => "NO_API_KEY",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::KeyDisabled => "KEY_DISABLED",
            Self::KeyExpired => "KEY_EXPIRED",
            Self::SubnetNotAllowed => "SUBNET_NOT_ALLOWED",
            Self::ModelNotAllowed => "MODEL_NOT_ALLOWED",
            Self::QuotaExhausted => "QUOTA_EXHAUSTED",
            Self::QuotaExpired => "QUOTA_EXPIRED",
            Self::InternalQuotaError => "INTERNAL_QUOTA_ERROR",
            Self::RpmLimitExceeded => "RPM_LIMIT_EXCEEDED",
            Self::TpmLimitExceeded => "TPM_LIMIT_EXCEEDED",
            Self::ConcurrencyLimitExceeded => "CONCURRENCY_LIMIT_EXCEEDED",
            Self::RateLimitRedisError => "RATE_LIMIT_REDIS_ERROR",
        }
    }

    /// Status of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::ModelNotAllowed => 400,
            Self::NoApiKey | Self::InvalidApiKey => 401,
            Self::KeyDisabled | Self::KeyExpired | Self::SubnetNotAllowed => 403,
            Self::QuotaExhausted
            | Self::QuotaExpired
            | Self::RpmLimitExceeded
            | Self::TpmLimitExceeded
            | Self::ConcurrencyLimitExceeded => 429,
            Self::InternalQuotaError | Self::RateLimitRedisError => 500,
        }
    }

    /// The `type` of the body.
    fn kind(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::ModelNotAllowed => "invalid_request_error",
            Self::NoApiKey
            | Self::InvalidApiKey
            | Self::KeyDisabled
            | Self::KeyExpired
            | Self::SubnetNotAllowed => "authentication_error",
            Self::QuotaExhausted | Self::QuotaExpired => "quota_error",
            Self::InternalQuotaError => "internal_error",
            Self::RpmLimitExceeded
            | Self::TpmLimitExceeded
            | Self::ConcurrencyLimitExceeded
            | Self::RateLimitRedisError => "rate_limit_error",
        }
    }
}

impl fmt::Display for AiErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `details` of an error; what is empty is there all the same.
#[derive(Clone, Debug, Default)]
pub struct AiErrorDetails {
    /// Key of the client.
    pub api_key: Vec<u8>,
    /// Public name of the key.
    pub key_id: String,
    /// Plan that refused.
    pub quota_plan_id: String,
    /// Kind of the limit.
    pub limit_type: &'static str,
    /// Model that was asked for.
    pub model: Vec<u8>,
}

/// An error of the AI gateway.
#[derive(Clone, Debug)]
pub struct AiError {
    /// What is wrong.
    pub code: AiErrorCode,
    /// The same in words.
    pub message: Vec<u8>,
    /// Whom it concerns.
    pub details: Option<AiErrorDetails>,
}

impl AiError {
    /// The answer: one JSON object, its keys in a fixed order, no newline behind it. Its length is not set: it is told
    /// when the body is sent, where that is short (ai-gateway 2.4).
    #[must_use]
    pub fn response(&self) -> Response {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(br#"{"error":{"code":"#);
        json::quote(self.code.as_str().as_bytes(), &mut out);
        out.extend_from_slice(br#","type":"#);
        json::quote(self.code.kind().as_bytes(), &mut out);
        out.extend_from_slice(br#","param":null,"message":"#);
        json::quote(&self.message, &mut out);
        out.extend_from_slice(br#","details":"#);
        match &self.details {
            None => out.extend_from_slice(b"null"),
            Some(details) => details.write(&mut out),
        }
        out.extend_from_slice(b"}}");
        let mut response = Response::internal(self.code.status());
        response.header.set("Content-Type", "application/json");
        response.body = Body::Full(out.into());
        response
    }
}

impl AiErrorDetails {
    fn write(&self, out: &mut Vec<u8>) {
        let members: [(&str, &[u8]); 5] = [
            ("api_key", &self.api_key),
            ("key_id", self.key_id.as_bytes()),
            ("quota_plan_id", self.quota_plan_id.as_bytes()),
            ("limit_type", self.limit_type.as_bytes()),
            ("model", &self.model),
        ];
        out.push(b'{');
        for (name, value) in members {
            json::quote(name.as_bytes(), out);
            out.push(b':');
            json::quote(value, out);
            out.push(b',');
        }
        out.extend_from_slice(br#""retry_after_seconds":0}"#);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aig_6_the_body_of_an_error() {
        let text = |error: &AiError| match error.response().body {
            Body::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            body => panic!("{body:?}"),
        };
        let mut error = AiError { code: AiErrorCode::NoApiKey, message: b"No <key>".to_vec(), details: None };
        assert_eq!(
            text(&error),
            r#"{"error":{"code":"NO_API_KEY","type":"authentication_error","param":null,"message":"No \u003ckey\u003e","details":null}}"#
        );
        assert_eq!(error.response().status, 401);
        error.details = Some(AiErrorDetails { api_key: b"k\xff".to_vec(), ..AiErrorDetails::default() });
        let details = r#","details":{"api_key":"k\ufffd","key_id":"","quota_plan_id":"","limit_type":"","model":"","retry_after_seconds":0}}}"#;
        assert!(text(&error).ends_with(details));
    }
}
