//! The rule file: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition, required};
use crate::url_edit;
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use bytes::Bytes;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;

/// The largest page, in bytes.
const MAX_PAGE: u64 = 2 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawErrorsRule {
    cond: Option<String>,
    actions: Option<Vec<RawAction>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAction {
    cmd: Option<String>,
    #[serde(default)]
    params: Vec<String>,
}

/// What a client gets.
#[derive(Debug)]
pub(super) enum Answer {
    /// A page.
    Page { status: u16, content_type: Bytes, content: Bytes },
    /// A redirect.
    Redirect(Bytes),
}

/// A rule.
#[derive(Debug)]
pub(super) struct ErrorsRule {
    condition: Condition,
    pub(super) answer: Answer,
}

impl RawRule for RawErrorsRule {
    type Rule = ErrorsRule;

    fn check(self) -> Result<ErrorsRule, RuleFault> {
        let condition = condition(self.cond)?;
        let actions = required(self.actions, "Actions")?;
        let count = actions.len();
        let [action] = <[RawAction; 1]>::try_from(actions).map_err(|_| {
            RuleFault::new(json_path!["Actions"], format!("should contain 1 actions, not {count}"))
        })?;
        Ok(ErrorsRule { condition, answer: action.check()? })
    }

    fn index(rules: &[ErrorsRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("RuleList")
    }
}

impl Conditional for ErrorsRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl RawAction {
    fn check(self) -> Result<Answer, RuleFault> {
        let at = |field: &str, reason: String| RuleFault::new(json_path!["Actions", 0, field], reason);
        let count = self.params.len();
        let wrong_count = |want| at("Params", format!("params num should be {want} ({count})"));
        match self.cmd.as_deref() {
            None => Err(at("Cmd", "no Cmd".into())),
            Some("RETURN") => {
                let [status, content_type, file] =
                    <[String; 3]>::try_from(self.params).map_err(|_| wrong_count(3))?;
                let param =
                    |i: usize, reason: String| RuleFault::new(json_path!["Actions", 0, "Params", i], reason);
                let code = status
                    .parse()
                    .ok()
                    .filter(|code| bfe_http::status::reason(*code).is_some())
                    .ok_or_else(|| param(0, format!("invalid status code: {status}")))?;
                if !matches!(code / 100, 2 | 4 | 5) {
                    return Err(param(0, format!("status code should be 2XX/4XX/5XX: {status}")));
                }
                let content = read_page(&file).map_err(|e| param(2, format!("{file}: {e}")))?;
                Ok(Answer::Page { status: code, content_type: content_type.into(), content })
            }
            Some("REDIRECT") => {
                let [url] = <[String; 1]>::try_from(self.params).map_err(|_| wrong_count(1))?;
                if !url_edit::is_url(&url) {
                    return Err(at("Params", format!("invalid url: {url}")));
                }
                Ok(Answer::Redirect(url.into()))
            }
            Some(other) => Err(at("Cmd", format!("invalid command: {other}"))),
        }
    }
}

/// Reads a page: a file, or a device such as `/dev/null`. To open a pipe could take for ever.
fn read_page(path: &str) -> io::Result<Bytes> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::other("not a file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(MAX_PAGE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_PAGE {
        return Err(io::Error::other(format!("larger than {MAX_PAGE} bytes")));
    }
    Ok(content.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn errors_2_and_4_what_loads() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, size: usize| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![b'x'; size]).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (good, large) = (path("good", 2 << 20), path("large", (2 << 20) + 1));
        let dir = folder.path().to_str().unwrap();
        let page =
            |status: &str, file: &str| format!(r#"{{"Cmd":"RETURN","Params":["{status}","","{file}"]}}"#);
        let redirect = |url: &str| format!(r#"{{"Cmd":"REDIRECT","Params":["{url}"]}}"#);
        for (actions, want) in [
            (page("404", &good), ""),
            (redirect("/x?y"), ""),
            (page("301", &good), "should be 2XX/4XX/5XX"),
            (page("422", &good), "invalid status code"),
            (page("999", &good), "invalid status code"),
            (page("x", &good), "invalid status code"),
            (page("404", &large), "larger than"),
            (page("404", "/dev/null"), ""),
            (page("404", "/dev/zero"), "larger than"),
            (page("404", dir), "not a file"),
            (page("404", "/none/such"), "No such file"),
            (redirect("/%zz"), "invalid url"),
            (format!("{},{}", redirect("/"), redirect("/")), "should contain 1 actions"),
            (r#"{"Cmd":"return","Params":[]}"#.into(), "invalid command"),
            (r#"{"Cmd":"RETURN","Params":["404"]}"#.into(), "params num should be 3 (1)"),
            ("{}".into(), "no Cmd"),
        ] {
            let rules = format!(r#"[{{"Cond":"default_t()","Actions":[{actions}]}}]"#);
            let error = testing::check::<RawErrorsRule>(&rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
    }
}
