//! The parser: tokens to an expression in postfix order, with a stack of operators on the heap, so that no
//! nesting is too deep for it.

use super::ast::{Call, Expr, Literal, Node};
use super::scan::{ScanError, Scanner, Token};

/// What waits for its right operand or its closing parenthesis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Open,
    And,
    Or,
    Not,
}

impl Waiting {
    /// How strongly it binds: `||` binds tighter than `&&` (condition 3).
    const fn strength(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::And => 1,
            Self::Or => 2,
            Self::Not => 3,
        }
    }
}

/// Parses an expression.
pub(crate) fn parse(source: &str) -> Result<Expr, ScanError> {
    let mut parser = Parser { scanner: Scanner::new(source), nodes: Vec::new(), waiting: Vec::new() };
    parser.run()?;
    Ok(Expr { nodes: parser.nodes })
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    nodes: Vec<Node>,
    waiting: Vec<Waiting>,
}

fn syntax_error(at: usize) -> ScanError {
    ScanError { at, message: "syntax error".into() }
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), ScanError> {
        loop {
            let mut next = self.operand()?;
            loop {
                let (token, at) = next;
                match token {
                    Token::And => self.binary(Waiting::And),
                    Token::Or => self.binary(Waiting::Or),
                    Token::Close => {
                        self.reduce(Waiting::And.strength());
                        if self.waiting.pop() != Some(Waiting::Open) {
                            return Err(syntax_error(at));
                        }
                        self.nodes.push(Node::Paren);
                        self.reduce(Waiting::Not.strength());
                        next = self.scanner.next_token()?;
                        continue;
                    }
                    Token::End => {
                        self.reduce(Waiting::And.strength());
                        return if self.waiting.is_empty() { Ok(()) } else { Err(syntax_error(at)) };
                    }
                    _ => return Err(syntax_error(at)),
                }
                break;
            }
        }
    }

    /// Reads what leads to the end of a call or name; gives the token behind it.
    fn operand(&mut self) -> Result<(Token, usize), ScanError> {
        loop {
            let (token, at) = self.scanner.next_token()?;
            match token {
                Token::Not => self.waiting.push(Waiting::Not),
                Token::Open => self.waiting.push(Waiting::Open),
                Token::Name(name) => {
                    let (token, next_at) = self.scanner.next_token()?;
                    let next = if token == Token::Open {
                        let args = self.arguments()?;
                        self.nodes.push(Node::Call(Call { name, args, at }));
                        self.scanner.next_token()?
                    } else {
                        self.nodes.push(Node::Name(name, at));
                        (token, next_at)
                    };
                    self.reduce(Waiting::Not.strength());
                    return Ok(next);
                }
                _ => return Err(syntax_error(at)),
            }
        }
    }

    /// Reads arguments up to and with the closing parenthesis; the opening one has been read.
    fn arguments(&mut self) -> Result<Vec<Literal>, ScanError> {
        let mut args = Vec::new();
        loop {
            let (token, at) = self.scanner.next_token()?;
            args.push(match token {
                Token::Text { value, raw } => Literal::Text { value, raw },
                Token::Bool(value) => Literal::Bool(value),
                Token::Int(value) => Literal::Int(value),
                Token::Close if args.is_empty() => return Ok(args),
                _ => return Err(syntax_error(at)),
            });
            match self.scanner.next_token()? {
                (Token::Comma, _) => {}
                (Token::Close, _) => return Ok(args),
                (_, at) => return Err(syntax_error(at)),
            }
        }
    }

    fn binary(&mut self, op: Waiting) {
        self.reduce(op.strength());
        self.waiting.push(op);
    }

    /// Applies what waits and binds at least that strongly.
    fn reduce(&mut self, strength: u8) {
        while let Some(top) = self.waiting.last().filter(|top| top.strength() >= strength) {
            self.nodes.push(match top {
                Waiting::And => Node::And,
                Waiting::Or => Node::Or,
                Waiting::Not | Waiting::Open => Node::Not,
            });
            self.waiting.pop();
        }
    }
}
