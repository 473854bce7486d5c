//! `tcp_keepalive.data`: one rule.

use crate::rule_file::{RawRule, RuleFault, Version};
use bfe_basic::json_path;
use serde::Deserialize;
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawKeepaliveRule {
    #[serde(default)]
    vip_conf: Vec<String>,
    #[serde(default)]
    keep_alive_param: RawParam,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawParam {
    #[serde(default)]
    disable: bool,
    #[serde(default)]
    keep_idle: i64,
    #[serde(default)]
    keep_intvl: i64,
    #[serde(default)]
    keep_cnt: i64,
}

/// A rule.
#[derive(Debug)]
pub(super) struct KeepaliveRule {
    vips: Vec<IpAddr>,
    pub(super) disable: bool,
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
}

impl KeepaliveRule {
    /// Whether the rule names the vip.
    pub(super) fn is_for(&self, vip: IpAddr) -> bool {
        self.vips.contains(&vip)
    }
}

impl RawRule for RawKeepaliveRule {
    const VERSION: Version = Version::NotEmpty;
    const NEEDS_CONFIG: bool = false;
    const NEEDS_PRODUCT_NAME: bool = true;
    type Rule = KeepaliveRule;

    fn check(self) -> Result<KeepaliveRule, RuleFault> {
        let mut vips = Vec::with_capacity(self.vip_conf.len());
        for (index, text) in self.vip_conf.iter().enumerate() {
            let vip = text.parse::<IpAddr>().map_err(|_| {
                RuleFault::new(json_path!["VipConf", index], format!("invalid address {text:?}"))
            })?;
            vips.push(vip.to_canonical());
        }
        let param = self.keep_alive_param;
        let value = |field: &str, value: i64| match u32::try_from(value) {
            Ok(value) => Ok(Some(value).filter(|v| *v > 0)),
            Err(_) => {
                let reason = format!("invalid keepalive param: {value}, expected 0 to {}", u32::MAX);
                Err(RuleFault::new(json_path!["KeepAliveParam", field], reason))
            }
        };
        let seconds = |v: Option<u32>| v.map(|v| Duration::from_secs(v.into()));
        Ok(KeepaliveRule {
            vips,
            disable: param.disable,
            idle: seconds(value("KeepIdle", param.keep_idle)?),
            interval: seconds(value("KeepIntvl", param.keep_intvl)?),
            count: value("KeepCnt", param.keep_cnt)?,
        })
    }

    fn check_product(rules: &[KeepaliveRule]) -> Result<(), (usize, RuleFault)> {
        let mut seen = HashSet::new();
        for (index, rule) in rules.iter().enumerate() {
            for (at, vip) in rule.vips.iter().enumerate() {
                if !seen.insert(vip) {
                    return Err((
                        index,
                        RuleFault::new(json_path!["VipConf", at], format!("duplicated ip[{vip}]")),
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn keepalive_1_and_6_what_loads() {
        for (rules, want) in [
            (r#"[{"VipConf":["1.1.1.1","::1"],"KeepAliveParam":{"KeepIdle":0,"KeepIntvl":1}}]"#, ""),
            ("null", ""),
            ("[null]", ""),
            ("[{}]", ""),
            (r#"[{"VipConf":["1.1.1.1"]},{"VipConf":["::ffff:1.1.1.1"]}]"#, "duplicated ip[1.1.1.1]"),
            (r#"[{"VipConf":["1.1.1"]}]"#, "invalid address"),
            (r#"[{"KeepAliveParam":{"KeepCnt":-1}}]"#, "invalid keepalive param: -1"),
        ] {
            let error = testing::check::<RawKeepaliveRule>(rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
        let two = r#"{"Version":"1","Config":{"p":[{"VipConf":["1.1.1.1"]}],"q":[{"VipConf":["1.1.1.1"]}]}}"#;
        assert!(testing::load::<RawKeepaliveRule>(two).is_ok());
        assert!(testing::load::<RawKeepaliveRule>(r#"{"Version":"1"}"#).is_ok());
        assert!(testing::load::<RawKeepaliveRule>(r#"{"Version":""}"#).is_err());
    }
}
