//! What a condition requires of every request that it can match, for tables of rules that want an index.

use super::ast::{Call, Expr, Literal, Node};
use super::matcher::members;
use super::{Condition, fold, parse};

/// Values of which a request must have one.
type Keys = Option<Vec<Vec<u8>>>;

impl Condition {
    /// Hosts in upper case: a request whose host (up to its first colon, in upper case by the rules of
    /// condition 5.3) is none of these does not match. `None` where any host can match.
    ///
    /// Meant for loading: it parses the expression again.
    #[must_use]
    pub fn required_hosts(&self) -> Option<Vec<Vec<u8>>> {
        required(&parse(self.expression()).ok()?, |call| match (call.name.as_str(), text(call)) {
            ("req_host_in", Some(list)) => {
                Some(members(list).map(|m| fold::upper(m.as_bytes()).into_owned()).collect())
            }
            _ => None,
        })
    }

    /// Beginnings of the decoded path: a request whose path begins with none of these does not match. `None`
    /// where any path can match.
    ///
    /// Meant for loading: it parses the expression again.
    #[must_use]
    pub fn required_path_prefixes(&self) -> Option<Vec<Vec<u8>>> {
        required(&parse(self.expression()).ok()?, |call| {
            let list = text(call)?;
            if call.args.get(1) != Some(&Literal::Bool(false)) {
                return None;
            }
            let as_is = |m: &str| m.as_bytes().to_vec();
            match call.name.as_str() {
                "req_path_in" | "req_path_prefix_in" => Some(members(list).map(as_is).collect()),
                // A path may lack the slash that completes a member.
                "req_path_element_prefix_in" => {
                    Some(members(list).map(|m| as_is(m.strip_suffix('/').unwrap_or(m))).collect())
                }
                _ => None,
            }
        })
    }
}

fn text(call: &Call) -> Option<&str> {
    match call.args.first() {
        Some(Literal::Text { value, .. }) => Some(value),
        _ => None,
    }
}

/// Both sides of `||` must require something, of `&&` one; then the shorter list is the better one.
fn required(expr: &Expr, of_call: impl Fn(&Call) -> Keys) -> Keys {
    let mut waiting: Vec<Keys> = Vec::new();
    for node in &expr.nodes {
        let keys = match node {
            Node::Call(call) => of_call(call),
            Node::Name(..) => None,
            Node::Paren => continue,
            Node::Not => {
                waiting.pop();
                None
            }
            Node::And => match (waiting.pop()?, waiting.pop()?) {
                (Some(right), Some(left)) if right.len() < left.len() => Some(right),
                (right, left) => left.or(right),
            },
            Node::Or => match (waiting.pop()?, waiting.pop()?) {
                (Some(right), Some(mut left)) => {
                    left.extend(right);
                    Some(left)
                }
                _ => None,
            },
        };
        waiting.push(keys);
    }
    waiting.pop().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(keys: &Keys) -> String {
        match keys {
            Some(keys) => keys.iter().map(|k| String::from_utf8_lossy(k)).collect::<Vec<_>>().join(" "),
            None => "any".into(),
        }
    }

    #[test]
    fn what_conditions_require() {
        for (expression, hosts, paths) in [
            (r#"req_host_in("a.b|c")"#, "A.B C", "any"),
            (r#"req_host_in("a|b") && req_path_in("/x", false)"#, "A B", "/x"),
            (r#"req_host_in("a|b") && (req_host_in("b"))"#, "B", "any"),
            (r#"req_host_in("a") || req_host_in("b")"#, "A B", "any"),
            (r#"req_host_in("a") || default_t()"#, "any", "any"),
            (r#"!req_host_in("a") && req_path_prefix_in("/x|/y", true)"#, "any", "any"),
            (r#"default_t() && req_path_element_prefix_in("/x/|/y", false)"#, "any", "/x /y"),
            (r#"!(!req_host_in("a"))"#, "any", "any"),
            ("default_t()", "any", "any"),
        ] {
            let condition = Condition::build(expression).unwrap();
            assert_eq!(show(&condition.required_hosts()), hosts, "{expression}");
            assert_eq!(show(&condition.required_path_prefixes()), paths, "{expression}");
        }
    }
}
