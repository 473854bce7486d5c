//! The condition language: expressions such as `req_host_in("a.org") && !req_method_in("POST")`.
//!
//! `!` binds strongest, then `||`, then `&&`. A primitive fetches one value of the request and tests it; what
//! cannot be fetched does not match, and its negation does. The manual of all primitives is
//! `docs/conditions.md`, made from [`primitive::PRIMITIVES`].
//!
//! On its way from text to answer an expression passes `scan`, `parse`, `primitive` (names and kinds of
//! arguments), `build` (values of arguments, prepared for lookups) and `program` (evaluation).

mod address;
pub mod ast;
mod build;
mod explain;
mod facet;
mod fold;
pub mod hash;
pub mod json;
mod matcher;
mod parse;
mod prepared;
pub mod primitive;
mod print;
mod program;
mod regex;
mod requirement;
mod scan;
mod source;
pub mod time;

pub(crate) use address::{RangeSet, number as address_number};
pub use explain::{Diagnosis, Explanation, Outcome, Part, explain};
pub(crate) use facet::{Facet, Facts};
pub(crate) use fold::upper;
pub(crate) use matcher::PrefixSet;
pub use print::quote;
pub use regex::Pattern;
pub(crate) use requirement::Requirement;

use crate::{NeedBody, Request, Session};
use ast::Expr;
use prepared::Test;
use program::Program;
use std::fmt;

/// Why an expression was refused: the text of the contract (condition 1), position first where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// Line in the expression, from 1; `None` for errors found after parsing.
    pub line: Option<usize>,
    /// Column in bytes, from 1.
    pub column: Option<usize>,
    /// The whole message.
    pub message: String,
}

impl ConditionError {
    fn at(source: &str, at: usize, reason: &str) -> Self {
        // A line feed that ends the text begins no line.
        let before = source.as_bytes().get(..at.min(source.len().saturating_sub(1))).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = at - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1) + 1;
        Self { line: Some(line), column: Some(column), message: format!("{line}:{column} {reason}") }
    }

    fn without_place(message: String) -> Self {
        Self { line: None, column: None, message }
    }
}

/// Parses an expression without looking at names and arguments of its primitives.
///
/// # Errors
/// When the text does not follow the grammar (condition 2, 3).
pub fn parse(expression: &str) -> Result<Expr, ConditionError> {
    parse::parse(expression).map_err(|e| ConditionError::at(expression, e.at, &e.message))
}

/// A parsed and prepared condition.
pub struct Condition {
    expression: Box<str>,
    program: Program,
}

impl Condition {
    /// Parses and prepares an expression.
    ///
    /// # Errors
    /// When it is malformed, names an unknown primitive, or gives one a wrong argument; the first of several
    /// errors, in the order of condition 1.
    pub fn build(expression: &str) -> Result<Self, ConditionError> {
        let (expr, tests) = prepare(expression).map_err(|(error, _)| error)?;
        crate::pace::step();
        Ok(Self { expression: expression.into(), program: Program::fused(&expr, tests) })
    }

    /// Whether the request matches.
    ///
    /// # Errors
    /// [`NeedBody`] where a primitive wants the request body and it has not been buffered yet.
    pub fn matches(&self, req: &Request) -> Result<bool, NeedBody> {
        self.program.run(&req.session, Some(req))
    }

    /// Whether a connection matches that has no request, as when its keys are logged: only `default_t`,
    /// `req_cip_trusted`, `req_proto_secure` and `ses_tls_client_auth` can be true then (condition 4).
    #[must_use]
    pub fn matches_session(&self, session: &Session) -> bool {
        // Without a request no primitive can want its body.
        self.program.run(session, None).unwrap_or(false)
    }

    /// The text that it was built from.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }
}

/// An error, and its offset also where the error does not tell it.
type Placed = (ConditionError, Option<usize>);

/// A condition with a test for each call, in the order of the source.
fn build_with_place(expression: &str) -> Result<Condition, Placed> {
    let (expr, tests) = prepare(expression)?;
    Ok(Condition { expression: expression.into(), program: Program::new(&expr, tests) })
}

/// Parses, checks, and makes a test of each call, in the order of condition 1.
fn prepare(expression: &str) -> Result<(Expr, Vec<Test>), Placed> {
    let placed = |at: usize, reason: &str| (ConditionError::at(expression, at, reason), Some(at));
    let expr = parse::parse(expression).map_err(|e| placed(e.at, &e.message))?;
    for call in expr.calls() {
        primitive::check(call).map_err(|reason| placed(call.at, &reason))?;
    }
    if let Some((name, at)) = expr.first_name() {
        let message = format!("found unresolved variable {name} {}", at + 1);
        return Err((ConditionError::without_place(message), Some(at)));
    }
    let mut tests = Vec::new();
    for call in expr.calls() {
        let test = build::build(call);
        tests.push(test.map_err(|reason| (ConditionError::without_place(reason), Some(call.at)))?);
    }
    Ok((expr, tests))
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.expression).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cond_20_places_of_errors() {
        for (expression, want) in [
            ("\n", "1:2 syntax error"),
            ("// c\n", "1:6 syntax error"),
            ("\n ", "2:2 syntax error"),
            ("a\n&&\n)", "3:1 syntax error"),
            ("\u{feff}", "1:4 syntax error"),
            ("a \u{feff}", "1:3 illegal byte order mark"),
            ("a b\0", "1:4 illegal character NUL"),
            ("\u{b}", "1:1 unrecognized token 57361"),
            ("\u{663}", "1:1 unrecognized token 57361"),
        ] {
            assert_eq!(Condition::build(expression).unwrap_err().message, want, "{expression:?}");
        }
    }
}
