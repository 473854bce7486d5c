//! # mod_key_log: the secrets of TLS connections, for debugging
//!
//! **What it does.** Writes the secrets of TLS connections to a file in the format of NSS key logs, with
//! which Wireshark and others read recorded traffic. Whoever has the file can do so too: only its owner may
//! read it, and rules say whose connections are in it.
//!
//! **`mod_key_log/mod_key_log.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Log.*` | – | where the file is, as for [mod_access](crate::mod_access) |
//! | `Basic.DataPath` | – | rules; relative to the working directory |
//!
//! **Rules.** Those of the product that the vip belongs to, else those of `global`. A product that is there
//! does not fall back to `global`, whether one of its rules matches or not.
//!
//! ```json
//! {"Version": "v1", "Config": {"global": [{"Cond": "ses_tls_client_auth()"}]}}
//! ```
//!
//! There is no request yet: of the primitives, only `default_t`, `req_cip_trusted`, `req_proto_secure` and
//! `ses_tls_client_auth` can be true.
//!
//! **Lines.** A connection by TLS 1.2 has one, `CLIENT_RANDOM RANDOM SECRET`; one by TLS 1.3 has one for each
//! of its secrets, from `CLIENT_HANDSHAKE_TRAFFIC_SECRET RANDOM SECRET` on. Random (the client's, which tells
//! the connection) and secret are hexadecimal.
//!
//! **Reload.** `/reload/mod_key_log`, also with `?path=FILE`; answers with the version.
//!
//! Realises modules-traffic 12.

use crate::module_conf;
use crate::rule_file::{RawRule, ReloadAnswer, RuleFault, RuleFile, condition};
use bfe_basic::Session;
use bfe_basic::condition::Condition;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use bfe_module::log_file::{self, LogFile, LogKeys, LogTarget};
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, WebHandlers};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "mod_key_log";
/// Product whose rules hold for products without rules.
const GLOBAL: &str = "global";

/// The module.
pub struct ModuleKeyLog;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawKeyLogRule {
    cond: Option<String>,
}

impl RawRule for RawKeyLogRule {
    type Rule = Condition;

    fn check(self) -> Result<Condition, RuleFault> {
        condition(self.cond)
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("KeyLogRules")
    }
}

impl Module for ModuleKeyLog {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let (target, data_path) = load_conf(conf_root)?;
        let rules = Arc::new(RuleFile::<RawKeyLogRule>::load(data_path)?);
        let file = LogFile::open_private(&target)?;
        log_file::register_metrics(web_handlers);
        rules.register_reload(web_handlers, NAME, ReloadAnswer::Version)?;
        callbacks.want_tls_secrets();
        callbacks.add_session_filter(Point::HandleHandshake, "mod_key_log.log_tls_key", move |session| {
            if let Some(lines) = lines(&rules, session) {
                file.write(lines.as_bytes());
            }
            HandlerResult::GoOn
        })?;
        Ok(())
    }
}

/// Reads `mod_key_log.conf`.
fn load_conf(conf_root: &Path) -> Result<(LogTarget, PathBuf), ConfErrors> {
    let (mut keys, mut path) = (LogKeys::default(), String::new());
    let ini = ini::read_file(
        &module_conf::file(conf_root, NAME),
        &mut [keys.section(), Section::new("Basic").string("DataPath", &mut path)],
    )?;
    let target = keys.check(&ini, Some(conf_root))?;
    if path.is_empty() {
        return Err(ini.error("Basic", "DataPath", "DataPath is empty").into());
    }
    Ok((target, path.into()))
}

