//! # mod_tcp_keepalive: TCP keepalive by virtual address
//!
//! **What it does.** Every client connection has TCP keepalive with 15 seconds of idle time and interval. For
//! connections to certain virtual addresses this module sets other values, or switches it off. The virtual
//! address is known from the PROXY header of a layer-4 load balancer only; without one, no rule applies.
//!
//! **`mod_tcp_keepalive/mod_tcp_keepalive.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_tcp_keepalive/tcp_keepalive.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** They hold for connections to a vip of that product (`vip_rule.data`).
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "VipConf": ["10.1.1.1", "10.1.1.2"],
//!         "KeepAliveParam": {"KeepIdle": 70, "KeepIntvl": 15, "KeepCnt": 9}
//!       },
//!       {"VipConf": ["10.1.1.3"], "KeepAliveParam": {"Disable": true}}
//!     ]
//!   }
//! }
//! ```
//!
//! `KeepIdle` and `KeepIntvl` are seconds, `KeepCnt` is a number of probes; 0 leaves a value as it is.
//! `Disable` goes before the others. A vip stands once in a product.
//!
//! **Monitor.** `/monitor/mod_tcp_keepalive`, `/monitor/mod_tcp_keepalive.diff`: `CONN_TO_SET`, and for each
//! value how often it was set and how often that failed.
//!
//! **Reload.** `/reload/mod_tcp_keepalive`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 13.

mod rule;

use crate::module_conf;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::{KeepaliveChange, KeepaliveStep, Session};
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, WebHandlers};
use mod_tcp_keepalive_state as state;
use rule::RawKeepaliveRule;
use std::io;
use std::path::Path;

const NAME: &str = "mod_tcp_keepalive";

bfe_http::counter_group! {
    /// `/monitor/mod_tcp_keepalive`.
    pub mod_tcp_keepalive_state "mod_tcp_keepalive" {
        /// Connections with a rule.
        CONN_TO_SET,
        /// Idle times set.
        CONN_SET_KEEP_IDLE,
        /// Idle times that could not be set.
        CONN_SET_KEEP_IDLE_ERROR,
        /// Intervals set.
        CONN_SET_KEEP_INTVL,
        /// Intervals that could not be set.
        CONN_SET_KEEP_INTVL_ERROR,
        /// Counts set.
        CONN_SET_KEEP_CNT,
        /// Counts that could not be set.
        CONN_SET_KEEP_CNT_ERROR,
        /// Connections without keepalive.
        CONN_DISABLE_KEEP_ALIVE,
        /// Connections whose keepalive could not be switched off.
        CONN_DISABLE_KEEP_ALIVE_ERROR,
        /// Never moves: client connections are always TCP.
        CONN_CONVERT_TO_TCP_CONN_ERROR,
    }
}

/// The module.
pub struct ModuleTcpKeepalive;

impl Module for ModuleTcpKeepalive {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("DataPath", "mod_tcp_keepalive/tcp_keepalive.data");
        let rules =
            module_conf::rules::<RawKeepaliveRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        web_handlers.add_counters(NAME, "mod_tcp_keepalive.diff", state::group())?;
        callbacks.add_session_filter(Point::HandleAccept, "mod_tcp_keepalive.set", move |session| {
            accept(&rules, session);
            HandlerResult::GoOn
        })?;
        Ok(())
    }
}

fn accept(rules: &RuleFile<RawKeepaliveRule>, session: &Session) {
    let (Some(vip), Some(product)) = (session.vip, session.product.borrow().clone()) else { return };
    let table = rules.current();
    let rule = table.rules(&product).unwrap_or_default().all().iter().find(|rule| rule.is_for(vip));
    let Some(rule) = rule else { return };
    state::group().inc(state::CONN_TO_SET);
    session.keepalive.set(Some(KeepaliveChange {
        disable: rule.disable,
        idle: rule.idle,
        interval: rule.interval,
        count: rule.count,
        report,
    }));
}

fn report(step: KeepaliveStep, result: &io::Result<()>) {
    let (done, failed) = match step {
        KeepaliveStep::Disable => (state::CONN_DISABLE_KEEP_ALIVE, state::CONN_DISABLE_KEEP_ALIVE_ERROR),
        KeepaliveStep::Idle => (state::CONN_SET_KEEP_IDLE, state::CONN_SET_KEEP_IDLE_ERROR),
        KeepaliveStep::Interval => (state::CONN_SET_KEEP_INTVL, state::CONN_SET_KEEP_INTVL_ERROR),
        KeepaliveStep::Count => (state::CONN_SET_KEEP_CNT, state::CONN_SET_KEEP_CNT_ERROR),
    };
    state::group().inc(if result.is_ok() { done } else { failed });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use std::cell::RefCell;
    use std::time::Duration;

    #[test]
    fn keepalive_2_3_and_5_what_is_set() {
        let rules = testing::rules(
            r#"[
            {"VipConf":["10.1.1.1","::ffff:10.1.1.2"],"KeepAliveParam":{"KeepIdle":70,"KeepCnt":9}},
            {"VipConf":["2001:DB8::1"],"KeepAliveParam":{"Disable":true,"KeepIdle":7}}]"#,
        );
        for (vip, want) in [
            (Some("10.1.1.1"), Some((false, Some(70), Some(9)))),
            (Some("10.1.1.2"), Some((false, Some(70), Some(9)))),
            (Some("2001:db8::1"), Some((true, Some(7), None))),
            (Some("10.1.1.3"), None),
            (None, None),
        ] {
            let session = Session {
                vip: vip.map(|vip| vip.parse().unwrap()),
                product: RefCell::new(Some("p".into())),
                ..Session::default()
            };
            accept(&rules, &session);
            let change = session.keepalive.take().map(|c| (c.disable, c.idle, c.count));
            let want = want.map(|(d, i, c)| (d, i.map(Duration::from_secs), c));
            assert_eq!(change, want, "{vip:?}");
        }
    }
}
