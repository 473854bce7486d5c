//! Backends that a picker of endpoints chooses (balance 13).

use super::Balancer;
use crate::backend::Backend;
use crate::conf::cluster_conf::{BalanceMode, GslbBasic};
use crate::counters::bal_state;
use crate::epp::Picker;
use bfe_basic::Request;
use std::sync::Arc;

/// Sub-cluster of backends that a picker names and no file knows.
const TEMPORARY: &str = "EPP_temp";

impl Balancer {
    /// Makes the picker that `cluster_conf` asks for; each time anew, so that a reload connects anew.
    pub(super) fn set_picker(&self, settings: &GslbBasic) {
        let wanted = settings.epp_addr.first().filter(|_| settings.mode == BalanceMode::Epp);
        let picker = wanted.and_then(|addr| match Picker::new(addr) {
            Ok(picker) => Some(Arc::new(picker)),
            Err(reason) => {
                log::error!("cluster {}: no endpoint picker: {reason}", self.name);
                None
            }
        });
        self.picker.store(picker);
    }

    /// The picker to ask for the next attempt of a request, which then falls back to [`Balancer::balance`] where the
    /// picker has nothing to say. `None` where there is none, or where the retries of the cluster are used up.
    #[must_use]
    pub fn picker(&self, req: &Request) -> Option<Arc<Picker>> {
        let picker = self.picker.load_full()?;
        if i64::from(req.retry_time) > self.settings.load().retry_max {
            self.counters.inc(bal_state::ERR_BK_RETRY_TOO_MANY);
            return None;
        }
        Some(picker)
    }

    /// The backend at the endpoint that the picker named, whichever sub-cluster it is in. One that is not known or
    /// not available is made for this request, and its health is nobody's business. Sets the request's sub-cluster.
    pub fn picked(&self, req: &mut Request, endpoint: &str) -> Arc<Backend> {
        let known = self.lock().list.iter().find_map(|sub| sub.backends.find(endpoint));
        let backend = known.unwrap_or_else(|| {
            log::info!("cluster {}: endpoint {endpoint} is none of its backends", self.name);
            Arc::new(Backend::temporary(endpoint, TEMPORARY, Arc::clone(&self.env)))
        });
        req.backend.sub_cluster = (&backend.sub_cluster).into();
        backend
    }
}
