//! `waf_rule.data`: one rule, and the checks that it can name.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use bfe_http::Header;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawWafRule {
    cond: Option<String>,
    #[serde(default)]
    block_rules: Vec<String>,
    #[serde(default)]
    check_rules: Vec<String>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct WafRule {
    condition: Condition,
    /// Where one of these hits, the request ends.
    pub(super) block: Vec<Check>,
    /// Where one of these hits, it is counted.
    pub(super) check: Vec<Check>,
}

/// Something to look for in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// A function of the shell in a header field.
    BashCmd,
}

impl RawRule for RawWafRule {
    type Rule = WafRule;

    fn check(self) -> Result<WafRule, RuleFault> {
        if self.cond.as_ref().is_none_or(String::is_empty) {
            return Err(RuleFault::new(json_path!["Cond"], "empty cond"));
        }
        let condition = condition(self.cond)?;
        if self.block_rules.is_empty() && self.check_rules.is_empty() {
            return Err(RuleFault::new(json_path!["BlockRules"], "neither BlockRules nor CheckRules"));
        }
        let block = checks("BlockRules", &self.block_rules)?;
        Ok(WafRule { condition, block, check: checks("CheckRules", &self.check_rules)? })
    }

    fn index(rules: &[WafRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("rules")
    }
}

fn checks(field: &str, names: &[String]) -> Result<Vec<Check>, RuleFault> {
    let find = |(index, name): (usize, &String)| {
        Check::find(name)
            .ok_or_else(|| RuleFault::new(json_path![field, index], format!("unknow rule {name}")))
    };
    names.iter().enumerate().map(find).collect()
}

impl Conditional for WafRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl Check {
    fn find(name: &str) -> Option<Self> {
        (name == Self::BashCmd.name()).then_some(Self::BashCmd)
    }

    /// Its name, in files and in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BashCmd => "RuleBashCmd",
        }
    }

    /// Whether a request hits it.
    pub(super) fn hits(self, header: &Header) -> bool {
        match self {
            Self::BashCmd => header.iter().any(|(_, value)| is_bash_function(value)),
        }
    }
}

/// Whether a value begins with `(`, `)` and `{`, and has a `;` behind the first `}`, with blanks and tabs
/// wherever between them.
fn is_bash_function(value: &[u8]) -> bool {
    let after = |value: Option<&'_ [u8]>, wanted: u8| -> Option<usize> {
        let value = value?;
        let at = value.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
        (value.get(at) == Some(&wanted)).then_some(at + 1)
    };
    let mut from = 0;
    for wanted in *b"(){" {
        match after(value.get(from..), wanted) {
            Some(next) => from += next,
            None => return false,
        }
    }
    let rest = value.get(from..).unwrap_or_default();
    memchr::memchr(b'}', rest).is_some_and(|at| after(rest.get(at + 1..), b';').is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waf_1_hits_and_misses() {
        for (value, want) in [
            ("(){};", true),
            (" ( ) {xx} \t;", true),
            ("() { :; }; /bin/cat /etc/passwd", true),
            ("\t(\t)\t{\t}\t;\t", true),
            ("(){a};}", true),
            ("1(){};", false),
            ("(){}", false),
            ("(){}1;", false),
            ("(){a}b};", false),
            ("(){;", false),
            ("()", false),
            ("( x) {};", false),
            ("", false),
            (" ", false),
        ] {
            assert_eq!(is_bash_function(value.as_bytes()), want, "{value:?}");
        }
    }

    #[test]
    fn waf_2_every_value_of_every_field() {
        let mut header = Header::new();
        header.add("X-A", "1");
        assert!(!Check::BashCmd.hits(&header));
        header.add("X-A", "() {};");
        assert!(Check::BashCmd.hits(&header));
    }
}
