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

impl Op {
    /// The test that it runs.
    pub(crate) fn test(&self) -> Option<&Test> {
        match self {
            Self::Test(test) => Some(test),
            _ => None,
        }
    }
}

/// A prepared expression.
pub(crate) struct Program {
    ops: Vec<Op>,
}

/// An expression in postfix order, without names and parentheses.
enum Item {
    Leaf(Test),
    Not,
    And,
    Or,
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
        Self::compile(items(expr, tests))
    }

    /// The same with ranges of addresses put together where `||` joins them; tests are fewer than calls
    /// then.
    pub(crate) fn fused(expr: &Expr, tests: Vec<Test>) -> Self {
        Self::compile(fuse(items(expr, tests)))
    }

    fn compile(items: Vec<Item>) -> Self {
        let starts = subtree_starts(&items);
        let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
        let mut ops = Vec::with_capacity(items.len());
        let mut jumps = Vec::new();
        let mut landed = 0;
        let mut todo: Vec<Step> = items.len().checked_sub(1).map(Step::Visit).into_iter().collect();
        while let Some(step) = todo.pop() {
            match step {
                Step::Visit(at) => {
                    let before = at.wrapping_sub(1);
                    match items.get_mut(at).and_then(Option::take) {
                        Some(Item::Leaf(test)) => ops.push(Op::Test(test)),
                        Some(Item::Not) => {
                            todo.push(Step::Not);
                            todo.push(Step::Visit(before));
                        }
                        Some(item @ (Item::And | Item::Or)) => {
                            let left = starts.get(before).map_or(0, |start| start.wrapping_sub(1));
                            todo.push(Step::Land);
                            todo.push(Step::Visit(before));
                            todo.push(Step::Jump { when: matches!(item, Item::Or) });
                            todo.push(Step::Visit(left));
                        }
                        None => {}
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

    /// The steps: tests in the order of the source, jumps only onwards.
    pub(crate) fn ops(&self) -> &[Op] {
        &self.ops
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

fn items(expr: &Expr, tests: Vec<Test>) -> Vec<Item> {
    let mut tests = tests.into_iter();
    let item = |node: &Node| match node {
        Node::Call(_) => tests.next().map(Item::Leaf),
        Node::Not => Some(Item::Not),
        Node::And => Some(Item::And),
        Node::Or => Some(Item::Or),
        // An expression with names is never built.
        Node::Paren | Node::Name(..) => None,
    };
    expr.nodes.iter().filter_map(item).collect()
}

/// For each item the index of the first item of its subtree. The right operand of a binary item ends just
/// before it, the left one just before the start of the right.
fn subtree_starts(items: &[Item]) -> Vec<usize> {
    let mut starts: Vec<usize> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let start_before = |i: usize| i.checked_sub(1).and_then(|i| starts.get(i).copied()).unwrap_or(0);
        let start = match item {
            Item::Leaf(_) => at,
            Item::Not => start_before(at),
            Item::And | Item::Or => start_before(start_before(at)),
        };
        starts.push(start);
    }
    starts
}

/// Makes one test of tests of the same address that `||` joins.
fn fuse(items: Vec<Item>) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::with_capacity(items.len());
    // For each operand that waits, where in the output its last test is, if `||` joins that to the rest.
    let mut last_tests: Vec<Option<usize>> = Vec::new();
    for item in items {
        match item {
            Item::Leaf(_) => last_tests.push(Some(out.len())),
            Item::Not => {
                last_tests.pop();
                last_tests.push(None);
            }
            Item::And => {
                last_tests.pop();
                last_tests.pop();
                last_tests.push(None);
            }
            Item::Or => {
                let right = last_tests.pop().flatten();
                let left = last_tests.pop().flatten();
                if let Some(left) = left
                    && absorb_last(&mut out, left)
                {
                    last_tests.push(Some(left));
                    continue;
                }
                last_tests.push(right);
            }
        }
        out.push(item);
    }
    for item in &mut out {
        if let Item::Leaf(Test::AddressIn(_, ranges)) = item {
            ranges.settle();
        }
    }
    out
}

/// Puts the last item into the test at `into`, if both are of the same address.
fn absorb_last(out: &mut Vec<Item>, into: usize) -> bool {
    let (Some(Item::Leaf(Test::AddressIn(left, _))), Some(Item::Leaf(Test::AddressIn(right, _)))) =
        (out.get(into), out.last())
    else {
        return false;
    };
    if left != right || into + 1 == out.len() {
        return false;
    }
    if let Some(Item::Leaf(Test::AddressIn(_, more))) = out.pop()
        && let Some(Item::Leaf(Test::AddressIn(_, ranges))) = out.get_mut(into)
    {
        ranges.absorb(more);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Condition;
    use std::net::SocketAddr;
    use std::rc::Rc;

    #[test]
    fn ranges_of_addresses_become_one_test() {
        let range = |part: u8| format!("req_cip_range(\"10.0.{part}.0\", \"10.0.{part}.9\")");
        let (a, b, c) = (range(1), range(2), range(3));
        let other = "ses_sip_range(\"10.0.0.0\", \"10.0.255.255\")";
        for (expression, tests) in [
            (format!("{a} || {b} || {c}"), 1),
            (format!("({a} || {b}) || ({c})"), 1),
            (format!("req_query_exist() || {a} || {b}"), 2),
            (format!("{a} || {other} || {b}"), 3),
            (format!("{a} || !{b} || {c}"), 3),
            (format!("{a} || ({b} && {c})"), 3),
            (format!("{a} || {b} && {c} || {a}"), 2),
            (format!("!({a} || {b})"), 1),
        ] {
            let condition = Condition::build(&expression).unwrap();
            let count = condition.program.ops.iter().filter(|op| matches!(op, Op::Test(_))).count();
            assert_eq!(count, tests, "{expression}");
            let plain = crate::condition::build_with_place(&expression).unwrap();
            for part in 0..5 {
                for last in [0, 9, 10] {
                    let http = bfe_http::Request::new("GET", "/", "a").unwrap();
                    let mut req = Request::new(Rc::new(Session::default()), http);
                    req.client_addr = Some(SocketAddr::from(([10, 0, part, last], 1)));
                    assert_eq!(condition.matches(&req), plain.matches(&req), "{expression} {part} {last}");
                }
            }
        }
    }
}
