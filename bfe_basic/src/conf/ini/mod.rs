//! The INI dialect of `bfe.conf` and of the modules' `*.conf` files (config 2).
//!
//! A loader declares the sections and keys that it knows, each bound to the variable that takes the value;
//! what the variable held before is the default. Names match in any case, a repeated scalar takes its last
//! value, a repeated list key appends. Anything that is not declared is an error.
//!
//! ```
//! use bfe_basic::conf::ini::{self, Section};
//!
//! let (mut rules, mut debug) = (String::from("mod_x/x.data"), false);
//! let text = b"[basic]\nRulePath = other.data ; relative\n[Log]\nOpenDebug";
//! let read = ini::from_slice("mod_x.conf", text, &mut [
//!     Section::new("Basic").string("RulePath", &mut rules),
//!     Section::new("Log").bool("OpenDebug", &mut debug),
//! ])?;
//! assert_eq!((rules.as_str(), debug), ("other.data", true));
//!
//! let error = read.error("Basic", "RulePath", "no such thing");
//! assert_eq!(error.to_string(), "mod_x.conf:2:1: Basic.RulePath: no such thing");
//! # Ok::<(), bfe_basic::conf::ConfErrors>(())
//! ```

mod scan;
mod value;

use super::{ConfError, ConfErrors, Faults, MAX_FILE_BYTES, Place, did_you_mean, read_bytes};
use scan::Event;
use std::ops::ControlFlow;
use std::path::Path;

/// A section that a loader knows.
#[derive(Debug)]
pub struct Section<'v> {
    name: &'static str,
    keys: Vec<Key<'v>>,
}

#[derive(Debug)]
struct Key<'v> {
    name: &'static str,
    target: Target<'v>,
}

