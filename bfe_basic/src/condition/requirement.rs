//! What a condition requires of a request, so that an index over many conditions need not evaluate each.

use super::Condition;
use super::facet::{Facet, each_value};
use super::prepared::Test;
use super::program::Op;
use super::source::Source;

/// Conditions with more tests than this have no requirements; one bit of a number stands for each.
const MAX_TESTS: usize = 64;

/// One of the values that a facet must have: a request that has none of them does not match.
pub(crate) struct Requirement<'c> {
    /// What of the request.
    pub(crate) facet: Facet<'c>,
    /// Tests of that facet, of which one must hold.
    tests: Vec<&'c Test>,
}

impl Requirement<'_> {
    /// Hands over each value that suffices.
    pub(crate) fn each_value(&self, mut each: impl FnMut(&[u8])) {
        for test in &self.tests {
            each_value(test, &mut each);
        }
    }
}

/// Tests of one facet of which one must hold for the condition to be true.
#[derive(Clone, Copy, Default)]
struct Need {
    /// A bit each; none where the condition may be true without any of them.
    tests: u64,
    /// How many values they have.
    values: u32,
}

impl Condition {
    /// What a request must have to match, at most one requirement for each facet. Empty where anything can
    /// match, or where evaluation may want the request body: then it has to be evaluated in its turn.
    pub(crate) fn requirements(&self) -> Vec<Requirement<'_>> {
        let ops = self.program.ops();
        let tests: Vec<_> = ops.iter().filter_map(Op::test).map(|test| (test, Facet::of(test))).collect();
        let wants_body = |test: &Test| matches!(test, Test::Value(Source::BodyJson(_), _));
        if tests.len() > MAX_TESTS || tests.iter().any(|(test, _)| wants_body(test)) {
            return Vec::new();
        }
        let mut required = Vec::with_capacity(tests.len());
        let mut steps = Vec::with_capacity(ops.len() + 1);
        for (at, (_, facet)) in tests.iter().enumerate() {
            let Some(facet) = facet else { continue };
            let is_facet = |of: &Option<Facet<'_>>| of.as_ref() == Some(facet);
            if tests.iter().take(at).any(|(_, of)| is_facet(of)) {
                continue;
            }
            let of_facet = tests.iter().enumerate().rev().map(|(number, (test, of))| {
                is_facet(of).then(|| Need { tests: 1 << number, values: count(test) })
            });
            let need = need(ops, of_facet, &mut steps).unwrap_or_default().tests;
            if need != 0 {
                let needed = tests.iter().zip(0..).filter(|(_, number)| need >> number & 1 == 1);
                let tests = needed.map(|((test, _), _)| *test).collect();
                required.push(Requirement { facet: facet.clone(), tests });
            }
        }
        required
    }
}

/// How many values a test has.
fn count(test: &Test) -> u32 {
    let mut count = 0u32;
    each_value(test, |_| count = count.saturating_add(1));
    count
}

/// What is needed from a step on, depending on the state; `None` where the condition cannot be true from there.
#[derive(Clone, Copy)]
struct From {
    holds: Option<Need>,
    fails: Option<Need>,
}

/// Follows the program from its end, where all jumps lead, to its start. `tests` says, from the last to the
/// first, which are of the facet; `steps` is memory to use.
fn need(ops: &[Op], mut tests: impl Iterator<Item = Option<Need>>, steps: &mut Vec<From>) -> Option<Need> {
    let end = From { holds: Some(Need::default()), fails: None };
    steps.clear();
    steps.resize(ops.len() + 1, end);
    for (at, op) in ops.iter().enumerate().rev() {
        let step = |at: usize| steps.get(at).copied().unwrap_or(end);
        let next = step(at + 1);
        let here = match op {
            Op::Test(_) => {
                let test = tests.next().flatten();
                let need = either(next.holds.map(|rest| both(test, rest)), next.fails);
                From { holds: need, fails: need }
            }
            Op::Not => From { holds: next.fails, fails: next.holds },
            Op::IfTrue(to) => From { holds: step(*to).holds, ..next },
            Op::IfFalse(to) => From { fails: step(*to).fails, ..next },
        };
        if let Some(step) = steps.get_mut(at) {
            *step = here;
        }
    }
    steps.first().and_then(|first| first.fails)
}

/// Where a test must hold and also the rest: what has fewer values says more.
fn both(test: Option<Need>, rest: Need) -> Need {
    match test {
        Some(test) if rest.tests == 0 || test.values <= rest.values => test,
        _ => rest,
    }
}

