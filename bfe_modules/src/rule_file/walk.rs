//! Walking through the rules of a product: to the first that matches, or along all that do.

pub use bfe_basic::rule_index::{Conditional, first_match};

use super::RuleList;
use bfe_basic::{BodyPeek, ContextValue, NeedBody, Request};

/// A rule after which others may come.
pub trait Successive: Conditional {
    /// Whether no later rule of its list is looked at once this one has matched.
    fn is_last(&self) -> bool;
}

/// Applies every rule that matches, list after list; a last one ends its list. Each condition sees what the
/// rules before it have done.
///
/// A rule is applied once, also where a later condition wants the body and all of this is called again:
/// how far it got is left in the request's context under `resume`. (Rules that are reloaded just then go on
/// at that place.)
///
/// # Errors
/// [`NeedBody`] where a condition wants the request body.
pub fn apply_matching<R: Successive>(
    lists: &[RuleList<'_, R>],
    req: &mut Request,
    resume: &'static str,
    apply: impl FnMut(&R, &mut Request),
) -> Result<(), NeedBody> {
    apply_matching_where(lists, req, resume, |_| true, apply)
}

/// [`apply_matching`], as if the rules that are not `wanted` were not there.
///
/// # Errors
/// [`NeedBody`] where a condition wants the request body.
pub fn apply_matching_where<R: Successive>(
    lists: &[RuleList<'_, R>],
    req: &mut Request,
    resume: &'static str,
    wanted: impl Fn(&R) -> bool,
    mut apply: impl FnMut(&R, &mut Request),
) -> Result<(), NeedBody> {
    visit_matching(lists, req, resume, wanted, |rule, req| {
        apply(rule, req);
        if rule.is_last() { Visit::NextList } else { Visit::Next }
    })
}

/// Where to go after a rule that has been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// To the next rule.
    Next,
    /// To the first rule of the next list.
    NextList,
    /// Nowhere.
    Stop,
}

/// Hands every rule that matches to `apply`, list after list, as far as that wants; otherwise as
/// [`apply_matching_where`].
///
/// # Errors
/// [`NeedBody`] where a condition wants the request body.
pub fn visit_matching<R: Conditional>(
    lists: &[RuleList<'_, R>],
    req: &mut Request,
    resume: &'static str,
    wanted: impl Fn(&R) -> bool,
    mut apply: impl FnMut(&R, &mut Request) -> Visit,
) -> Result<(), NeedBody> {
    let (first_list, first_rule) = resume_at(req, resume);
    let mut applied = first_rule > 0 || first_list > 0;
    for (at_list, rules) in lists.iter().enumerate().skip(first_list) {
        let skipped = if at_list == first_list { first_rule } else { 0 };
        let mut candidates = rules.candidates(req, skipped);
        while let Some((at_rule, rule)) = candidates.next() {
            if !wanted(rule) {
                continue;
            }
            match rule.condition().matches(req) {
                Ok(false) => {}
                Ok(true) => {
                    applied = true;
                    match apply(rule, req) {
                        Visit::Next => {}
                        Visit::NextList => break,
                        Visit::Stop => return Ok(()),
                    }
                    candidates.look_again(req, at_rule + 1);
                }
                Err(NeedBody) => {
                    if applied {
                        req.context.set(resume, ContextValue::Any(Box::new((at_list, at_rule))));
                    }
                    return Err(NeedBody);
                }
            }
        }
    }
    Ok(())
}

/// Where to go on: list and rule.
fn resume_at(req: &mut Request, resume: &'static str) -> (usize, usize) {
    if matches!(req.body_peek, BodyPeek::Unread) || req.context.is_empty() {
        return (0, 0);
    }
    let place = req.context.any::<(usize, usize)>(resume).copied();
    req.context.remove(resume);
    place.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_file::RuleIndex;
    use crate::testing;
    use bfe_basic::condition::Condition;
    use bytes::Bytes;

    struct Rule {
        condition: Condition,
        mark: &'static str,
        last: bool,
    }

    impl Conditional for Rule {
        fn condition(&self) -> &Condition {
            &self.condition
        }
    }

    impl Successive for Rule {
        fn is_last(&self) -> bool {
            self.last
        }
    }

    fn rule(condition: &str, mark: &'static str, last: bool) -> Rule {
        Rule { condition: Condition::build(condition).unwrap(), mark, last }
    }

    fn mark(rule: &Rule, req: &mut Request) {
        req.http.header.add("X-Mark", rule.mark);
    }

    fn marks(req: &Request) -> String {
        let marks: Vec<_> =
            req.http.header.get_all("X-Mark").map(|m| String::from_utf8_lossy(m).into_owned()).collect();
        marks.join(",")
    }

    #[test]
    fn a_last_rule_ends_its_own_list_only() {
        let global = [rule("default_t()", "g1", true), rule("default_t()", "g2", false)];
        let product = [
            rule("req_method_in(\"POST\")", "p1", true),
            rule("req_header_key_in(\"X-Mark\")", "p2", false),
            rule("default_t()", "p3", true),
            rule("default_t()", "p4", false),
        ];
        let mut req = testing::request("GET", "/");
        apply_matching(&[global[..].into(), product[..].into()], &mut req, "r", mark).unwrap();
        assert_eq!(marks(&req), "g1,p2,p3");
    }

    #[test]
    fn no_rule_is_applied_twice_where_one_wants_the_body() {
        let lists = [
            rule("default_t()", "a", false),
            rule("req_body_json_in(\"k\", \"v\", false)", "b", false),
            rule("default_t()", "c", false),
        ];
        let mut req = testing::request("POST", "/");
        req.http.body = bfe_http::Body::Full(Bytes::from_static(b"{\"k\":\"v\"}"));
        assert_eq!(apply_matching(&[lists[..].into()], &mut req, "r", mark), Err(NeedBody));
        req.body_peek = BodyPeek::Read(Bytes::from_static(b"{\"k\":\"v\"}"));
        assert_eq!(apply_matching(&[lists[..].into()], &mut req, "r", mark), Ok(()));
        assert_eq!(marks(&req), "a,b,c");
        assert!(req.context.get("r").is_none());
    }

    struct Changing {
        condition: Condition,
        number: usize,
        path: Option<&'static str>,
    }

    impl Conditional for Changing {
        fn condition(&self) -> &Condition {
            &self.condition
        }
    }

    impl Successive for Changing {
        fn is_last(&self) -> bool {
            false
        }
    }

    /// Rules of many kinds; some of them change the path, so that others begin or cease to match.
    fn changing_rules() -> Vec<Changing> {
        let mut rules = Vec::new();
        for i in 0..60 {
            let expression = match i % 12 {
                0 => format!(r#"req_host_in("h{i}.org|example.org")"#),
                1 => format!(r#"req_path_prefix_in("/p{i}|/a", false)"#),
                2 => format!(r#"req_path_in("/A/B", true) && req_host_in("h{i}.org|EXAMPLE.org")"#),
                3 => format!(r#"req_path_element_prefix_in("/moved/", {})"#, i % 2 == 0),
                4 => format!(r#"req_header_value_in("X-K", "v{}", false)"#, i % 24),
                5 => format!(r#"req_query_value_in("q", "{i}|17", false) || req_query_value_in("q", "9", false)"#),
                6 => format!(r#"req_cookie_value_prefix_in("c", "x{i}|y", true)"#),
                7 => "default_t()".to_owned(),
                8 => format!(r#"!req_path_prefix_in("/p{i}", false)"#),
                9 => r#"req_method_in("get|HEAD") && (req_path_suffix_in("b", false) || req_host_in("nobody"))"#.to_owned(),
                10 => r#"req_path_prefix_in("", false)"#.to_owned(),
                _ if i < 30 => r#"req_path_in("/moved", false) || req_host_in("nobody")"#.to_owned(),
                11 | 35 => r"req_path_regmatch(`^/a/.$`)".to_owned(),
                _ => r#"req_cip_range("192.0.2.0", "192.0.2.77")"#.to_owned(),
            };
            let path = match i {
                13 => Some("/moved"),
                27 => Some("/a/b"),
                _ => None,
            };
            rules.push(Changing { condition: Condition::build(&expression).unwrap(), number: i, path });
        }
        rules
    }

    #[test]
    fn an_index_finds_what_a_walk_finds() {
        let rules = changing_rules();
        let index = RuleIndex::new(rules.iter().map(Changing::condition)).unwrap();
        let lists = [RuleList::new(&rules, None), RuleList::new(&rules, Some(&index))];
        let mut matched = 0;
        for target in ["/", "/a/b", "/A/b?q=17", "/p13?q=9", "/moved/x", "/nothing?q=53"] {
            for (name, value) in [("X-K", "v4"), ("X-K", "v5"), ("Cookie", "c=Yes"), ("Cookie", "c=x6; d=1")]
            {
                for method in ["GET", "POST"] {
                    let walks = lists.map(|list| {
                        let mut req = testing::request(method, target);
                        req.http.header.add(name, value);
                        req.client_addr = Some(([192, 0, 2, target.len() as u8 * 10], 1).into());
                        let first = first_match(list, &req).unwrap().map(|rule| rule.number);
                        let mut applied = Vec::new();
                        apply_matching(&[list], &mut req, "r", |rule, req| {
                            applied.push(rule.number);
                            if let Some(path) = rule.path {
                                req.http.url.path = path.into();
                            }
                        })
                        .unwrap();
                        (first, applied)
                    });
                    assert_eq!(walks[0], walks[1], "{method} {target} {name}: {value}");
                    matched += walks[0].1.len();
                }
            }
        }
        assert!(matched > 500, "{matched}");
    }
}
