//! Counters of the monitor page `bal_state` (balance 15).

bfe_http::counter_group! {
    /// `/monitor/bal_state`: failures of balancing.
    pub bal_state "proxy_state" {
        /// A sub-cluster had no backend to give.
        ERR_BK_NO_BACKEND,
        /// No sub-cluster could be chosen.
        ERR_BK_NO_SUB_CLUSTER,
        /// There was no other sub-cluster to retry in.
        ERR_BK_NO_SUB_CLUSTER_CROSS,
        /// All retries were used up.
        ERR_BK_RETRY_TOO_MANY,
        /// The black hole was chosen.
        ERR_GSLB_BLACKHOLE,
    }
}
