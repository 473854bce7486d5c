//! `cluster_conf.data`: how to talk to the backends of each cluster, check them and share requests among
//! them (balance 2.3, config 8).

mod ai;
mod check;
mod https;
mod raw;
mod sections;
mod status;
mod table;

pub use ai::{AiConf, AiKey, AiKeyPolicy, ModelPrice, ModelTable};
pub use https::HttpsConf;
pub(crate) use https::unverified;
pub use sections::{
    BackendConf, BalanceMode, CheckConf, CheckScheme, ClusterBasic, FlushMode, GslbBasic, HashConf,
    HashHeader, HashStrategy, HostType, Protocol, RetryLevel,
};
pub use status::{OutlierCodes, StatusExpect, StatusMismatch, StatusRange};
pub use table::{ClusterConf, ClusterTable};
#[cfg(test)]
mod tests;
