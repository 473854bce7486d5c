//! Paths into a JSON file, and finding them again when an error is to be told.

use super::scan::{Kind, Node, Tape};
use super::text::string_text;
use crate::conf::did_you_mean;
use std::fmt::{self, Write as _};

/// A step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Member of an object. Matched exactly, else without regard to ASCII case.
    Key(String),
    /// Element of a list, from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A path into a JSON file: `Config.shop.BackendConf.Protocol`, `Hosts.tag[3]`. Keys with dots, brackets,
/// quotes or blanks in them are shown in double quotes.
///
/// Made with [`json_path!`](crate::json_path).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// This path and one more step.
    #[must_use]
    pub fn then(&self, step: impl Into<Step>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    if n > 0 {
                        f.write_char('.')?;
                    }
                    let odd = |c: char| ".[]\"".contains(c) || c.is_whitespace() || c.is_control();
                    if key.is_empty() || key.contains(odd) {
                        write!(f, "{key:?}")
                    } else {
                        f.write_str(key)
                    }?;
                }
            }
        }
        Ok(())
    }
}

/// A [`Path`](crate::conf::json::Path) from keys and indexes: `json_path!["Config", name, "Backends", 3]`.
#[macro_export]
macro_rules! json_path {
    ($($step:expr),* $(,)?) => {
        $crate::conf::json::Path(vec![$($crate::conf::json::Step::from($step)),*])
    };
}

/// Where a value is.
pub(super) struct Located {
    /// Its offset: that of the nearest thing around it that exists, where it does not.
    pub(super) at: usize,
    /// A key beside it that is nearly its own, where it does not exist; and the key's offset.
    pub(super) near: Option<(String, usize)>,
}

/// Finds the value at `path`.
pub(super) fn locate(text: &str, tape: &Tape, path: &Path) -> Option<Located> {
    let mut index = 0;
    let mut found = tape.get(0)?;
    for step in &path.0 {
        let Some(next) = child(text, tape, index, found, step) else {
            return Some(Located { at: start(found), near: near(text, tape, index, found, step) });
        };
        index = next;
        found = tape.get(index)?;
    }
    Some(Located { at: start(found), near: None })
}

/// A key of an object that may have been meant by `step`.
fn near(text: &str, tape: &Tape, parent: u32, node: Node, step: &Step) -> Option<(String, usize)> {
    let (Kind::Object, Step::Key(wanted)) = (node.kind, step) else { return None };
    let mut at = parent + 1;
    while at < node.next {
        let key = tape.get(at)?;
        let name = string_text(text, key);
        if did_you_mean(&name, [wanted.as_str()]).is_some() {
            return Some((name.into_owned(), start(key)));
        }
        at = tape.get(key.next)?.next;
    }
    None
}

/// Where a node begins as a reader sees it: a string at its quote.
pub(super) fn start(node: Node) -> usize {
    (node.start as usize).saturating_sub(usize::from(matches!(node.kind, Kind::String { .. })))
}

/// The index of the child that `step` leads to: the last of that name.
fn child(text: &str, tape: &Tape, parent: u32, node: Node, step: &Step) -> Option<u32> {
    let mut at = parent + 1;
    let mut exact = None;
    let mut folded = None;
    let mut position = 0;
    while at < node.next {
        let current = tape.get(at)?;
        match (node.kind, step) {
            (Kind::Object, Step::Key(wanted)) => {
                let key = string_text(text, current);
                if key == wanted.as_str() {
                    exact = Some(current.next);
                } else if key.eq_ignore_ascii_case(wanted) {
                    folded = Some(current.next);
                }
                at = tape.get(current.next)?.next;
            }
            (Kind::Array, Step::Index(wanted)) => {
                if position == *wanted {
                    return Some(at);
                }
                position += 1;
                at = current.next;
            }
            _ => return None,
        }
    }
    exact.or(folded)
}
