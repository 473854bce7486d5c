//! Parsed expressions, kept flat so that neither printing nor dropping one needs recursion.

/// The kind of a literal, as error messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text in double or back quotes.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number; no primitive takes one.
    Int,
}

impl Kind {
    /// The name in error messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Bool => "BOOL",
            Self::Int => "INT",
        }
    }
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Text as it stands between the quotes; escapes are checked but not translated (condition 2.1).
    Text {
        /// What stands between the quotes.
        value: String,
        /// Whether the quotes are back quotes.
        raw: bool,
    },
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, as written.
    Int(String),
}

impl Literal {
    /// What kind of literal this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text { .. } => Kind::String,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
        }
    }
}

/// A call of a primitive.
#[derive(Clone, Debug)]
pub struct Call {
    /// Name of the primitive.
    pub name: String,
    /// Arguments, in order.
    pub args: Vec<Literal>,
    /// Offset of the name in the source, in bytes from 0; no part of equality.
    pub at: usize,
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.args == other.args
    }
}

/// One step of an expression in postfix order.
#[derive(Clone, Debug)]
pub enum Node {
    /// A call of a primitive.
    Call(Call),
    /// A bare name and its offset; it parses, but no condition can be built of it.
    Name(String, usize),
    /// Negates what precedes.
    Not,
    /// What precedes stood in parentheses.
    Paren,
    /// Both of the two that precede.
    And,
    /// One of the two that precede.
    Or,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Call(a), Self::Call(b)) => a == b,
            (Self::Name(a, _), Self::Name(b, _)) => a == b,
            (Self::Not, Self::Not)
            | (Self::Paren, Self::Paren)
            | (Self::And, Self::And)
            | (Self::Or, Self::Or) => true,
            _ => false,
        }
    }
}

/// A parsed expression: its nodes in postfix order.
///
/// Two are equal where they differ in nothing but blanks, comments and positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expr {
    /// The nodes, operands before their operator.
    pub nodes: Vec<Node>,
}

impl Expr {
    /// The calls, from left to right as they stand in the source.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Call(call) => Some(call),
            _ => None,
        })
    }

    /// The first bare name and its offset.
    pub(crate) fn first_name(&self) -> Option<(&str, usize)> {
        self.nodes.iter().find_map(|node| match node {
            Node::Name(name, at) => Some((name.as_str(), *at)),
            _ => None,
        })
    }

    /// For each node the index of the first node of its subtree. The right operand of a binary node ends
    /// just before it, the left one just before the start of the right.
    pub(crate) fn subtree_starts(&self) -> Vec<usize> {
        let mut starts: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.iter().enumerate() {
            let start_before = |i: usize| i.checked_sub(1).and_then(|i| starts.get(i).copied()).unwrap_or(0);
            let start = match node {
                Node::Call(_) | Node::Name(..) => at,
                Node::Not | Node::Paren => start_before(at),
                Node::And | Node::Or => start_before(start_before(at)),
            };
            starts.push(start);
        }
        starts
    }
}