/// What is to be written for a connection. Its secrets are gone then.
fn lines(rules: &RuleFile<RawKeyLogRule>, session: &Session) -> Option<String> {
    let mut tls = session.tls.borrow_mut();
    let tls = tls.as_mut()?;
    let secrets = std::mem::take(&mut tls.secrets);
    let random = tls.client_random;
    let wanted = {
        // Conditions look at the connection.
        let table = rules.current();
        let product = session.product.borrow();
        let of_product = table.rules(product.as_deref().unwrap_or_default());
        let rules = of_product.or_else(|| table.rules(GLOBAL)).unwrap_or_default();
        rules.all().iter().any(|rule| rule.matches_session(session))
    };
    if !wanted {
        return None;
    }
    let mut lines = String::new();
    for secret in &secrets {
        lines.push_str(&secret.label);
        for bytes in [random.as_slice(), &secret.secret] {
            lines.push(' ');
            for b in bytes {
                // Writing to memory cannot fail.
                let _ = write!(lines, "{b:02x}");
            }
        }
        lines.push('\n');
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_basic::{TlsSecret, TlsState};

    fn session(product: &str) -> Session {
        let secret = |label: &str, secret: u8| TlsSecret { label: label.into(), secret: vec![secret; 2] };
        let tls = TlsState {
            client_random: [0xab; 32],
            server_name: "example.org".into(),
            secrets: vec![secret("CLIENT_RANDOM", 1), secret("EXPORTER_SECRET", 0xef)],
            ..TlsState::default()
        };
        let session = Session { is_secure: true, ..Session::default() };
        *session.tls.borrow_mut() = Some(Box::new(tls));
        if !product.is_empty() {
            *session.product.borrow_mut() = Some(product.into());
        }
        session
    }

    #[test]
    fn keylog_2_and_3_whose_secrets_are_logged() {
        let rules = testing::load::<RawKeyLogRule>(
            r#"{"Version":"v1","Config":{
                "global":[{"Cond":"ses_tls_sni_in(\"example.org\")"},{"Cond":"default_t()"}],
                "p":[{"Cond":"!default_t()"}],"q":[{"Cond":"req_proto_secure()"}],"r":[]}}"#,
        )
        .unwrap();
        let random = "ab".repeat(32);
        let all = format!("CLIENT_RANDOM {random} 0101\nEXPORTER_SECRET {random} efef\n");
        for (product, want) in
            [("", Some(&all)), ("x", Some(&all)), ("p", None), ("q", Some(&all)), ("r", None)]
        {
            let session = session(product);
            assert_eq!(lines(&rules, &session).as_ref(), want, "{product:?}");
            assert_eq!(session.tls.borrow().as_ref().unwrap().secrets, [], "nobody else sees them");
        }
        assert_eq!(lines(&rules, &Session::default()), None, "KEYLOG-5");
        let sni = testing::load::<RawKeyLogRule>(
            r#"{"Version":"v1","Config":{"global":[{"Cond":"ses_tls_sni_in(\"example.org\")"}]}}"#,
        );
        assert_eq!(lines(&sni.unwrap(), &session("")), None, "there is no request to look at");
    }

    #[test]
    fn keylog_rules() {
        let load = |text: &str| testing::load::<RawKeyLogRule>(text).map(drop);
        assert_eq!(load(r#"{"Version":"","Config":{"p":[]}}"#), Ok(()));
        for text in [
            r#"{"Config":{}}"#,
            r#"{"Version":"1"}"#,
            r#"{"Version":"1","Config":{"p":null}}"#,
            r#"{"Version":"1","Config":{"p":[{}]}}"#,
            r#"{"Version":"1","Config":{"p":[{"Cond":""}]}}"#,
        ] {
            assert!(load(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keylog_1_and_4_configuration() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("mod_key_log")).unwrap();
        let rules = root.join("mod_key_log/key_log.data");
        std::fs::write(&rules, r#"{"Version":"v1","Config":{}}"#).unwrap();
        let init = |conf: &str| {
            std::fs::write(root.join("mod_key_log/mod_key_log.conf"), conf).unwrap();
            let mut callbacks = Callbacks::default();
            ModuleKeyLog
                .init(&mut callbacks, &mut WebHandlers::default(), root)
                .map(|()| callbacks.wants_tls_secrets())
                .map_err(|e| e.to_string())
        };
        let good = format!("[Log]\nLogFile = key.log\n[Basic]\nDataPath = {}", rules.display());
        assert_eq!(init(&good), Ok(true));
        for (conf, want) in [
            (good.replace("[Basic]", "OpenDebug = true\n[Basic]"), "OpenDebug"),
            (good.replace(rules.to_str().unwrap(), "mod_key_log/key_log.data"), "mod_key_log/key_log.data"),
            ("[Log]\nLogFile = key.log".into(), "DataPath is empty"),
        ] {
            let error = init(&conf).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }
}
