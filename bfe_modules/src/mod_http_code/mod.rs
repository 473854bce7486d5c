//! # mod_http_code: responses by class
//!
//! **What it does.** Counts the responses that clients get, by the first digit of their status. Redirects by
//! mod_redirect and connections that modules close are not counted. It has no configuration file.
//!
//! **Monitor.** `/monitor/mod_http_code`, `/monitor/mod_http_code.diff`: `ALL2_X_X`, `ALL3_X_X`, `ALL4_X_X`,
//! `ALL5_X_X`.
//!
//! Realises modules-traffic 14.

use bfe_http::Response;
use bfe_module::{Callbacks, HandlerResult, InitError, Module, WebHandlers};
use mod_http_code_state as state;
use std::path::Path;

const NAME: &str = "mod_http_code";

bfe_http::counter_group! {
    /// `/monitor/mod_http_code`.
    pub mod_http_code_state "mod_http_code" {
        /// 2xx.
        ALL2_X_X,
        /// 3xx.
        ALL3_X_X,
        /// 4xx.
        ALL4_X_X,
        /// 5xx.
        ALL5_X_X,
    }
}

/// The module.
pub struct ModuleHttpCode;

impl Module for ModuleHttpCode {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        _conf_root: &Path,
    ) -> Result<(), InitError> {
        callbacks.add_request_finish_filter("mod_http_code.count", |_, response| {
            count(response);
            HandlerResult::GoOn
        });
        web_handlers.add_counters(NAME, "mod_http_code.diff", state::group())?;
        Ok(())
    }
}

fn count(response: Option<&Response>) {
    let counter = match response.map(|r| r.status / 100) {
        Some(2) => state::ALL2_X_X,
        Some(3) => state::ALL3_X_X,
        Some(4) => state::ALL4_X_X,
        Some(5) => state::ALL5_X_X,
        _ => return,
    };
    state::group().inc(counter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn httpcode_1_and_3_classes() {
        for status in [200, 299, 301, 404, 499, 500, 101, 600] {
            count(Some(&Response::new(status)));
        }
        count(None);
        let counted: Vec<_> = state::group().values().map(|(name, _, value)| (name, value)).collect();
        assert_eq!(counted, [("ALL2_X_X", 2), ("ALL3_X_X", 1), ("ALL4_X_X", 2), ("ALL5_X_X", 1)]);
    }
}
