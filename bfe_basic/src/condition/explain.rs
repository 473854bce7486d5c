//! What an expression means, for people: where it is wrong, how it was understood, what decided.

use super::{Condition, ConditionError, build_with_place, parse};
use crate::Request;
use std::fmt;

/// An expression that cannot be built, with the place in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The error, as the loader reports it.
    pub error: ConditionError,
    /// The line of the expression in which it is, and the place in that line, in bytes from 0. The loader
    /// does not report a place for some errors; it is known here all the same.
    pub place: Option<(String, usize)>,
}

impl fmt::Display for Diagnosis {
    /// The message, the line and a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)?;
        if let Some((line, at)) = &self.place {
            // Tabs stay, so that the caret stands under its character at any width of theirs.
            let lead: String = line
                .char_indices()
                .take_while(|(i, _)| i < at)
                .map(|(_, c)| if c == '\t' { '\t' } else { ' ' })
                .collect();
            write!(f, "\n    {line}\n    {lead}^")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnosis {}

/// A part of an expression that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The call, as printed.
    pub call: String,
    /// Whether it matched.
    pub matched: bool,
}

/// What came of evaluating an expression on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the request matches; `None` where that hangs on a body that has not been read.
    pub matched: Option<bool>,
    /// The calls that were evaluated, in order; the last one decided.
    pub parts: Vec<Part>,
}

/// An expression that can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The expression with single blanks and without comments.
    pub printed: String,
    /// The expression with all operations in parentheses; those of the source are brackets.
    pub tree: String,
    /// What came of it, where there was a request.
    pub outcome: Option<Outcome>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.printed)?;
        write!(f, "understood as: {}", self.tree)?;
        let Some(outcome) = &self.outcome else { return Ok(()) };
        let answer = match outcome.matched {
            Some(true) => "matches",
            Some(false) => "does not match",
            None => "cannot be told: the request body is needed",
        };
        write!(f, "\n{answer}")?;
        for (i, part) in outcome.parts.iter().enumerate() {
            let last = i + 1 == outcome.parts.len() && outcome.matched.is_some();
            let mark = if last { "  <- decides" } else { "" };
            write!(f, "\n    {:5} {}{mark}", part.matched, part.call)?;
        }
        Ok(())
    }
}

/// Explains an expression, and, given a request, what it comes to.
///
/// # Errors
/// When it cannot be built.
pub fn explain(expression: &str, req: Option<&Request>) -> Result<Explanation, Diagnosis> {
    let condition = build_with_place(expression).map_err(|(error, at)| Diagnosis {
        error,
        place: at.map(|at| {
            let before = expression.get(..at).unwrap_or(expression);
            let start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let line = expression.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
            (line.to_owned(), at.saturating_sub(start))
        }),
    })?;
    // It has been parsed before, so that this cannot fail.
    let expr = parse(expression).unwrap_or_default();
    Ok(Explanation {
        printed: expr.to_string(),
        tree: expr.tree(),
        outcome: req.map(|req| evaluate(&condition, &expr, req)),
    })
}

fn evaluate(condition: &Condition, expr: &super::ast::Expr, req: &Request) -> Outcome {
    let calls: Vec<_> = expr.calls().collect();
    let mut parts = Vec::new();
    let result = condition.program.trace(&req.session, Some(req), |number, matched| {
        if let Some(call) = calls.get(number()) {
            parts.push(Part { call: call.to_string(), matched });
        }
    });
    Outcome { matched: result.ok(), parts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Session;
    use std::rc::Rc;

    fn request(target: &str) -> Request {
        let http = bfe_http::Request::new("GET", target, "example.org").unwrap();
        Request::new(Rc::new(Session::default()), http)
    }

    #[test]
    fn errors_point_at_their_place() {
        for (expression, want) in [
            ("a b", "1:3 syntax error\n    a b\n      ^"),
            (
                "default_t() &&\n\treq_pth_in(\"/\", true)",
                "2:2 primitive req_pth_in not found\n    \treq_pth_in(\"/\", true)\n    \t^",
            ),
            ("é || b", "found unresolved variable é 1\n    é || b\n    ^"),
            (
                "default_t() && req_host_in(\"a:1\")",
                "port should not be included in host(a:1)\n    default_t() && req_host_in(\"a:1\")\n                   ^",
            ),
            ("", "1:1 syntax error\n    \n    ^"),
        ] {
            assert_eq!(explain(expression, None).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn the_last_part_evaluated_decides() {
        let expression = "req_path_in( \"/a\",false ) || !req_query_exist() && (req_host_in(\"example.org\") || default_t())";
        let explanation = explain(expression, Some(&request("/b"))).unwrap();
        assert_eq!(
            explanation.to_string(),
            "req_path_in(\"/a\", false) || !req_query_exist() && (req_host_in(\"example.org\") || default_t())\n\
             understood as: ((req_path_in(\"/a\", false) || !req_query_exist()) && [(req_host_in(\"example.org\") || default_t())])\n\
             matches\n    false req_path_in(\"/a\", false)\n    false req_query_exist()\n    true  req_host_in(\"example.org\")  <- decides"
        );
        let outcome = explain(expression, Some(&request("/b?c"))).unwrap().outcome.unwrap();
        assert_eq!((outcome.matched, outcome.parts.len()), (Some(false), 2));
    }
}