/// Where one of two ways suffices.
fn either(left: Option<Need>, right: Option<Need>) -> Option<Need> {
    match (left, right) {
        (Some(left), Some(right)) if left.tests == 0 || right.tests == 0 => Some(Need::default()),
        (Some(left), Some(right)) => {
            Some(Need { tests: left.tests | right.tests, values: left.values.saturating_add(right.values) })
        }
        (one, None) | (None, one) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::super::facet::Of;
    use super::*;

    fn show(requirement: &Requirement<'_>) -> String {
        let (mut values, mut lengths) = (Vec::new(), String::new());
        requirement.each_value(|value| {
            values.push(String::from_utf8_lossy(value).into_owned());
            lengths.push_str(&format!("/{}", value.len()));
        });
        values.sort();
        let Facet { of, is_prefix, folded } = &requirement.facet;
        let Of::Value(source) = of else { return lengths };
        let (prefix, folded) = (if *is_prefix { "*" } else { "" }, if *folded { "^" } else { "" });
        format!("{source:?}{prefix}{folded} {}", values.join("|"))
    }

    #[test]
    fn what_conditions_require() {
        let many_hosts =
            |count: u32| (0..count).map(|_| r#"req_host_in("a")"#).collect::<Vec<_>>().join(" || ");
        for (expression, want) in [
            (r#"req_host_in("a.b|c")"#, "Host^ A.B|C"),
            (r#"req_host_in("a|b") && req_path_in("/x", false)"#, "Host^ A|B, Path /x"),
            (r#"req_host_in("a|b") && (req_host_in("b"))"#, "Host^ B"),
            (r#"req_host_in("a") && (req_host_in("a|b"))"#, "Host^ A"),
            (r#"req_host_in("a") || req_host_in("b")"#, "Host^ A|B"),
            (r#"req_host_in("a") || default_t()"#, ""),
            (r#"default_t() || req_host_in("a")"#, ""),
            (r#"!req_host_in("a") && req_path_prefix_in("/x|/y", true)"#, "Path*^ /X|/Y"),
            (r#"default_t() && req_path_element_prefix_in("/x/|/y", false)"#, "Path* /x|/y"),
            (r#"!(!req_host_in("a"))"#, "Host^ A"),
            (r#"!(!req_host_in("a") || req_path_in("/x", false))"#, "Host^ A"),
            (r#"!(!req_host_in("a") && req_path_in("/x", false))"#, ""),
            (
                r#"(req_host_in("a") || req_host_in("b")) && (req_path_in("/x", false) || req_host_in("c"))"#,
                "Host^ A|B",
            ),
            (r#"req_header_value_in("x-a", "1", false)"#, r#"Header("X-A") 1"#),
            (r#"req_body_json_in("a", "1", false) && req_host_in("a")"#, ""),
            (
                r#"(req_host_in("a") && req_path_in("/x", false)) || (req_path_in("/y", false) && req_host_in("b"))"#,
                "Host^ A|B, Path /x|/y",
            ),
            ("default_t()", ""),
            (r#"req_cip_range("10.0.0.0", "10.0.0.255")"#, "/120"),
            (r#"req_cip_range("10.0.0.1", "10.0.0.8")"#, "/128/127/126/128"),
            (
                r#"req_cip_range("10.0.0.1", "10.0.0.1") || req_cip_range("10.1.0.0", "10.1.255.255")"#,
                "/128/112",
            ),
            (r#"req_cip_range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")"#, "/0"),
            (r"req_path_regmatch(`^/a\.b-c/x+`)", "Path* /a.b-c/"),
            (r"req_path_regmatch(`^/a/b*c`)", "Path* /a/"),
            (r"req_path_regmatch(`^/a\d`)", "Path* /a"),
            (r"req_path_regmatch(`^/a|^/b`)", ""),
            (r"req_path_regmatch(`(?i)^/a`)", ""),
            (r"req_path_regmatch(`/a`)", ""),
            (&many_hosts(3), "Host^ A|A|A"),
            (&many_hosts(65), ""),
        ] {
            let condition = Condition::build(expression).unwrap();
            let required = condition.requirements();
            assert_eq!(required.iter().map(show).collect::<Vec<_>>().join(", "), want, "{expression}");
        }
        let condition = Condition::build(&many_hosts(64)).unwrap();
        assert_eq!(condition.requirements().len(), 1);
    }
}
