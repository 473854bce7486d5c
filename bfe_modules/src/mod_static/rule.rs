//! `static_rule.data`: one rule.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition, required};
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawStaticRule {
    cond: Option<String>,
    action: Option<RawAction>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAction {
    cmd: Option<String>,
    #[serde(default)]
    params: Vec<String>,
}

/// A folder whose files are served.
#[derive(Debug)]
pub(super) struct Site {
    /// The folder.
    pub(super) root: PathBuf,
    /// The file for what is not there, as a path in the folder; may be empty.
    pub(super) default: String,
}

/// A rule.
#[derive(Debug)]
pub(super) struct StaticRule {
    condition: Condition,
    pub(super) site: Arc<Site>,
}

impl RawRule for RawStaticRule {
    type Rule = StaticRule;

    fn check(self) -> Result<StaticRule, RuleFault> {
        let cond = self.cond.filter(|cond| !cond.is_empty());
        let condition = condition(cond)?;
        let action = required(self.action, "Action")?;
        let at = |field: &str, reason: String| RuleFault::new(json_path!["Action", field], reason);
        match action.cmd.as_deref() {
            None => return Err(at("Cmd", "no Cmd".into())),
            Some("BROWSE") => {}
            Some(other) => return Err(at("Cmd", format!("invalid cmd: {other}"))),
        }
        let [root, default] = <[String; 2]>::try_from(action.params).map_err(|params| {
            at("Params", format!("Params num of BROWSE should be 2, not {}", params.len()))
        })?;
        let exists = |path: &Path, what: &str| {
            std::fs::metadata(path)
                .map_err(|e| at("Params", format!("{what}[{}] error: {e}", path.display())))
        };
        exists(Path::new(&root), "Directory")?;
        if !default.is_empty() {
            exists(&Path::new(&root).join(default.trim_start_matches('/')), "Default File")?;
        }
        Ok(StaticRule { condition, site: Arc::new(Site { root: root.into(), default }) })
    }

    fn index(rules: &[StaticRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("RuleList")
    }
}

impl Conditional for StaticRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn static_9_what_loads() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "x").unwrap();
        let root = folder.path().to_str().unwrap();
        let rule = |cmd: &str, params: &str| {
            format!(r#"[{{"Cond":"default_t()","Action":{{"Cmd":"{cmd}","Params":[{params}]}}}}]"#)
        };
        for (rules, want) in [
            (rule("BROWSE", &format!(r#""{root}","""#)), ""),
            (rule("BROWSE", &format!(r#""{root}","index.html""#)), ""),
            (rule("BROWSE", &format!(r#""{root}/none","""#)), "Directory["),
            (rule("BROWSE", &format!(r#""{root}","none.html""#)), "Default File["),
            (rule("BROWSE", &format!(r#""{root}""#)), "should be 2, not 1"),
            (rule("browse", ""), "invalid cmd: browse"),
            (r#"[{"Cond":"","Action":{"Cmd":"BROWSE"}}]"#.into(), "no Cond"),
            (r#"[{"Cond":"default_t()"}]"#.into(), "no Action"),
        ] {
            let error = testing::check::<RawStaticRule>(&rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
    }
}
