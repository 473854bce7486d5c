//! Limits, and where they stand: in Redis, by its clock (ai-gateway 10.4, 12.2).

use bfe_module::redis_service::{Fault, RedisService, Script};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// What all keys begin with.
const PREFIX: &str = "default_bfe";
/// How long the number of running requests is kept after its last change, in seconds.
const CONCURRENCY_TTL: i64 = 300;
/// How many seconds have a bucket of tokens of their own.
const BUCKET: i64 = 60;
/// How long the requests of a window are kept after it, in seconds.
const RPM_KEPT: i64 = 60;
/// How many windows the buckets are kept.
const TPM_KEPT: i64 = 4;

/// One more is running, unless that is too many. Arguments: how many may run, seconds to keep the number.
static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then return 0 end\n\
         redis.call('INCR', KEYS[1])\n\
         redis.call('EXPIRE', KEYS[1], ARGV[2])\n\
         return 1",
    )
});

/// One less is running. Argument: seconds to keep the number.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if tonumber(redis.call('GET', KEYS[1]) or 0) <= 0 then return 0 end\n\
         redis.call('DECR', KEYS[1])\n\
         redis.call('EXPIRE', KEYS[1], ARGV[1])\n\
         return 1",
    )
});

/// One more request in the window, unless that is too many. Arguments: seconds of the window, how many requests,
/// seconds to keep them.
static RPM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.replicate_commands then redis.replicate_commands() end\n\
         local time = redis.call('TIME')\n\
         local now = time[1] + time[2] / 1000000\n\
         redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - ARGV[1])\n\
         if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end\n\
         redis.call('ZADD', KEYS[1], now, tostring(now) .. ':' .. time[2])\n\
         redis.call('EXPIRE', KEYS[1], ARGV[3])\n\
         return 1",
    )
});

/// Whether the window, and the bucket of this minute, have no more tokens than the limit. Arguments: the limit,
/// seconds of the window, seconds of a bucket, seconds to keep the buckets. Gives the time too.
static TPM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.replicate_commands then redis.replicate_commands() end\n\
         local time = tonumber(redis.call('TIME')[1])\n\
         local limit, bucket = tonumber(ARGV[1]), time - time % ARGV[3]\n\
         local window, minute = 0, 0\n\
         local all = redis.call('HGETALL', KEYS[1])\n\
         for i = 1, #all, 2 do\n\
           local start, tokens = tonumber(all[i]), tonumber(all[i + 1])\n\
           if start and start <= time - ARGV[2] then\n\
             redis.call('HDEL', KEYS[1], all[i])\n\
           elseif start and tokens then\n\
             window = window + tokens\n\
             if start == bucket then minute = tokens end\n\
           end\n\
         end\n\
         local allowed = window <= limit and minute <= limit\n\
         if allowed then redis.call('HINCRBY', KEYS[1], bucket, 0) end\n\
         redis.call('EXPIRE', KEYS[1], ARGV[4])\n\
         return {time, allowed and 1 or 0}",
    )
});

/// More tokens in a bucket. Arguments: its start, the tokens.
static TPM_ADD: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])"));

/// Models that something is for; all where the list is empty.
pub(super) struct Models(pub(super) Vec<String>);

impl Models {
    /// Whether it is for that model: a request without one fits no list, not even `*`.
    pub(super) fn fit(&self, model: &[u8]) -> bool {
        let fits = |name: &String| name == "*" || name.as_bytes() == model;
        self.0.is_empty() || !model.is_empty() && self.0.iter().any(fits)
    }
}

/// What a limit has been asked since the start. It outlives reloads.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// How often it was looked at.
    pub(super) matched: AtomicU64,
    /// How often it refused.
    pub(super) hit: AtomicU64,
    /// Tokens used.
    pub(super) tokens: AtomicU64,
}

/// What a limit says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    TooMany,
}

/// What a limit says without asking: less than nothing is no limit.
fn at_once(limit: i64) -> Option<Verdict> {
    match limit {
        ..0 => Some(Verdict::Allowed),
        0 => Some(Verdict::TooMany),
        _ => None,
    }
}

fn verdict(answer: i64) -> Verdict {
    if answer == 1 { Verdict::Allowed } else { Verdict::TooMany }
}

