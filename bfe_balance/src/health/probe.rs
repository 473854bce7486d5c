//! One check of a backend.

use super::{http, target, tls};
use crate::backend::Backend;
use crate::conf::cluster_conf::{CheckScheme, ClusterConf, StatusMismatch};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

/// What stands in for "no limit".
const LONGEST: Duration = Duration::from_secs(60);
/// Limit of an `https` or `tls` check where the file gives none.
const TLS_DEFAULT: Duration = Duration::from_secs(30);
/// Limit on handshake and exchange of an `https` or `tls` check, whatever the file gives.
const TLS_EXCHANGE: Duration = Duration::from_secs(3);

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// It took too long.
    #[error("no result within {0:?}")]
    Timeout(Duration),
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The request cannot be sent as configured.
    #[error("cannot ask for {0:?}")]
    Request(String),
    /// There is no name by which the certificate could be verified.
    #[error("{0:?} is no host name for TLS")]
    Name(String),
    /// The answer is not HTTP.
    #[error("malformed answer {0:?}")]
    Malformed(String),
    /// The status is not the expected one.
    #[error(transparent)]
    Status(#[from] StatusMismatch),
    /// The status is none of the expected ones.
    #[error("not match: statusCode={0}")]
    StatusRange(u16),
}

/// Checks a backend once.
pub(super) async fn check(backend: &Backend, conf: &ClusterConf) -> Result<(), CheckError> {
    let check = &conf.check;
    let target = target::address(backend, check);
    match check.scheme {
        CheckScheme::Tcp => {
            within(limit(check.timeout_ms, LONGEST), target::connect(&target)).await.map(drop)
        }
        CheckScheme::Http => {
            // Go takes a negative limit for none here, and only here.
            let limit = limit(check.timeout_ms.filter(|ms| *ms > 0), LONGEST);
            Ok(check.status.matches(within(limit, http::get(&target, check)).await?)?)
        }
        CheckScheme::Https | CheckScheme::Tls => {
            let limit = limit(check.timeout_ms, TLS_DEFAULT);
            let stream = within(limit, target::connect(&target)).await?;
            let exchange = tls::exchange(stream, target::host_name(&target, check), conf);
            within(limit.min(TLS_EXCHANGE), exchange).await
        }
    }
}

/// A limit of the file: none gives `absent`, 0 the longest, negative expires at once.
fn limit(ms: Option<i64>, absent: Duration) -> Duration {
    match ms {
        None => absent,
        Some(0) => LONGEST,
        Some(ms) => u64::try_from(ms).map_or(Duration::ZERO, Duration::from_millis).min(LONGEST),
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, CheckError>>,
) -> Result<T, CheckError> {
    if limit.is_zero() {
        return Err(CheckError::Timeout(limit));
    }
    timeout(limit, work).await.map_err(|_| CheckError::Timeout(limit))?
}
