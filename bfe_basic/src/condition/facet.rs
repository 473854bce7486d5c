//! What a condition requires of a request, so that an index over many conditions need not evaluate each.

use super::address::RangeSet;
use super::ast::Node;
use super::matcher::Matcher;
use super::prepared::Test;
use super::source::{Address, Source};
use super::{Condition, address, fold, prepare};
use crate::Request;

/// Something of a request that an index can look up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facet {
    of: Of,
    is_prefix: bool,
    folded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Of {
    Value(Source),
    /// An address as a row of bits, a byte each, so that a network is a beginning of it.
    Address(Address),
}

/// Most networks that a range of addresses is taken apart into.
const MAX_NETWORKS: usize = 64;

/// Values of a facet: a request that has none of them does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What of the request.
    pub facet: Facet,
    /// What it must be, or begin with.
    pub values: Vec<Box<[u8]>>,
}

impl Facet {
    /// Whether values are beginnings, not the whole.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.is_prefix
    }

    /// Hands over what the request has, in the form that values are in; nothing where it has nothing.
    pub fn with_value(&self, req: &Request, look: impl FnOnce(&[u8])) {
        let source = match &self.of {
            Of::Value(source) => source,
            Of::Address(which) => {
                if let Some(ip) = which.get(req) {
                    look(&bits(address::number(ip)));
                }
                return;
            }
        };
        // Sources that want the body make no facets.
        let _ = source.test(req, |value| {
            if self.folded {
                fold::with_upper(value, look);
            } else {
                look(value);
            }
            true
        });
    }
}

impl Condition {
    /// What a request must have to match: it fails where it misses one of these. Empty where anything can
    /// match, or where evaluation may want the request body.
    ///
    /// Meant for loading: it parses the expression again.
    #[must_use]
    pub fn requirements(&self) -> Vec<Requirement> {
        let Ok((expr, tests)) = prepare(self.expression()) else { return Vec::new() };
        let wants_body = |test: &Test| matches!(test, Test::Value(Source::BodyJson(_), _));
        if tests.iter().any(wants_body) {
            return Vec::new();
        }
        let mut tests = tests.into_iter();
        let mut waiting: Vec<Vec<Requirement>> = Vec::new();
        for node in &expr.nodes {
            let required = match node {
                Node::Call(_) => tests.next().and_then(of_test).into_iter().collect(),
                Node::Name(..) => Vec::new(),
                Node::Paren => continue,
                Node::Not => {
                    waiting.pop();
                    Vec::new()
                }
                Node::And => {
                    let right = waiting.pop().unwrap_or_default();
                    let mut both = waiting.pop().unwrap_or_default();
                    both.extend(right);
                    both
                }
                Node::Or => either(&waiting.pop().unwrap_or_default(), waiting.pop().unwrap_or_default()),
            };
            waiting.push(required);
        }
        waiting.pop().unwrap_or_default()
    }
}

/// Where one of two suffices, only what both ask for is required.
fn either(right: &[Requirement], left: Vec<Requirement>) -> Vec<Requirement> {
    let merged = left.into_iter().filter_map(|mut left| {
        let right = right.iter().find(|right| right.facet == left.facet)?;
        left.values.extend(right.values.iter().cloned());
        Some(left)
    });
    merged.collect()
}

/// An address as a row of bits.
fn bits(number: u128) -> [u8; 128] {
    std::array::from_fn(|i| u8::from(number >> (127 - i) & 1 == 1))
}

/// The networks that make up ranges of addresses; `None` where they are too many.
fn networks(ranges: &RangeSet) -> Option<Vec<Box<[u8]>>> {
    let mut networks = Vec::new();
    for (mut low, high) in ranges.iter() {
        loop {
            // The largest network that begins here and does not reach beyond the end.
            let mut host_bits = low.trailing_zeros();
            while host_bits > 0
                && low.checked_add(u128::MAX >> (128 - host_bits)).is_none_or(|end| end > high)
            {
                host_bits -= 1;
            }
            if networks.len() == MAX_NETWORKS {
                return None;
            }
            let length = 128 - host_bits as usize;
            networks.push(bits(low).get(..length).unwrap_or_default().into());
            let size = 1u128.checked_shl(host_bits).unwrap_or(0);
            match low.checked_add(size).filter(|next| size > 0 && *next <= high) {
                Some(next) => low = next,
                None => break,
            }
        }
    }
    Some(networks)
}

