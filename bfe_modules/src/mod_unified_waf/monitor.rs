//! What the monitor port shows.

use bfe_module::delay::Delay;
use bfe_module::states::States;
use bfe_module::web::DuplicateHandler;
use bfe_module::{InitError, WebHandlers};
use std::sync::Arc;

/// Requests that were not looked at.
pub(super) const NO_CHECK: &str = "NoCheck";
/// Requests that may not pass.
pub(super) const FORBIDDEN: &str = "Forbidden";
/// Requests that passed because the firewall said so.
pub(super) const PASS: &str = "WaitResponse.Pass.Ok";
/// Requests that passed because it did not answer in time.
pub(super) const TIMED_OUT: &str = "WaitResponse.Pass.Timeout";
/// Requests that passed because it answered nothing of use.
pub(super) const OTHER: &str = "WaitResponse.Pass.Other";
/// Connections that could not be made.
pub(super) const NET_ERROR: &str = "Net.Error";

/// Length of the windows of delays, in seconds, and their buckets of a millisecond.
const INTERVAL: u64 = 20;
const BUCKETS: usize = 20;

bfe_http::counter_group! {
    /// `/monitor/mod_unified_waf.mstate`, in which there is nothing.
    pub mod_unified_waf_state "mod_unified_waf" {}
}

/// Counters, states and delays of the module.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) states: Arc<States>,
    /// From the start of a question to its answer, or to giving up.
    pub(super) detect: Arc<Delay>,
    /// Reading the start of a body.
    pub(super) peek_body: Arc<Delay>,
    /// Waiting for a turn.
    pub(super) competition: Arc<Delay>,
}

impl Monitor {
    pub(super) fn new() -> Self {
        let states = States::new("waf_client", "waf_client_diff");
        for name in [NO_CHECK, FORBIDDEN, PASS, TIMED_OUT, OTHER, NET_ERROR] {
            states.add(name, 0);
        }
        let delay = |prefix| Arc::new(Delay::new(prefix, INTERVAL, 1, BUCKETS));
        Self {
            states: Arc::new(states),
            detect: delay("waf_client_delay"),
            peek_body: delay("waf_client_delay_peek_body"),
            competition: delay("waf_client_delay_call_competition"),
        }
    }

    /// Counts something, and the same for the instance at `addr`.
    pub(super) fn count(&self, name: &str, of_instance: &str, addr: &str) {
        self.states.add(name, 1);
        self.count_of(of_instance, addr);
    }

    /// Counts something of the instance at `addr`.
    pub(super) fn count_of(&self, of_instance: &str, addr: &str) {
        self.states.add(&format!("waf_client_{of_instance}_{addr}"), 1);
    }

    /// Registers the pages.
    pub(super) fn register(&self, web: &mut WebHandlers) -> Result<(), InitError> {
        self.add_pages(web).map_err(InitError::from)
    }

    fn add_pages(&self, web: &mut WebHandlers) -> Result<(), DuplicateHandler> {
        web.add_states(super::NAME, "mod_unified_waf.diff", Arc::clone(&self.states))?;
        for (page, delay) in [
            ("mod_unified_waf.delay", &self.detect),
            ("mod_unified_waf.delay_peek_body", &self.peek_body),
            ("mod_unified_waf.delay_call_competition", &self.competition),
        ] {
            web.add_delay(page, Arc::clone(delay))?;
        }
        let nothing = bfe_module::metrics::Metrics::new(mod_unified_waf_state::group());
        web.add_monitor("mod_unified_waf.mstate", move |query| nothing.total(query.get("format")))
    }
}
