//! Text forms of expressions.

use super::ast::{Call, Expr, Literal, Node};
use regex::Regex;
use std::fmt;
use std::sync::LazyLock;

/// How the operators and parentheses of an expression are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As in the source: parsing the text gives the same expression.
    Source,
    /// Each operation in parentheses, parentheses of the source in brackets.
    Tree,
}

enum Step {
    Visit(usize),
    Write(&'static str),
}

impl fmt::Display for Expr {
    /// The expression in the language's own syntax, with single blanks and without comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Style::Source)
    }
}

impl Expr {
    /// The tree, fully parenthesised; parentheses of the source are written as brackets (condition 3).
    #[must_use]
    pub fn tree(&self) -> String {
        struct Tree<'a>(&'a Expr);
        impl fmt::Display for Tree<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, Style::Tree)
            }
        }
        Tree(self).to_string()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result {
        let tree = style == Style::Tree;
        let starts = self.subtree_starts();
        let mut todo: Vec<Step> = self.nodes.len().checked_sub(1).map(Step::Visit).into_iter().collect();
        while let Some(step) = todo.pop() {
            let at = match step {
                Step::Write(text) => {
                    f.write_str(text)?;
                    continue;
                }
                Step::Visit(at) => at,
            };
            let (Some(node), Some(before)) = (self.nodes.get(at), at.checked_sub(1)) else {
                if let Some(node) = self.nodes.get(at) {
                    write_leaf(f, node)?;
                }
                continue;
            };
            match node {
                Node::Call(_) | Node::Name(..) => write_leaf(f, node)?,
                Node::Not => {
                    f.write_str("!")?;
                    todo.push(Step::Visit(before));
                }
                Node::Paren => {
                    f.write_str(if tree { "[" } else { "(" })?;
                    todo.push(Step::Write(if tree { "]" } else { ")" }));
                    todo.push(Step::Visit(before));
                }
                Node::And | Node::Or => {
                    let left = starts.get(before).and_then(|start| start.checked_sub(1));
                    if tree {
                        f.write_str("(")?;
                        todo.push(Step::Write(")"));
                    }
                    todo.push(Step::Visit(before));
                    todo.push(Step::Write(if *node == Node::And { " && " } else { " || " }));
                    todo.extend(left.map(Step::Visit));
                }
            }
        }
        Ok(())
    }
}

fn write_leaf(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    match node {
        Node::Call(call) => write!(f, "{call}"),
        Node::Name(name, _) => f.write_str(name),
        _ => Ok(()),
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{arg}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { value, raw: true } => write!(f, "`{value}`"),
            Self::Text { value, raw: false } => write!(f, "\"{value}\""),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => f.write_str(value),
        }
    }
}

/// A text in double quotes, with escapes for what cannot be printed, as error messages show it.
#[must_use]
pub fn quote(text: &str) -> String {
    bfe_http::quote::quote(text.as_bytes(), is_printable)
}

/// Whether a character can be shown as it is: letters, marks, numbers, punctuation, symbols and the blank.
pub(crate) fn is_printable(c: char) -> bool {
    static PRINTABLE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$").ok());
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    PRINTABLE.as_ref().is_some_and(|re| re.is_match(c.encode_utf8(&mut [0; 4])))
}
