//! The rule file: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;

/// The shortest mask, in bytes.
const MIN_MASK: usize = 4;
/// `MaxAge` where none is given, in seconds.
const MAX_AGE: i64 = 3600;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawStickyRule {
    cond: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    cookie_key: Option<String>,
    domain: Option<String>,
    path: Option<String>,
    max_age: Option<i64>,
    mask_code: Option<String>,
    standby_mask_code: Option<String>,
    header: Option<String>,
    #[serde(rename = "URIParam")]
    uri_param: Option<String>,
    secure: Option<bool>,
    http_only: Option<bool>,
    renew_window: Option<i64>,
    sticky_request_field: Option<String>,
    sticky_response_field: Option<String>,
}

/// How a session is known.
#[derive(Debug)]
pub(super) enum Kind {
    /// By a cookie of ours, which names the backend.
    Cookie(CookieRule),
    /// By an identifier that the backend gave.
    Id(IdRule),
}

/// The cookie that names the backend.
#[derive(Debug)]
pub(super) struct CookieRule {
    pub(super) domain: Bytes,
    pub(super) path: Bytes,
    pub(super) max_age: i64,
    pub(super) mask: Vec<u8>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) renew_window: i64,
}

/// Where the identifier is; empty names mean nowhere.
#[derive(Debug)]
pub(super) struct IdRule {
    pub(super) header: String,
    pub(super) uri_param: String,
    pub(super) request_field: String,
    pub(super) response_field: String,
}

/// A rule.
#[derive(Debug)]
pub(super) struct StickyRule {
    condition: Condition,
    pub(super) cookie: Bytes,
    pub(super) kind: Kind,
}

impl RawRule for RawStickyRule {
    type Rule = Arc<StickyRule>;

    fn check(self) -> Result<Arc<StickyRule>, RuleFault> {
        let condition = condition(self.cond)?;
        let wrong = |field: &str, reason: String| Err(RuleFault::new(json_path![field], reason));
        for (field, mask) in [("MaskCode", &self.mask_code), ("StandbyMaskCode", &self.standby_mask_code)] {
            if let Some(mask) = mask.as_ref().filter(|mask| mask.len() < MIN_MASK) {
                return wrong(field, format!("{field} should not be shorter than {MIN_MASK}: {mask:?}"));
            }
        }
        if self.cookie_key.as_ref().is_some_and(|key| key.trim_matches(' ').is_empty()) {
            return wrong("CookieKey", "CookieKey should not be empty".into());
        }
        if let Some(age) = self.max_age.filter(|age| *age < 0) {
            return wrong("MaxAge", format!("MaxAge should not be less than 0: {age}"));
        }
        if let Some(path) = self.path.as_ref().filter(|path| !path.starts_with('/')) {
            return wrong("Path", format!("Path should start with /: {path:?}"));
        }
        let is_cookie = match self.kind.as_deref() {
            None | Some("Cookie") => true,
            Some("Sticky") => false,
            Some(other) => return wrong("Type", format!("Wrong Type: {other}, expected Cookie or Sticky")),
        };
        if !is_cookie && self.cookie_key.is_none() {
            return wrong("CookieKey", "no CookieKey for Sticky rule".into());
        }
        let max_age = self.max_age.unwrap_or(MAX_AGE);
        let kind = if is_cookie {
            Kind::Cookie(CookieRule {
                domain: self.domain.unwrap_or_default().into(),
                path: self.path.unwrap_or_default().into(),
                max_age,
                mask: self.mask_code.unwrap_or_else(|| "defaultmask".into()).into_bytes(),
                secure: self.secure.unwrap_or_default(),
                http_only: self.http_only.unwrap_or_default(),
                renew_window: self.renew_window.unwrap_or(max_age / 2),
            })
        } else {
            Kind::Id(IdRule {
                header: self.header.unwrap_or_default(),
                uri_param: self.uri_param.unwrap_or_default(),
                request_field: self.sticky_request_field.unwrap_or_default(),
                response_field: self.sticky_response_field.unwrap_or_default(),
            })
        };
        let cookie = self.cookie_key.unwrap_or_else(|| "bfe_ssbl".into()).into();
        Ok(Arc::new(StickyRule { condition, cookie, kind }))
    }

    fn index(rules: &[Arc<StickyRule>]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("StickyRuleFile")
    }
}

impl Conditional for StickyRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn sticky_8_what_loads() {
        for (fields, want) in [
            ("", ""),
            (r#","Type":"Sticky","CookieKey":"k""#, ""),
            (r#","Path":"/","MaxAge":0,"MaskCode":"1234","RenewWindow":-1"#, ""),
            (r#","Type":"Sticky""#, "no CookieKey for Sticky rule"),
            (r#","Type":"cookie""#, "Wrong Type: cookie"),
            (r#","CookieKey":" ""#, "CookieKey should not be empty"),
            (r#","MaskCode":"abc""#, "MaskCode should not be shorter"),
            (r#","StandbyMaskCode":"abc""#, "StandbyMaskCode should not be shorter"),
            (r#","MaxAge":-1"#, "MaxAge should not be less than 0"),
            (r#","Path":"x""#, "Path should start with /"),
            (r#","Path":"""#, "Path should start with /"),
        ] {
            let rules = format!(r#"[{{"Cond":"default_t()"{fields}}}]"#);
            let error = testing::check::<RawStickyRule>(&rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
    }
}
