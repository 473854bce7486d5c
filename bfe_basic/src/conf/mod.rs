//! Dialects of configuration files, and errors that name file, place, key, value and reason.
//!
//! Every loader of the house works in three steps, in files of the same three names: `raw` (serde structs,
//! exactly the file's shape), `check` (defaults and validation), `table` (what requests look things up in).
//!
//! - [`json`] reads the `*.data` files,
//! - [`ini`] reads `bfe.conf` and the modules' own `*.conf` files,
//! - [`conf_path`] resolves the names of files that a configuration mentions,
//! - [`Faults`] gathers the errors that a check finds, so that one run tells all of them.

mod error;
mod hint;
pub mod ini;
pub mod json;
mod path;

pub use error::{ConfError, ConfErrors, Faults, MAX_ERRORS, Place};
pub use hint::did_you_mean;
pub use path::{conf_path, lexical_clean};

/// The largest configuration file that is read, in bytes. Places in a file are kept as 32-bit offsets.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// How much of a file is read at once.
const PIECE: u64 = 256 * 1024;

/// Reads a whole configuration file, up to [`MAX_FILE_BYTES`].
///
/// # Errors
/// When the file cannot be opened or read, or is too large.
pub fn read_bytes(path: &std::path::Path) -> Result<Vec<u8>, ConfError> {
    use std::io::{ErrorKind, Read as _};
    let name = path.display().to_string();
    let read = || -> std::io::Result<Vec<u8>> {
        let file = std::fs::File::open(path)?;
        let expected = file.metadata()?.len().min(MAX_FILE_BYTES);
        // One byte more: room to find the end in.
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1);
        let mut file = file.take(MAX_FILE_BYTES + 1);
        while (&mut file).take(PIECE).read_to_end(&mut bytes)? > 0 {
            crate::pace::long_step();
        }
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > MAX_FILE_BYTES => {
            Err(ConfError::of_file(&name, format!("file is larger than {MAX_FILE_BYTES} bytes")))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            // The common reasons as Go BFE words them, without the number that Rust adds.
            let why = match error.kind() {
                ErrorKind::NotFound => "no such file or directory".to_owned(),
                ErrorKind::PermissionDenied => "permission denied".to_owned(),
                ErrorKind::IsADirectory => "is a directory".to_owned(),
                _ => error.to_string(),
            };
            Err(ConfError::of_file(&name, format!("cannot read file: {why}")))
        }
    }
}
