//! `cors_rule.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, Version, condition};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use bytes::Bytes;
use serde::Deserialize;
use std::collections::HashSet;

/// The methods that can be asked for and allowed.
pub(super) const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawCorsRule {
    cond: Option<String>,
    #[serde(default)]
    access_control_allow_origins: Vec<String>,
    #[serde(default)]
    access_control_allow_credentials: bool,
    #[serde(default)]
    access_control_expose_headers: Vec<String>,
    #[serde(default)]
    access_control_allow_methods: Vec<String>,
    #[serde(default)]
    access_control_allow_headers: Vec<String>,
    access_control_max_age: Option<i64>,
}

/// Which origins are allowed.
#[derive(Debug)]
pub(super) enum Origins {
    /// All; the client gets its own.
    Echo,
    /// All; the client gets `*`.
    Any,
    /// These.
    List(HashSet<Box<[u8]>>),
}

impl Origins {
    /// What to answer to an origin; `None` where it is not allowed.
    pub(super) fn allowed(&self, origin: &[u8]) -> Option<Bytes> {
        match self {
            Self::Echo => Some(Bytes::copy_from_slice(origin)),
            Self::Any => Some(Bytes::from_static(b"*")),
            Self::List(list) => list.contains(origin).then(|| Bytes::copy_from_slice(origin)),
        }
    }
}

/// A rule. Lists are as they are sent.
#[derive(Debug)]
pub(super) struct CorsRule {
    condition: Condition,
    pub(super) origins: Origins,
    pub(super) credentials: bool,
    pub(super) expose_headers: Option<Bytes>,
    pub(super) allow_methods: Option<Bytes>,
    pub(super) allow_headers: Option<Bytes>,
    pub(super) max_age: Option<Bytes>,
}

impl RawRule for RawCorsRule {
    const VERSION: Version = Version::NotEmpty;
    type Rule = CorsRule;

    fn check(self) -> Result<CorsRule, RuleFault> {
        let condition = condition(self.cond)?;
        let origins = origins(self.access_control_allow_origins, self.access_control_allow_credentials)?;
        let methods = self.access_control_allow_methods;
        if let Some(method) = methods.iter().find(|m| *m != "*" && !METHODS.contains(&m.as_str())) {
            let reason = format!("{method} is not supported");
            return Err(RuleFault::new(json_path!["AccessControlAllowMethods"], reason));
        }
        let max_age = match self.access_control_max_age {
            Some(seconds) if !(-1..=86400).contains(&seconds) => {
                let reason = format!("{seconds} must be in [-1, 86400]");
                return Err(RuleFault::new(json_path!["AccessControlMaxAge"], reason));
            }
            seconds => seconds.map(|s| Bytes::from(s.to_string())),
        };
        Ok(CorsRule {
            condition,
            origins,
            credentials: self.access_control_allow_credentials,
            expose_headers: list("AccessControlExposeHeaders", &self.access_control_expose_headers)?,
            allow_methods: list("AccessControlAllowMethods", &methods)?,
            allow_headers: list("AccessControlAllowHeaders", &self.access_control_allow_headers)?,
            max_age,
        })
    }

    fn index(rules: &[CorsRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }
}

fn origins(list: Vec<String>, credentials: bool) -> Result<Origins, RuleFault> {
    let wrong = |reason: String| RuleFault::new(json_path!["AccessControlAllowOrigins"], reason);
    if list.is_empty() {
        return Err(wrong("AccessControlAllowOrigins not set".into()));
    }
    for origin in &list {
        if origin.starts_with('%') && origin != "%origin" || origin.contains('*') && origin != "*" {
            return Err(wrong(format!("{origin} is not supported")));
        }
        if origin == "*" && credentials {
            return Err(wrong("AccessControlAllowCredentials cannot be true with the origin *".into()));
        }
        if matches!(origin.as_str(), "null" | "*") && list.len() != 1 {
            return Err(wrong(format!("{origin} has to be alone")));
        }
    }
    Ok(if list.iter().any(|o| o == "%origin") {
        Origins::Echo
    } else if list.iter().any(|o| o == "*") {
        Origins::Any
    } else {
        Origins::List(list.into_iter().map(|o| o.into_bytes().into_boxed_slice()).collect())
    })
}

/// A list as it is sent; `None` where it is empty. `*` can only be alone.
fn list(field: &str, list: &[String]) -> Result<Option<Bytes>, RuleFault> {
    for element in list.iter().filter(|element| element.contains('*')) {
        if element != "*" {
            return Err(RuleFault::new(json_path![field], format!("{element} is not supported")));
        }
        if list.len() != 1 {
            return Err(RuleFault::new(json_path![field], "* has to be alone"));
        }
    }
    Ok((!list.is_empty()).then(|| Bytes::from(list.join(","))))
}

impl Conditional for CorsRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}
