//! Errors of configuration files.

use std::fmt;

/// How many errors of one load are kept; what comes after is counted only.
pub const MAX_ERRORS: usize = 50;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
}

impl Place {
    /// The place of byte `offset` in `text`; of its end where the offset lies beyond it.
    #[must_use]
    pub fn of(text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = memchr::memchr_iter(b'\n', before).count();
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: number(line + 1), column: number(before.len() - start + 1) }
    }
}

/// One thing that is wrong with a configuration file.
///
/// Shown as `file:line:column: key.path: reason`, without the parts that are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfError {
    /// The file as it was named to the loader.
    pub file: String,
    /// Where in the file, if the fault has a place.
    pub place: Option<Place>,
    /// What it is about: a JSON path (`Config.shop.BackendConf.Protocol`) or `Section.Key`; may be empty.
    pub key: String,
    /// What is wrong: the value, and what is expected.
    pub reason: String,
}

impl ConfError {
    /// An error about a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, key: String::new(), reason: reason.into() }
    }
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.file.is_empty() {
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}

/// Everything that was found wrong in one load: at least one error. Shown one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfErrors {
    first: Box<ConfError>,
    more: Vec<ConfError>,
    dropped: usize,
}

impl ConfErrors {
    /// The error that the load is said to fail with: the one that Go BFE would report, where it has an order.
    #[must_use]
    pub fn first(&self) -> &ConfError {
        &self.first
    }

    /// All errors that were kept, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &ConfError> {
        std::iter::once(&*self.first).chain(&self.more)
    }

    /// How many errors were found, those that were not kept included.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.more.len() + self.dropped
    }

    /// Adds the errors of another load, up to [`MAX_ERRORS`] in all.
    pub fn append(&mut self, other: Self) {
        let room = MAX_ERRORS.saturating_sub(1 + self.more.len());
        let count = other.count();
        let before = self.more.len();
        self.more.extend(std::iter::once(*other.first).chain(other.more).take(room));
        self.dropped += count - (self.more.len() - before);
    }
}

impl From<ConfError> for ConfErrors {
    fn from(error: ConfError) -> Self {
        Self { first: Box::new(error), more: Vec::new(), dropped: 0 }
    }
}

impl fmt::Display for ConfErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        for error in &self.more {
            write!(f, "\n{error}")?;
        }
        if self.dropped > 0 {
            write!(f, "\nand {} more errors", self.dropped)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfErrors {}

/// Gathers what a check finds, so that all of it can be told at once.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<ConfError>,
    dropped: usize,
}

impl Faults {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an error.
    pub fn push(&mut self, error: ConfError) {
        self.push_with(|| error);
    }

    /// Adds an error that is only made while there is room for it: finding its place costs a walk through the
    /// file.
    pub fn push_with(&mut self, error: impl FnOnce() -> ConfError) {
        if self.list.len() < MAX_ERRORS {
            self.list.push(error());
        } else {
            self.dropped += 1;
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// `Ok` where nothing was found.
    ///
    /// # Errors
    /// All that was found, in the order in which it was added.
    pub fn into_result(self) -> Result<(), ConfErrors> {
        let mut list = self.list.into_iter();
        match list.next() {
            None => Ok(()),
            Some(first) => {
                Err(ConfErrors { first: Box::new(first), more: list.collect(), dropped: self.dropped })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_counts_lines_and_bytes() {
        let text = "a\nüb\n".as_bytes();
        for (offset, line, column) in
            [(0, 1, 1), (1, 1, 2), (2, 2, 1), (4, 2, 3), (5, 2, 4), (6, 3, 1), (99, 3, 1)]
        {
            assert_eq!(Place::of(text, offset), Place { line, column }, "offset {offset}");
        }
    }

    #[test]
    fn display_leaves_out_what_is_not_known() {
        let mut error = ConfError {
            file: "f.data".into(),
            place: Some(Place { line: 3, column: 7 }),
            key: "Config.c".into(),
            reason: "no Port".into(),
        };
        assert_eq!(error.to_string(), "f.data:3:7: Config.c: no Port");
        error.place = None;
        assert_eq!(error.to_string(), "f.data: Config.c: no Port");
        error.key.clear();
        assert_eq!(error.to_string(), "f.data: no Port");
    }

    #[test]
    fn faults_keep_a_bounded_number() {
        let mut faults = Faults::new();
        for n in 0..MAX_ERRORS + 3 {
            faults.push(ConfError::of_file("f", n.to_string()));
        }
        let mut errors = faults.into_result().unwrap_err();
        assert_eq!(errors.count(), MAX_ERRORS + 3);
        assert_eq!(errors.iter().count(), MAX_ERRORS);
        assert!(errors.to_string().ends_with("and 3 more errors"), "{errors}");
        errors.append(ConfErrors::from(ConfError::of_file("g", "x")));
        assert_eq!(errors.count(), MAX_ERRORS + 4);
        assert_eq!(Faults::new().into_result(), Ok(()));
    }
}
