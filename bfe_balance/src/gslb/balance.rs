//! One pick for one attempt of a request (balance 7).

use super::{Balancer, SubClusters};
use crate::backend::Backend;
use crate::conf::cluster_conf::{BalanceMode, GslbBasic};
use crate::counters::bal_state;
use crate::hash_key::hash_of;
use crate::slb::{Algorithm, PickError};
use bfe_basic::{ErrorCode, Request, SESSION_STICKY_BACKEND_KEY, StickyBackend};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Why there is no backend for a request. Shown as in access logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BalanceError {
    /// All retries are used up. The request keeps the error of its last attempt.
    #[error("BK_RETRY_TOOMANY")]
    RetryTooMany,
    /// The cluster has no sub-cluster to send to.
    #[error("BK_NO_SUB_CLUSTER")]
    NoSubCluster,
    /// The black hole was chosen.
    #[error("GSLB_BLACKHOLE")]
    Blackhole,
    /// The home sub-cluster has no backend to give, and cross retry is off.
    #[error("BK_NO_BACKEND")]
    NoBackend,
    /// There is no other sub-cluster to retry in.
    #[error("BK_NO_SUB_CLUSTER_CROSS")]
    NoSubClusterCross,
    /// The other sub-cluster has no backend to give, either: the caller adds 1 to `retry_time` and asks again.
    #[error("BK_CROSS_RETRY_BALANCE")]
    CrossRetryBalance,
}

/// A sub-cluster that was chosen, and what it gave.
struct Choice {
    sub: Arc<str>,
    picked: Result<Arc<Backend>, PickError>,
}

/// What came of one look at the sub-clusters.
enum Outcome {
    /// mod_session_sticky's backend, which can be used.
    Sticky(Arc<Backend>),
    NoSubCluster,
    Blackhole(Arc<str>),
    Chosen {
        sub: Arc<str>,
        /// `None` where the retries of the home sub-cluster are used up.
        home: Option<Result<Arc<Backend>, PickError>>,
        /// Where home gave nothing and cross retry is on.
        cross: Option<Option<Choice>>,
    },
}

impl Balancer {
    /// Chooses the backend for the next attempt of a request.
    ///
    /// Sets the request's sub-cluster, and where there is none its error; raises `retry_time` where the home
    /// sub-cluster has nobody. The caller counts failed attempts in `retry_time`, and connections on the
    /// backend.
    ///
    /// # Errors
    /// When there is no backend; which errors end the request is told at each of them.
    pub fn balance(&self, req: &mut Request) -> Result<Arc<Backend>, BalanceError> {
        let settings = self.settings.load();
        if i64::from(req.retry_time) > settings.retry_max.saturating_add(settings.cross_retry) {
            self.counters.inc(bal_state::ERR_BK_RETRY_TOO_MANY);
            return Err(BalanceError::RetryTooMany);
        }
        match self.look(req, &settings) {
            Outcome::Sticky(backend) => {
                req.backend.sub_cluster = (&backend.sub_cluster).into();
                Ok(backend)
            }
            Outcome::NoSubCluster => {
                self.counters.inc(bal_state::ERR_BK_NO_SUB_CLUSTER);
                req.error_code = Some(ErrorCode::BK_NO_SUB_CLUSTER);
                Err(BalanceError::NoSubCluster)
            }
            Outcome::Blackhole(sub) => {
                req.backend.sub_cluster = sub.into();
                self.counters.inc(bal_state::ERR_GSLB_BLACKHOLE);
                req.error_code = Some(ErrorCode::GSLB_BLACKHOLE);
                Err(BalanceError::Blackhole)
            }
            Outcome::Chosen { sub, home, cross } => {
                req.backend.sub_cluster = sub.into();
                match home {
                    Some(Ok(backend)) => return Ok(backend),
                    Some(Err(error)) => {
                        self.note_no_backend(req, "in cluster", &error);
                        req.retry_time = u32::try_from(settings.retry_max).unwrap_or(u32::MAX);
                    }
                    None => {}
                }
                self.conclude_cross(req, cross)
            }
        }
    }

