//! Requests through a balancer while it changes.

use super::tests::{balancer, get};
use super::*;
use crate::conf::cluster_table_conf::BackendDef;
use crate::gslb::BalanceError;
use proptest::collection::vec;
use proptest::prelude::*;

/// A reload: weights of two sub-clusters, number of backends in each.
type Reload = (i64, i64, usize, usize);

fn backends(sub: &str, count: usize) -> (String, Vec<BackendDef>) {
    let def = |n| BackendDef::new("b", &format!("{sub}{n}"), 80, 1);
    (sub.to_owned(), (0..count).map(def).collect())
}

fn reload(bal: &Balancer, (one, two, ones, twos): Reload) {
    bal.reload(&[("one".to_owned(), one), ("two".to_owned(), two)].into());
    bal.reload_backends(&[backends("one", ones), backends("two", twos)].into());
}

proptest! {
    /// Bookkeeping as the pipeline does it: the count of the last attempt falls when the next has chosen,
    /// or at the end (balance 8).
    #[test]
    fn bal_64_in_flight_sums_to_zero_at_rest(
        steps in vec((0u32..5, prop::option::of((1i64..9, -1i64..9, 0usize..4, 0usize..4))), 1..60),
    ) {
        let bal = balancer(&[]);
        let mut all: Vec<Arc<Backend>> = Vec::new();
        reload(&bal, (1, 0, 2, 2));
        for (failures, change) in steps {
            let mut req = get();
            let mut last: Option<Arc<Backend>> = None;
            let mut turns = 0;
            let end = loop {
                turns += 1;
                prop_assert!(turns <= 20, "no end of attempts");
                match bal.balance(&mut req) {
                    Ok(backend) => {
                        if let Some(last) = last.replace(Arc::clone(&backend)) {
                            last.dec_conn();
                        }
                        backend.inc_conn();
                        if req.retry_time >= failures {
                            break Ok(());
                        }
                        if !all.iter().any(|known| Arc::ptr_eq(known, &backend)) {
                            all.push(backend);
                        }
                    }
                    Err(BalanceError::CrossRetryBalance) => {}
                    Err(error) => break Err(error),
                }
                req.retry_time += 1;
                if let Some(change) = change {
                    reload(&bal, change);
                }
            };
            prop_assert!(end.is_ok() || req.error_code.is_some() || end == Err(BalanceError::RetryTooMany));
            if let Some(last) = last {
                last.dec_conn();
                all.push(last);
            }
        }
        prop_assert!(all.iter().all(|backend| backend.conn_num() == 0));
    }
}
