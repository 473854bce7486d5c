//! The condition language: expressions such as `req_host_in("a.org") && !req_method_in("POST")`.

use crate::{NeedBody, Request};

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

/// A parsed and prepared condition.
#[derive(Debug)]
pub struct Condition {}

impl Condition {
    /// Parses and prepares an expression.
    ///
    /// # Errors
    /// When it is malformed, names an unknown primitive, or gives one a wrong argument.
    pub fn build(_expression: &str) -> Result<Self, ConditionError> {
        Ok(Self {})
    }

    /// Whether the request matches.
    ///
    /// # Errors
    /// [`NeedBody`] where a primitive wants the request body and it has not been buffered yet.
    pub fn matches(&self, _req: &Request) -> Result<bool, NeedBody> {
        Ok(true)
    }
}
