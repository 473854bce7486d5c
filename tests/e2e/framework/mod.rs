//! The callback framework: what each answer of a handler leads to (lifecycle 2.2), and that every path ends
//! with its handlers called once. The module that answers is `mod_probe` of the binary `bfe_with_probe`.

mod cells;
mod once;

use bfe_tests::{Bfe, wait_for};

/// Letters of the points in their order: Accept, BeforeLocation, FoundProduct, AfterLocation, Forward,
/// ReadResponse, RequestFinish, Finish.
const LETTERS: [(&str, char); 8] = [
    ("HandleAccept", 'A'),
    ("HandleBeforeLocation", 'B'),
    ("HandleFoundProduct", 'P'),
    ("HandleAfterLocation", 'L'),
    ("HandleForward", 'F'),
    ("HandleReadResponse", 'R'),
    ("HandleRequestFinish", 'Q'),
    ("HandleFinish", 'E'),
];

/// The calls that there were for a connection that has ended.
struct Trace(Vec<String>);

impl Trace {
    /// Waits for the end of the connection from that port.
    #[track_caller]
    fn of(bfe: &Bfe, port: u16) -> Self {
        let lines = || -> Vec<String> {
            let text = bfe.monitor(&format!("/monitor/mod_probe.trace?port={port}"));
            text.lines().map(str::to_owned).collect()
        };
        wait_for("the Finish handlers", || {
            lines().iter().any(|line| line.starts_with("HandleFinish")).then_some(())
        });
        // The first of them was there, but the second may just have been on its way.
        Self(lines())
    }

    /// A letter for each chain of the two handlers; with a `!` where the second was not called.
    fn letters(&self) -> String {
        let mut letters = String::new();
        let mut lines = self.0.iter().peekable();
        while let Some(line) = lines.next() {
            let (point, rest) = line.split_once(' ').unwrap();
            assert!(rest.starts_with("first"), "{:#?}", self.0);
            letters.push(LETTERS.iter().find(|(name, _)| *name == point).unwrap().1);
            if lines.next_if(|next| next.starts_with(&format!("{point} second"))).is_none() {
                letters.push('!');
            }
        }
        letters
    }

    /// What the first handler of that point saw when it was called for the `n`th time, from 0.
    #[track_caller]
    fn seen(&self, point: &str, n: usize) -> &str {
        let first = format!("{point} first ");
        let mut seen = self.0.iter().filter_map(|line| line.strip_prefix(&first));
        seen.nth(n).unwrap_or_else(|| panic!("{point} was not called: {:#?}", self.0))
    }
}
