//! `compress_rule.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition, required};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawCompressRule {
    cond: Option<String>,
    action: Option<RawAction>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAction {
    cmd: Option<String>,
    quality: Option<i64>,
    flush_size: Option<i64>,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// gzip, at a level from 0 (not at all) to 9.
    Gzip(u32),
    /// brotli, at a quality from 0 to 11.
    Brotli(u32),
}

/// A rule.
#[derive(Debug)]
pub(super) struct CompressRule {
    condition: Condition,
    pub(super) method: Method,
    /// Bytes of the source after which what is compressed is passed on.
    pub(super) flush_size: usize,
}

impl RawRule for RawCompressRule {
    type Rule = CompressRule;

    fn check(self) -> Result<CompressRule, RuleFault> {
        let condition = condition(self.cond)?;
        let action = required(self.action, "Action")?;
        let at = |field: &str, reason: String| RuleFault::new(json_path!["Action", field], reason);
        let cmd = action.cmd.ok_or_else(|| at("Cmd", "no Cmd".into()))?;
        let between = |field: &str, value: Option<i64>, low: i64, high: i64| match value {
            Some(value) if (low..=high).contains(&value) => Ok(value),
            Some(value) => Err(at(field, format!("{field} should be [{low}, {high}], not {value}"))),
            None => Err(at(field, format!("no {field}, expected {low} to {high}"))),
        };
        let method = match cmd.as_str() {
            "GZIP" => Method::Gzip(match between("Quality", action.quality, -2, 9)? {
                // Huffman coding alone; the fastest level is what comes next to it.
                -2 => 1,
                // The default.
                -1 => 6,
                level => u32::try_from(level).unwrap_or_default(),
            }),
            "BROTLI" => {
                let quality = between("Quality", action.quality, 0, 11)?;
                Method::Brotli(u32::try_from(quality).unwrap_or_default())
            }
            other => return Err(at("Cmd", format!("invalid cmd: {other}, expected GZIP or BROTLI"))),
        };
        let flush_size = between("FlushSize", action.flush_size, 64, 4096)?;
        Ok(CompressRule { condition, method, flush_size: usize::try_from(flush_size).unwrap_or_default() })
    }

    fn index(rules: &[CompressRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("compressRuleList")
    }
}

impl Conditional for CompressRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn compress_5_what_loads() {
        for (cmd, quality, flush, want) in [
            ("GZIP", "-2", "64", ""),
            ("GZIP", "9", "4096", ""),
            ("BROTLI", "11", "64", ""),
            ("GZIP", "-3", "64", "Quality should be [-2, 9], not -3"),
            ("GZIP", "10", "64", "Quality should be [-2, 9], not 10"),
            ("BROTLI", "-1", "64", "Quality should be [0, 11], not -1"),
            ("BROTLI", "12", "64", "Quality should be [0, 11], not 12"),
            ("GZIP", "6", "63", "FlushSize should be [64, 4096], not 63"),
            ("GZIP", "6", "4097", "FlushSize should be [64, 4096], not 4097"),
            ("GZIP", "null", "64", "no Quality"),
            ("GZIP", "6", "null", "no FlushSize"),
            ("gzip", "6", "64", "invalid cmd: gzip"),
        ] {
            let rules = format!(
                r#"[{{"Cond":"default_t()","Action":{{"Cmd":"{cmd}","Quality":{quality},"FlushSize":{flush}}}}}]"#
            );
            let error = testing::check::<RawCompressRule>(&rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
    }
}
