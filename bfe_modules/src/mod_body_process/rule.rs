//! The rule file: one rule.

use super::text_filter::{Mode, TextFilter};
use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawProcessRule {
    cond: Option<String>,
    request_process: Option<RawProcess>,
    response_process: Option<RawProcess>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawProcess {
    dec: String,
    enc: String,
    #[serde(rename = "Proc")]
    steps: Vec<RawStep>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawStep {
    name: String,
    params: Vec<String>,
}

/// How a body is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As its type says.
    ByType,
    Line,
    Json,
    Sse,
}

/// What is done to a body.
pub(super) struct Process {
    pub(super) form: Form,
    pub(super) filters: Vec<Arc<TextFilter>>,
}

/// A rule.
pub(super) struct ProcessRule {
    condition: Condition,
    pub(super) request: Option<Process>,
    pub(super) response: Option<Arc<Process>>,
}

impl RawRule for RawProcessRule {
    type Rule = ProcessRule;

    fn check(self) -> Result<ProcessRule, RuleFault> {
        let condition = condition(self.cond)?;
        let process =
            |raw: Option<RawProcess>, field, mode| raw.map(|raw| raw.check(field, mode)).transpose();
        let request = process(self.request_process, "RequestProcess", Mode::Filter)?;
        let response = process(self.response_process, "ResponseProcess", Mode::Replace)?;
        Ok(ProcessRule { condition, request, response: response.map(Arc::new) })
    }

    fn index(rules: &[ProcessRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("processRuleList")
    }
}

impl RawProcess {
    fn check(self, field: &str, mode: Mode) -> Result<Process, RuleFault> {
        let form = |key: &str, text: &str| match text {
            "" => Ok(Form::ByType),
            "line" => Ok(Form::Line),
            "json" => Ok(Form::Json),
            "sse" => Ok(Form::Sse),
            other => {
                let reason = format!("invalid {key}: {other:?}, expected line, json or sse, or nothing");
                Err(RuleFault::new(json_path![field, key], reason))
            }
        };
        let decode = form("Dec", &self.dec)?;
        form("Enc", &self.enc)?;
        let mut filters = Vec::new();
        for (at, step) in self.steps.into_iter().enumerate() {
            let wrong =
                |key: &str, reason: String| RuleFault::new(json_path![field, "Proc", at, key], reason);
            if step.name != "textfilter" {
                return Err(wrong(
                    "Name",
                    format!("invalid Proc name: {:?}, expected textfilter", step.name),
                ));
            }
            let [url] = step.params.as_slice() else {
                let reason = "invalid Proc params, textfilter needs 1, the URL of the service";
                return Err(wrong("Params", format!("{reason}; there are {}", step.params.len())));
            };
            filters.push(Arc::new(TextFilter::new(url, mode)));
        }
        // A request is no event stream, whatever the rule says.
        let decode = if mode == Mode::Filter && decode == Form::Sse { Form::ByType } else { decode };
        Ok(Process { form: decode, filters })
    }
}

impl Conditional for ProcessRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn aib_1_what_loads() {
        for (fields, want) in [
            ("", ""),
            (r#","RequestProcess":null,"ResponseProcess":{"Proc":null}"#, ""),
            (
                r#","responseprocess":{"dec":"sse","Enc":"json","proc":[{"name":"textfilter","params":["http://a/"]}]}"#,
                "",
            ),
            (
                r#","RequestProcess":{"Dec":"sse","Enc":"line","Proc":[{"Name":"textfilter","Params":[""]}]}"#,
                "",
            ),
            (r#","RequestProcess":{"Dec":"SSE"}"#, "RequestProcess.Dec: invalid Dec"),
            (r#","ResponseProcess":{"Enc":"xml"}"#, "ResponseProcess.Enc: invalid Enc"),
            (
                r#","ResponseProcess":{"Proc":[{"Name":"other","Params":["x"]}]}"#,
                "ResponseProcess.Proc[0].Name: invalid Proc name",
            ),
            (r#","ResponseProcess":{"Proc":[{"Name":"textfilter"}]}"#, "invalid Proc params"),
            (r#","ResponseProcess":{"Proc":[{"Name":"textfilter","Params":["a","b"]}]}"#, "there are 2"),
        ] {
            let rules = format!(r#"[{{"Cond":"default_t()"{fields}}}]"#);
            let error = testing::check::<RawProcessRule>(&rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
        assert!(testing::check::<RawProcessRule>("null").unwrap_err().contains("no processRuleList"));
        assert!(testing::check::<RawProcessRule>("[{}]").unwrap_err().contains("no Cond"));
        assert!(testing::load::<RawProcessRule>(r#"{"Version":"","Config":{"p":[]}} x"#).is_ok());
        assert!(testing::load::<RawProcessRule>(r#"{"Config":{}}"#).is_err());
        assert!(testing::load::<RawProcessRule>(r#"{"Version":""}"#).is_err());
    }
}