fn of_test(test: Test) -> Option<Requirement> {
    let (source, matcher) = match test {
        Test::Value(source, matcher) => (source, matcher),
        Test::AddressIn(which, ranges) => {
            let facet = Facet { of: Of::Address(which), is_prefix: true, folded: false };
            return networks(&ranges).map(|values| Requirement { facet, values });
        }
        _ => return None,
    };
    match source {
        Source::Host
        | Source::HostTag
        | Source::Path
        | Source::Query(_)
        | Source::Cookie(_)
        | Source::Header(_)
        | Source::Method
        | Source::Sni => {}
        // Not worth a lookup, or there only later.
        Source::Port
        | Source::Url
        | Source::Protocol
        | Source::Context(_)
        | Source::ResponseCode
        | Source::ResponseHeader(_)
        | Source::ClientCa
        | Source::BodyJson(_) => return None,
    }
    let (matcher, folded) = match matcher {
        Matcher::Folded(inner) => (*inner, true),
        plain => (plain, false),
    };
    let (values, is_prefix) = match matcher {
        Matcher::Exact(set) => (set.into_members(), false),
        Matcher::Prefix(set) => (set.into_members(), true),
        // A value may lack the slash that completes a member.
        Matcher::ElementPrefix(set) => {
            let without = |m: Box<[u8]>| m.strip_suffix(b"/").map(Into::into).unwrap_or(m);
            (set.into_members().into_iter().map(without).collect(), true)
        }
        Matcher::Regex(pattern) => {
            if pattern.beginning().is_empty() {
                return None;
            }
            (vec![pattern.beginning().into()], true)
        }
        _ => return None,
    };
    Some(Requirement { facet: Facet { of: Of::Value(source), is_prefix, folded }, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(requirement: &Requirement) -> String {
        let mut values: Vec<_> =
            requirement.values.iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect();
        values.sort();
        let Facet { of, is_prefix, folded } = &requirement.facet;
        let source = match of {
            Of::Value(source) => format!("{source:?}"),
            Of::Address(_) => return requirement.values.iter().map(|v| format!("/{}", v.len())).collect(),
        };
        let (prefix, folded) = (if *is_prefix { "*" } else { "" }, if *folded { "^" } else { "" });
        format!("{source}{prefix}{folded} {}", values.join("|"))
    }

    #[test]
    fn what_conditions_require() {
        for (expression, want) in [
            (r#"req_host_in("a.b|c")"#, "Host^ A.B|C"),
            (r#"req_host_in("a|b") && req_path_in("/x", false)"#, "Host^ A|B, Path /x"),
            (r#"req_host_in("a|b") && (req_host_in("b"))"#, "Host^ A|B, Host^ B"),
            (r#"req_host_in("a") || req_host_in("b")"#, "Host^ A|B"),
            (r#"req_host_in("a") || default_t()"#, ""),
            (r#"!req_host_in("a") && req_path_prefix_in("/x|/y", true)"#, "Path*^ /X|/Y"),
            (r#"default_t() && req_path_element_prefix_in("/x/|/y", false)"#, "Path* /x|/y"),
            (r#"!(!req_host_in("a"))"#, ""),
            (r#"req_header_value_in("x-a", "1", false)"#, r#"Header("X-A") 1"#),
            (r#"req_body_json_in("a", "1", false) && req_host_in("a")"#, ""),
            (
                r#"(req_host_in("a") && req_path_in("/x", false)) || (req_path_in("/y", false) && req_host_in("b"))"#,
                "Host^ A|B, Path /x|/y",
            ),
            ("default_t()", ""),
            (r#"req_cip_range("10.0.0.0", "10.0.0.255")"#, "/120"),
            (r#"req_cip_range("10.0.0.1", "10.0.0.8")"#, "/128/127/126/128"),
            (r#"req_cip_range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")"#, "/0"),
            (r"req_path_regmatch(`^/a\.b-c/x+`)", "Path* /a.b-c/"),
            (r"req_path_regmatch(`^/a/b*c`)", "Path* /a/"),
            (r"req_path_regmatch(`^/a\d`)", "Path* /a"),
            (r"req_path_regmatch(`^/a|^/b`)", ""),
            (r"req_path_regmatch(`(?i)^/a`)", ""),
            (r"req_path_regmatch(`/a`)", ""),
        ] {
            let required = Condition::build(expression).unwrap().requirements();
            assert_eq!(required.iter().map(show).collect::<Vec<_>>().join(", "), want, "{expression}");
        }
    }

    #[test]
    fn networks_are_the_ranges() {
        let number = |ip: &str| address::parse(ip).unwrap();
        for (low, high) in [
            ("10.0.0.1", "200.255.255.254"),
            ("1.2.3.4", "1.2.3.4"),
            ("::", "::1"),
            ("fe80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let (low, high) = (number(low), number(high));
            let networks = networks(&RangeSet::new(vec![(low, high)])).unwrap();
            let has = |ip: u128| networks.iter().filter(|n| bits(ip).starts_with(n)).count();
            for ip in [low, high, low + (high - low) / 2, low + (high - low) / 3] {
                assert_eq!(has(ip), 1, "{ip:x}");
            }
            for ip in [low.checked_sub(1), high.checked_add(1)].into_iter().flatten() {
                assert_eq!(has(ip), 0, "{ip:x}");
            }
        }
        let scattered = (0..100).map(|i| (i * 2, i * 2)).collect();
        assert!(networks(&RangeSet::new(scattered)).is_none());
    }
}
