//! Queries on the elements of an array: `#(name=="x")`.

use super::path::Query;
use super::{Kind, Value, number, wildcard};

/// Whether the value at the query's path satisfies it.
pub(super) fn satisfies(query: &Query<'_>, mut value: Value<'_>) -> bool {
    let mut right = query.value.as_ref();
    if let Some(word) = right.strip_prefix(b"~") {
        let holds = match word {
            b"*" => Some(value.exists()),
            b"null" => Some(value.kind == Kind::Null),
            b"true" => Some(truth(&value) == Some(true)),
            b"false" => Some(truth(&value) == Some(false)),
            _ => None,
        };
        (right, value) = match holds {
            Some(true) => (&b"true"[..], Value::new(Kind::True, &b""[..])),
            Some(false) => (&b"true"[..], Value::new(Kind::False, &b""[..])),
            None => (&b""[..], Value::default()),
        };
    }
    if !value.exists() {
        return false;
    }
    if query.op.is_empty() {
        return true;
    }
    match value.kind {
        Kind::String => match query.op {
            b"%" => wildcard::matches(&value.text, right),
            b"!%" => !wildcard::matches(&value.text, right),
            op => value.text.as_ref().partial_cmp(right).is_some_and(|order| compares(op, Some(order))),
        },
        Kind::Number => compares(query.op, value.number().partial_cmp(&number::parse(right))),
        Kind::True => match query.op {
            b"=" => right == b"true",
            b"!=" => right != b"true",
            b">" => right == b"false",
            b">=" => true,
            _ => false,
        },
        Kind::False => match query.op {
            b"=" => right == b"false",
            b"!=" => right != b"false",
            b"<" => right == b"true",
            b"<=" => true,
            _ => false,
        },
        Kind::Null | Kind::Nested => false,
    }
}

/// Whether an order satisfies a comparison; there is no order with what is not a number.
fn compares(op: &[u8], order: Option<std::cmp::Ordering>) -> bool {
    match op {
        b"=" => order.is_some_and(std::cmp::Ordering::is_eq),
        b"!=" => !order.is_some_and(std::cmp::Ordering::is_eq),
        b"<" => order.is_some_and(std::cmp::Ordering::is_lt),
        b"<=" => order.is_some_and(std::cmp::Ordering::is_le),
        b">" => order.is_some_and(std::cmp::Ordering::is_gt),
        b">=" => order.is_some_and(std::cmp::Ordering::is_ge),
        _ => false,
    }
}

/// What a value is taken for where truth is asked for.
fn truth(value: &Value<'_>) -> Option<bool> {
    match value.kind {
        Kind::Null | Kind::False => Some(false),
        Kind::True => Some(true),
        Kind::Number => Some(value.number() != 0.0),
        Kind::String => match value.text.to_ascii_lowercase().as_slice() {
            b"1" | b"t" | b"true" => Some(true),
            b"0" | b"f" | b"false" => Some(false),
            _ => None,
        },
        Kind::Nested => None,
    }
}