#[derive(Debug)]
enum Target<'v> {
    String(&'v mut String),
    Int(&'v mut i64),
    Bool(&'v mut bool),
    List(&'v mut Vec<String>),
}

impl<'v> Section<'v> {
    /// A section without keys.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, keys: Vec::new() }
    }

    /// A key with text.
    #[must_use]
    pub fn string(self, name: &'static str, target: &'v mut String) -> Self {
        self.key(name, Target::String(target))
    }

    /// A key with a 64-bit integer, decimal or `0x` hexadecimal.
    #[must_use]
    pub fn int(self, name: &'static str, target: &'v mut i64) -> Self {
        self.key(name, Target::Int(target))
    }

    /// A key with `true yes on 1` or `false no off 0`; the key alone is true.
    #[must_use]
    pub fn bool(self, name: &'static str, target: &'v mut bool) -> Self {
        self.key(name, Target::Bool(target))
    }

    /// A key that may be repeated: each line appends one element, the key alone empties the list.
    #[must_use]
    pub fn list(self, name: &'static str, target: &'v mut Vec<String>) -> Self {
        self.key(name, Target::List(target))
    }

    fn key(mut self, name: &'static str, target: Target<'v>) -> Self {
        self.keys.push(Key { name, target });
        self
    }
}

/// A file that has been read: what is needed to tell places in it.
#[derive(Debug)]
pub struct Ini {
    file: String,
    text: String,
    /// Section and key, as declared, and the offset of the last assignment.
    given: Vec<(&'static str, &'static str, usize)>,
}

impl Ini {
    /// The file as it was named to the loader.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether the file gives a key.
    #[must_use]
    pub fn has(&self, section: &str, key: &str) -> bool {
        self.place(section, key).is_some()
    }

    /// An error about a key, with the place of its last assignment if the file gives it.
    #[must_use]
    pub fn error(&self, section: &str, key: &str, reason: impl Into<String>) -> ConfError {
        ConfError {
            file: self.file.clone(),
            place: self.place(section, key),
            key: format!("{section}.{key}"),
            reason: reason.into(),
        }
    }

    fn place(&self, section: &str, key: &str) -> Option<Place> {
        let given = self.given.iter().find(|given| given.0 == section && given.1 == key)?;
        Some(Place::of(self.text.as_bytes(), given.2))
    }
}

/// Reads a file into the variables of `sections`.
///
/// # Errors
/// As [`from_slice`], and when the file cannot be read.
pub fn read_file(path: &Path, sections: &mut [Section<'_>]) -> Result<Ini, ConfErrors> {
    from_slice(&path.display().to_string(), &read_bytes(path)?, sections)
}

/// Reads a file that is in memory; `name` is what errors call it.
///
/// # Errors
/// All errors of the file up to the first syntax error: first those that end a load by themselves (syntax and
/// types), in the order of the file, then unknown sections and keys. The variables may have been changed.
pub fn from_slice(name: &str, bytes: &[u8], sections: &mut [Section<'_>]) -> Result<Ini, ConfErrors> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ConfError::of_file(name, format!("file is larger than {MAX_FILE_BYTES} bytes")).into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (text, bad) = valid_part(bytes);
    let mut reader = Reader {
        text,
        ini: Ini { file: name.to_owned(), text: String::new(), given: Vec::new() },
        sections,
        current: Current::None,
        fatal: Faults::new(),
        unknown: Vec::new(),
    };
    let mut syntax = scan::scan(text, |at, event| {
        reader.event(at, event);
        ControlFlow::Continue(())
    })
    .err();
    // A byte that no text may have ends the file for the scanner; it is what is wrong then, not that the line
    // before it seems to stop short.
    if let Some(reason) = bad
        && syntax.as_ref().is_none_or(|error| text_line_start(text) <= error.at)
    {
        syntax = Some(scan::SyntaxError { at: text.len(), reason: reason.to_owned() });
    }
    if let Some(error) = syntax {
        let place = Some(Place::of(text.as_bytes(), error.at));
        reader.fatal.push(ConfError {
            file: name.to_owned(),
            place,
            key: String::new(),
            reason: error.reason,
        });
    }
    for error in reader.unknown {
        reader.fatal.push(error);
    }
    reader.fatal.into_result().map(|()| Ini { text: text.to_owned(), ..reader.ini })
}

/// The text up to the first byte that is an error anywhere, and what is wrong with that.
fn valid_part(bytes: &[u8]) -> (&str, Option<&'static str>) {
    let nul = memchr::memchr(0, bytes);
    let before = bytes.get(..nul.unwrap_or(bytes.len())).unwrap_or(bytes);
    match str::from_utf8(before) {
        Ok(text) => (text, nul.map(|_| "illegal character NUL")),
        Err(error) => {
            let text = before.get(..error.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok());
            (text.unwrap_or_default(), Some("illegal UTF-8 encoding"))
        }
    }
}

fn text_line_start(text: &str) -> usize {
    text.rfind('\n').map_or(0, |at| at + 1)
}

/// The section that the scanner is in.
#[derive(Clone, Copy)]
enum Current {
    None,
    /// Index in the declared sections.
    Known(usize),
    /// Unknown, and reported.
    Unknown,
}

struct Reader<'r, 'v, 't> {
    text: &'t str,
    ini: Ini,
    sections: &'r mut [Section<'v>],
    current: Current,
    /// Errors that end a load.
    fatal: Faults,
    /// Errors that are only told of a file that has no others.
    unknown: Vec<ConfError>,
}

impl Reader<'_, '_, '_> {
    fn event(&mut self, at: usize, event: Event<'_>) {
        match event {
            Event::Section { name, sub } => self.section(at, name, sub),
            Event::Variable { key, value } => self.variable(at, key, value.as_deref()),
        }
    }

    fn section(&mut self, at: usize, name: &str, sub: bool) {
        let found = self.sections.iter().position(|section| same_name(section.name, name));
        self.current = match found {
            Some(index) if !sub => Current::Known(index),
            _ => Current::Unknown,
        };
        if found.is_some() && !sub {
            return;
        }
        let mut reason = format!("can't store data at section \"{name}\"");
        if sub {
            reason.push_str(": sub-sections are not supported");
        } else {
            reason.push_str(": unknown section");
            add_hint(&mut reason, name, self.sections.iter().map(|section| section.name));
        }
        self.unknown(at, name.to_owned(), reason);
    }

    fn variable(&mut self, at: usize, name: &str, value: Option<&str>) {
        // The keys of an unknown section are not reported one by one.
        let Current::Known(index) = self.current else { return };
        let Some(section) = self.sections.get_mut(index) else { return };
        let Some(key) = section.keys.iter_mut().find(|key| same_name(key.name, name)) else {
            let mut reason =
                format!("can't store data at section \"{}\", variable \"{name}\": unknown key", section.name);
            add_hint(&mut reason, name, section.keys.iter().map(|key| key.name));
            let key = format!("{}.{name}", section.name);
            self.unknown(at, key, reason);
            return;
        };
        let (section, name) = (section.name, key.name);
        match key.target.set(value) {
            Ok(()) => match self.ini.given.iter_mut().find(|given| given.0 == section && given.1 == name) {
                Some(given) => given.2 = at,
                None => self.ini.given.push((section, name, at)),
            },
            Err(reason) => self.fatal.push_with(|| ConfError {
                file: self.ini.file.clone(),
                place: Some(Place::of(self.text.as_bytes(), at)),
                key: format!("{section}.{name}"),
                reason,
            }),
        }
    }

    fn unknown(&mut self, at: usize, key: String, reason: String) {
        if self.unknown.len() < super::MAX_ERRORS {
            let place = Some(Place::of(self.text.as_bytes(), at));
            self.unknown.push(ConfError { file: self.ini.file.clone(), place, key, reason });
        }
    }
}

impl Target<'_> {
    /// Stores a value; `None` is a key without `=`.
    fn set(&mut self, value: Option<&str>) -> Result<(), String> {
        match (self, value) {
            (Self::String(target), Some(text)) => text.clone_into(target),
            (Self::Int(target), Some(text)) => {
                **target = value::integer(text).ok_or_else(|| {
                    format!("failed to parse {text:?} as int: expected a 64-bit decimal or 0x integer")
                })?;
            }
            (Self::Bool(target), Some(text)) => {
                **target = value::boolean(text).ok_or_else(|| {
                    format!("failed to parse bool {text:?}: expected true, yes, on, 1, false, no, off or 0")
                })?;
            }
            (Self::List(target), Some(text)) => target.push(text.to_owned()),
            (Self::Bool(target), None) => **target = true,
            (Self::List(target), None) => target.clear(),
            (Self::String(_) | Self::Int(_), None) => {
                return Err("blank value not supported for type: expected '=' and a value".to_owned());
            }
        }
        Ok(())
    }
}

fn add_hint<'k>(reason: &mut String, given: &str, known: impl IntoIterator<Item = &'k str>) {
    if let Some(meant) = did_you_mean(given, known) {
        reason.push_str("; did you mean \"");
        reason.push_str(meant);
        reason.push_str("\"?");
    }
}

/// Whether a name in a file is a declared one: Unicode case folding, by which two letters beyond ASCII count
/// as ASCII ones.
fn same_name(declared: &str, given: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    declared.chars().map(fold).eq(given.chars().map(fold))
}

#[cfg(test)]
mod tests;