/// A limit on tokens or requests in some minutes.
pub(super) struct Limiter {
    pub(super) name: String,
    pub(super) models: Models,
    pub(super) counts: Arc<Counts>,
    key: String,
    /// In seconds.
    window: i64,
    limit: i64,
}

impl Limiter {
    /// `rule` is its kind, `tpm` or `rpm`, and its name.
    pub(super) fn new(
        policy: &str,
        rule: (&str, String),
        window_minutes: i64,
        limit: i64,
        models: Models,
        counts: Arc<Counts>,
    ) -> Self {
        let (kind, name) = rule;
        let key = format!("{PREFIX}_{policy}_{kind}_{name}");
        Self { name, models, counts, key, window: window_minutes * 60, limit }
    }

    /// One more request, where this is a limit on them.
    pub(super) async fn check_request(&self, redis: &RedisService) -> Result<Verdict, Fault> {
        self.counts.matched.fetch_add(1, Relaxed);
        let verdict = match at_once(self.limit) {
            Some(verdict) => verdict,
            None => {
                let arguments = [self.window, self.limit, self.window + RPM_KEPT];
                verdict(redis.script(&RPM, self.key.as_bytes(), &arguments).await?)
            }
        };
        self.note(verdict);
        Ok(verdict)
    }

    /// One more request, where this is a limit on tokens; with the time that its tokens belong to.
    pub(super) async fn check_tokens(&self, redis: &RedisService) -> Result<(Verdict, i64), Fault> {
        self.counts.matched.fetch_add(1, Relaxed);
        let (verdict, time) = match at_once(self.limit) {
            Some(verdict) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                (verdict, i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
            }
            None => {
                let arguments = [self.limit, self.window, BUCKET, self.window * TPM_KEPT];
                let (time, answer): (i64, i64) = redis.script(&TPM, self.key.as_bytes(), &arguments).await?;
                (verdict(answer), time)
            }
        };
        self.note(verdict);
        Ok((verdict, time))
    }

    /// Tokens that a request of that time has used.
    pub(super) async fn add_tokens(&self, redis: &RedisService, time: i64, tokens: i64) -> Result<(), Fault> {
        if tokens > 0 && time > 0 {
            let arguments = [time - time % BUCKET, tokens];
            redis.script::<i64>(&TPM_ADD, self.key.as_bytes(), &arguments).await?;
        }
        Ok(())
    }

    fn note(&self, verdict: Verdict) {
        if verdict == Verdict::TooMany {
            self.counts.hit.fetch_add(1, Relaxed);
        }
    }
}

/// A limit on requests that run at once.
pub(super) struct Concurrency {
    pub(super) counts: Arc<Counts>,
    key: String,
    limit: i64,
}

impl Concurrency {
    pub(super) fn new(policy: &str, limit: i64, counts: Arc<Counts>) -> Self {
        Self { counts, key: format!("{PREFIX}_{policy}_con"), limit }
    }

    /// One more; what is allowed has to be [released](Self::release).
    pub(super) async fn acquire(&self, redis: &RedisService) -> Result<Verdict, Fault> {
        self.counts.matched.fetch_add(1, Relaxed);
        let verdict = match at_once(self.limit) {
            Some(verdict) => verdict,
            None => {
                verdict(redis.script(&ACQUIRE, self.key.as_bytes(), &[self.limit, CONCURRENCY_TTL]).await?)
            }
        };
        if verdict == Verdict::TooMany {
            self.counts.hit.fetch_add(1, Relaxed);
        }
        Ok(verdict)
    }

    /// One less.
    pub(super) async fn release(&self, redis: &RedisService) -> Result<(), Fault> {
        redis.script::<i64>(&RELEASE, self.key.as_bytes(), &[CONCURRENCY_TTL]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ail_10_models() {
        for (list, model, want) in [
            ("", "", true),
            ("", "a", true),
            ("a,b", "b", true),
            ("a,b", "c", false),
            ("*", "c", true),
            ("*", "", false),
            ("a*", "ab", false),
        ] {
            let models = Models(list.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect());
            assert_eq!(models.fit(model.as_bytes()), want, "{list} {model}");
        }
    }
}
