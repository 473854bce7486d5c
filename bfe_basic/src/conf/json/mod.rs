//! The JSON dialect of the `*.data` files (config 4).
//!
//! serde does the typing; reading is done here and not by serde_json, because the dialect needs what
//! serde_json drops or refuses: names of fields in any case, objects given twice and merged, bytes after the
//! value, lone surrogates, the exact form of numbers, and the place of every value for error messages.
//!
//! For the writers of raw structs:
//!
//! - Fields are matched in any ASCII case, unknown ones skipped. Give them the name that people write
//!   (`rename`), as errors show it. `null` and absent are the same for
//!   `Option`; for any other type `null` is the empty value, and an absent field needs `#[serde(default)]`.
//! - Maps are `BTreeMap` or `HashMap`: a repeated key is given again, and the later value replaces the
//!   earlier one whole. A struct that is given twice under one field is merged field by field, and of a list of
//!   structs each with the one in its place before.
//! - `null` behind a value makes an `Option`, a string, a map and a list empty, and changes nothing in any other
//!   type.
//! - Integers are digits only. Where the range of a type is narrower than Go's, take `i64` and check.
//! - `#[serde(flatten)]` and `deny_unknown_fields` do not fit the dialect.
//! - Bytes that are not UTF-8 become U+FFFD, with a warning. Nothing can be looked up by such a name but by
//!   U+FFFD itself.

mod access;
mod de;
mod path;
mod scan;
mod text;

pub use path::{Path, Step};

use super::{ConfError, ConfErrors, MAX_FILE_BYTES, Place, read_bytes};
use scan::Tape;
use serde::de::DeserializeOwned;
use std::sync::OnceLock;

/// A file that has been read: its value, and what is needed to tell places in it.
#[derive(Debug)]
pub struct Document<T> {
    /// What the file says.
    pub value: T,
    /// Things that are probably mistakes but no errors: keys that look misspelt, bytes that are not UTF-8.
    pub warnings: Vec<ConfError>,
    source: Source,
}

/// The text of a file, from which places are found.
#[derive(Debug)]
pub struct Source {
    file: String,
    text: String,
    // Scanned again at the first error only: a good file needs no places.
    tape: OnceLock<Option<Tape>>,
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read, is not JSON, or a value in it has the wrong type.
pub fn read_file<T: DeserializeOwned>(path: &std::path::Path) -> Result<Document<T>, ConfErrors> {
    from_vec(&path.display().to_string(), read_bytes(path)?)
}

/// Reads a file that is in memory; `name` is what errors call it.
///
/// # Errors
/// When it is not JSON, or a value in it has the wrong type.
pub fn from_slice<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<Document<T>, ConfErrors> {
    from_vec(name, bytes.to_vec())
}

fn from_vec<T: DeserializeOwned>(name: &str, bytes: Vec<u8>) -> Result<Document<T>, ConfErrors> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ConfError::of_file(name, format!("file is larger than {MAX_FILE_BYTES} bytes")).into());
    }
    let mut warnings = Vec::new();
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        let place = Place::of(error.as_bytes(), error.utf8_error().valid_up_to());
        warnings.push(ConfError {
            file: name.to_owned(),
            place: Some(place),
            key: String::new(),
            reason: "bytes that are not UTF-8 are read as U+FFFD".into(),
        });
        // No ASCII byte is lost by this, so that the text has the same structure.
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    });
    crate::pace::long_step();
    let tape = Tape::scan(&text).map_err(|error| ConfError {
        file: name.to_owned(),
        place: Some(Place::of(text.as_bytes(), error.at)),
        key: String::new(),
        reason: error.reason,
    })?;
    let context = de::Context::new(&text, &tape);
    let value = T::deserialize(de::Value::root(&context)).map_err(|error| {
        let (path, at, reason) = error.into_parts();
        ConfError {
            file: name.to_owned(),
            place: at.map(|at| Place::of(text.as_bytes(), at)),
            key: path.to_string(),
            reason,
        }
    })?;
    warnings.extend(context.into_warnings().into_iter().map(|(at, reason)| ConfError {
        file: name.to_owned(),
        place: Some(Place::of(text.as_bytes(), at)),
        key: String::new(),
        reason,
    }));
    let source = Source { file: name.to_owned(), text, tape: OnceLock::new() };
    Ok(Document { value, warnings, source })
}

impl<T> Document<T> {
    /// An error about the value at `path`, with its place: the place of what is around it, where the value
    /// itself is absent.
    #[must_use]
    pub fn error(&self, path: &Path, reason: impl Into<String>) -> ConfError {
        self.source.error(path, reason)
    }

    /// The value on its own, the source for errors, and the warnings.
    #[must_use]
    pub fn into_parts(self) -> (T, Source, Vec<ConfError>) {
        (self.value, self.source, self.warnings)
    }
}

impl Source {
    /// The file as it was named to the loader.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// An error about what follows the value, for the loaders that take nothing there.
    #[must_use]
    pub fn rest_error(&self) -> Option<ConfError> {
        let tape = self.tape.get_or_init(|| Tape::scan(&self.text).ok());
        let root = tape.as_ref()?.get(0)?;
        let quote = usize::from(matches!(root.kind, scan::Kind::String { .. }));
        let end = root.end as usize + quote;
        let rest = self.text.get(end..)?;
        let at = end + rest.find(|c| !matches!(c, ' ' | '\t' | '\n' | '\r'))?;
        Some(ConfError {
            file: self.file.clone(),
            place: Some(Place::of(self.text.as_bytes(), at)),
            key: String::new(),
            reason: "there are bytes left after the top-level value".into(),
        })
    }

    /// An error about the value at `path`, see [`Document::error`].
    #[must_use]
    pub fn error(&self, path: &Path, reason: impl Into<String>) -> ConfError {
        let tape = self.tape.get_or_init(|| Tape::scan(&self.text).ok());
        let located = tape.as_ref().and_then(|tape| path::locate(&self.text, tape, path));
        let place = |at| Place::of(self.text.as_bytes(), at);
        let mut reason = reason.into();
        if let Some((key, at)) = located.as_ref().and_then(|located| located.near.as_ref()) {
            let Place { line, column } = place(*at);
            reason += &format!("; is \"{key}\" at {line}:{column} meant to be it?");
        }
        ConfError {
            file: self.file.clone(),
            place: located.map(|located| place(located.at)),
            key: path.to_string(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
