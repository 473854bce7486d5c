//! Walking through the rules of a product: to the first that matches, or along all that do.

use super::RuleList;
use bfe_basic::condition::Condition;
use bfe_basic::{BodyPeek, ContextValue, NeedBody, Request};

/// A rule with a condition.
pub trait Conditional {
    /// Says which requests it is for.
    fn condition(&self) -> &Condition;
}

/// A rule after which others may come.
pub trait Successive: Conditional {
    /// Whether no later rule of its list is looked at once this one has matched.
    fn is_last(&self) -> bool;
}

/// The first rule that matches.
///
/// # Errors
/// [`NeedBody`] where a condition wants the request body.
pub fn first_match<'r, R: Conditional>(
    rules: impl Into<RuleList<'r, R>>,
    req: &Request,
) -> Result<Option<&'r R>, NeedBody> {
    for (_, rule) in rules.into().candidates(req, 0) {
        if rule.condition().matches(req)? {
            return Ok(Some(rule));
        }
    }
    Ok(None)
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
    use crate::testing;
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
}
