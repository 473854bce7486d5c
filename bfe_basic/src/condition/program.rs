//! Evaluation: an expression becomes a row of tests and jumps, run with one bit of state and no stack.

use super::ast::{Expr, Node};
use super::prepared::Test;
use crate::{NeedBody, Request, Session};

/// One step; what was found last is the state.
pub(crate) enum Op {
    /// Runs a primitive.
    Test(Test),
    /// Negates.
    Not,
    /// Goes on at another step if true.
    IfTrue(usize),
    /// Goes on at another step if false.
    IfFalse(usize),
}

/// A prepared expression.
pub(crate) struct Program {
    ops: Vec<Op>,
}

enum Step {
    Visit(usize),
    Not,
    Jump { when: bool },
    Land,
}

impl Program {
    /// Puts the tests, one for each call from left to right, into the order of evaluation.
    pub(crate) fn new(expr: &Expr, tests: Vec<Test>) -> Self {
        let starts = expr.subtree_starts();
        let mut tests = tests.into_iter();
        let mut ops = Vec::with_capacity(expr.nodes.len());
        let mut jumps = Vec::new();
        let mut landed = 0;
        let mut todo: Vec<Step> = expr.nodes.len().checked_sub(1).map(Step::Visit).into_iter().collect();
        while let Some(step) = todo.pop() {
            match step {
                Step::Visit(at) => {
                    let before = at.wrapping_sub(1);
                    match expr.nodes.get(at) {
                        // Calls are visited from left to right, which is the order of the tests.
                        Some(Node::Call(_)) => ops.extend(tests.next().map(Op::Test)),
                        Some(Node::Paren) => todo.push(Step::Visit(before)),
                        Some(Node::Not) => {
                            todo.push(Step::Not);
                            todo.push(Step::Visit(before));
                        }
                        Some(node @ (Node::And | Node::Or)) => {
                            let left = starts.get(before).map_or(0, |start| start.wrapping_sub(1));
                            todo.push(Step::Land);
                            todo.push(Step::Visit(before));
                            todo.push(Step::Jump { when: *node == Node::Or });
                            todo.push(Step::Visit(left));
                        }
                        Some(Node::Name(..)) | None => {}
                    }
                }
                Step::Not => {
                    // Two in a row go, unless a jump lands between or behind them.
                    if matches!(ops.last(), Some(Op::Not)) && landed < ops.len() {
                        ops.pop();
                    } else {
                        ops.push(Op::Not);
                    }
                }
                Step::Jump { when } => {
                    jumps.push(ops.len());
                    ops.push(if when { Op::IfTrue(0) } else { Op::IfFalse(0) });
                }
                Step::Land => {
                    landed = ops.len();
                    if let Some(Op::IfTrue(to) | Op::IfFalse(to)) =
                        jumps.pop().and_then(|jump| ops.get_mut(jump))
                    {
                        *to = landed;
                    }
                }
            }
        }
        let mut program = Self { ops };
        program.thread_jumps();
        program
    }

    /// Lets a jump that lands on a jump of the same kind go where that goes, so that leaving a long chain
    /// is one step.
    fn thread_jumps(&mut self) {
        for at in (0..self.ops.len()).rev() {
            let further = match self.ops.get(at) {
                Some(Op::IfTrue(to)) => match self.ops.get(*to) {
                    Some(Op::IfTrue(further)) => Some(*further),
                    // The state is known, so that the other kind of jump is passed.
                    Some(Op::IfFalse(_)) => Some(to + 1),
                    _ => None,
                },
                Some(Op::IfFalse(to)) => match self.ops.get(*to) {
                    Some(Op::IfFalse(further)) => Some(*further),
                    Some(Op::IfTrue(_)) => Some(to + 1),
                    _ => None,
                },
                _ => None,
            };
            if let (Some(further), Some(Op::IfTrue(to) | Op::IfFalse(to))) = (further, self.ops.get_mut(at)) {
                *to = further;
            }
        }
    }

    /// Runs the tests that decide.
    pub(crate) fn run(&self, session: &Session, req: Option<&Request>) -> Result<bool, NeedBody> {
        self.trace(session, req, |_, _| {})
    }

    /// Runs the tests that decide, and tells of each its number (in order of the source, worked out when
    /// asked for) and its result.
    #[inline]
    pub(crate) fn trace(
        &self,
        session: &Session,
        req: Option<&Request>,
        mut tell: impl FnMut(&dyn Fn() -> usize, bool),
    ) -> Result<bool, NeedBody> {
        let mut state = false;
        let mut at = 0;
        while let Some(op) = self.ops.get(at) {
            at += 1;
            match op {
                Op::Test(test) => {
                    state = test.run(session, req)?;
                    tell(&|| self.tests_before(at - 1), state);
                }
                Op::Not => state = !state,
                Op::IfTrue(to) if state => at = *to,
                Op::IfFalse(to) if !state => at = *to,
                Op::IfTrue(_) | Op::IfFalse(_) => {}
            }
        }
        Ok(state)
    }

    fn tests_before(&self, at: usize) -> usize {
        self.ops.iter().take(at).filter(|op| matches!(op, Op::Test(_))).count()
    }
}
