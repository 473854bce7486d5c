//! What is left of a plan, in Redis (ai-gateway 12.3).

use super::table::{Plan, Unit};
use bfe_module::redis_service::{Fault, RedisService, Script};
use std::sync::LazyLock;

/// Takes as much of an amount as there is; a missing key stays missing.
static DEDUCT_TOKENS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local left = tonumber(redis.call('GET', KEYS[1]) or 0)\n\
         local part = math.max(0, math.min(left, tonumber(ARGV[1])))\n\
         if part > 0 then redis.call('DECRBY', KEYS[1], part) end\n\
         return math.max(0, left - part)",
    )
});

/// The same; a missing key starts with what the plan says.
static DEDUCT_RMB: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('SETNX', KEYS[1], ARGV[2])\n\
         local left = tonumber(redis.call('GET', KEYS[1]))\n\
         local part = math.max(0, math.min(left, tonumber(ARGV[1])))\n\
         if part > 0 then redis.call('DECRBY', KEYS[1], part) end\n\
         return math.max(0, left - part)",
    )
});

/// Why what is left cannot be told: in the words of the original, as clients see them.
pub(super) type Reason = String;

/// What is left of a plan.
pub(super) async fn balance(redis: &RedisService, plan: &Plan) -> Result<i64, Reason> {
    if plan.redis_key.is_empty() {
        return Err("RedisKey is empty".into());
    }
    let value = redis.get(plan.redis_key.as_bytes()).await.map_err(|fault| reason(&fault))?;
    number(&value.ok_or("redigo: nil returned")?)
}

/// Takes from a plan as much of an amount as is left.
pub(super) async fn deduct(redis: &RedisService, plan: &Plan, amount: i64) -> Result<(), Reason> {
    if plan.redis_key.is_empty() {
        return Err("RedisKey is empty".into());
    }
    let key = plan.redis_key.as_bytes();
    let left = match plan.unit {
        Unit::Tokens => redis.script::<i64>(&DEDUCT_TOKENS, key, &[amount]).await,
        Unit::Rmb => redis.script::<i64>(&DEDUCT_RMB, key, &[amount, plan.quota]).await,
    };
    left.map(drop).map_err(|fault| reason(&fault))
}

fn reason(fault: &Fault) -> Reason {
    match fault {
        Fault::NoInstance(_) => "no available connnection in pool".into(),
        fault => fault.to_string(),
    }
}

fn number(value: &[u8]) -> Result<i64, Reason> {
    let text = String::from_utf8_lossy(value);
    text.parse().map_err(|_| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let why = if is_number { "value out of range" } else { "invalid syntax" };
        format!("strconv.ParseInt: parsing {text:?}: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn ait_3_numbers_that_are_none() {
        assert_eq!(number(b"-5"), Ok(-5));
        for (text, why) in [
            ("abc", "invalid syntax"),
            ("", "invalid syntax"),
            ("1.5", "invalid syntax"),
            ("9223372036854775808", "value out of range"),
        ] {
            assert_eq!(number(text.as_bytes()), Err(format!("strconv.ParseInt: parsing \"{text}\": {why}")));
        }
    }
}