    fn conclude_cross(
        &self,
        req: &mut Request,
        cross: Option<Option<Choice>>,
    ) -> Result<Arc<Backend>, BalanceError> {
        let Some(choice) = cross else {
            req.error_code = Some(ErrorCode::BK_NO_BACKEND);
            return Err(BalanceError::NoBackend);
        };
        req.stat.is_cross_cluster = true;
        let Some(choice) = choice else {
            self.counters.inc(bal_state::ERR_BK_NO_SUB_CLUSTER_CROSS);
            req.error_code = Some(ErrorCode::BK_NO_SUB_CLUSTER_CROSS);
            return Err(BalanceError::NoSubClusterCross);
        };
        req.backend.sub_cluster = choice.sub.into();
        choice.picked.map_err(|error| {
            req.error_code = Some(ErrorCode::BK_NO_BACKEND);
            self.note_no_backend(req, "cross cluster", &error);
            BalanceError::CrossRetryBalance
        })
    }

    /// All that happens under the lock.
    fn look(&self, req: &Request, settings: &GslbBasic) -> Outcome {
        let hash = LazyHash { req, settings, value: Cell::new(None) };
        if self.hashes.load(Ordering::Relaxed) {
            hash.get();
        }
        let mut subs = self.lock();
        if let Some(backend) = sticky_backend(req, &subs) {
            return Outcome::Sticky(backend);
        }
        let Some(home) = subs.home(|| hash.get()) else { return Outcome::NoSubCluster };
        let Some(sub) = subs.list.get_mut(home) else { return Outcome::NoSubCluster };
        let name = Arc::clone(&sub.name);
        if sub.blackhole {
            return Outcome::Blackhole(name);
        }
        let algorithm = match settings.mode {
            _ if settings.hash.session_sticky => Algorithm::Sticky,
            BalanceMode::Wlc => Algorithm::LeastConns,
            BalanceMode::Wrr | BalanceMode::Epp => Algorithm::Smooth,
        };
        let mut picked = None;
        if i64::from(req.retry_time) <= settings.retry_max {
            let pick = sub.backends.pick(algorithm, || hash.get(), Instant::now);
            if pick.is_ok() {
                return Outcome::Chosen { sub: name, home: Some(pick), cross: None };
            }
            picked = Some(pick);
        }
        let cross = (settings.cross_retry > 0).then(|| {
            let other = subs.other(home)?;
            let sub = subs.list.get_mut(other)?;
            let picked = sub.backends.pick(algorithm, || hash.get(), Instant::now);
            Some(Choice { sub: Arc::clone(&sub.name), picked })
        });
        Outcome::Chosen { sub: name, home: picked, cross }
    }

    fn note_no_backend(&self, req: &mut Request, place: &str, error: &PickError) {
        self.counters.inc(bal_state::ERR_BK_NO_BACKEND);
        let sub = &req.backend.sub_cluster;
        req.error_msg = format!("cluster[{}], sub[{sub}], err[{error}]", self.name);
        log::info!("gslb.Balance():no backend({place}):{}", req.error_msg);
    }
}

/// The backend that mod_session_sticky asks for, where it can be used.
fn sticky_backend(req: &Request, subs: &SubClusters) -> Option<Arc<Backend>> {
    let wanted = req.context.any::<StickyBackend>(SESSION_STICKY_BACKEND_KEY)?;
    let sub = subs.list.iter().find(|sub| *sub.name == *wanted.sub_cluster && sub.weight > 0)?;
    sub.backends.find(&wanted.addr_info)
}

/// The hash of a request, made when it is first asked for and the same for the rest of a pick.
struct LazyHash<'r> {
    req: &'r Request,
    settings: &'r GslbBasic,
    value: Cell<Option<u64>>,
}

impl LazyHash<'_> {
    fn get(&self) -> u64 {
        self.value.get().unwrap_or_else(|| {
            let hash = hash_of(self.req, &self.settings.hash);
            self.value.set(Some(hash));
            hash
        })
    }
}
