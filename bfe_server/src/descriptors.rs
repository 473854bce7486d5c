//! File descriptors: how many there are, and how many of them clients may take.

use rlimit::Resource;

/// Held back for backends, logs and the monitor port: one in so many, but at least [`LEAST_RESERVE`].
const RESERVED_SHARE: u64 = 8;
/// The least that is held back.
const LEAST_RESERVE: u64 = 64;
/// Where the system does not tell its limit.
const UNKNOWN_LIMIT: u64 = 1024;

/// Raises the limit as far as the system lets us, and says how many client connections there may be at once.
/// Those beyond wait to be accepted.
pub(crate) fn max_client_connections() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX)
        .or_else(|_| Resource::NOFILE.get().map(|(soft, _)| soft))
        .unwrap_or(UNKNOWN_LIMIT);
    usize::try_from(share(limit)).unwrap_or(usize::MAX)
}

fn share(limit: u64) -> u64 {
    let reserve = (limit / RESERVED_SHARE).max(LEAST_RESERVE);
    // Even where there are hardly any, a few clients are served.
    limit.saturating_sub(reserve).max(limit / 4).max(1)
}

/// How many pipes for large bodies there may be, each of two descriptors, beside so many clients: they take from what
/// is held back.
pub(crate) fn max_pipes(clients: usize) -> usize {
    clients / 32
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn clients_never_get_all_descriptors() {
        for (limit, clients) in [(1_048_576, 917_504), (1024, 896), (256, 192), (64, 16), (1, 1)] {
            assert_eq!(share(limit), clients, "{limit}");
            let pipes = super::max_pipes(usize::try_from(clients).unwrap());
            assert!(2 * pipes as u64 <= (limit - clients) / 2, "{limit}: {pipes} pipes");
        }
    }
}
