//! User files: `user:hash`, or `user:hash:comment`, on each line.

use super::hash::Hash;
use bfe_basic::conf::read_bytes;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Lines from this length on end the reading, as in the original.
const LONGEST_LINE: usize = 64 * 1024;

/// The users of a file. Their names come from clients too, so that the map's hash is keyed.
pub(super) type Users = HashMap<Box<[u8]>, Arc<Hash>>;

/// Reads a file, as it is named: relative to the folder where the process was started.
///
/// # Errors
/// That the file cannot be read, or the line that is wrong; never what stands in it.
pub(super) fn load(file: &str) -> Result<Users, String> {
    let text = read_bytes(Path::new(file)).map_err(|e| e.to_string())?;
    let mut users = Users::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        if line.len() >= LONGEST_LINE {
            log::warn!("{file}:{number}: the line is too long: nothing is read from it on");
            break;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = trim(line, |byte| matches!(byte, b' ' | b'\t'));
        if line.is_empty() || line.contains(&b'#') {
            continue;
        }
        let parts: Vec<_> = line.split(|byte| *byte == b':').collect();
        let ([user, hash] | [user, hash, _]) = parts[..] else {
            let count = parts.len();
            return Err(format!(
                "{file}:{number}: Format error: expected user:hash or user:hash:comment, found {count} parts"
            ));
        };
        let blank = |byte: u8| byte.is_ascii_whitespace() || byte == 0x0b;
        users.insert(trim(user, blank).into(), Arc::new(Hash::parse(trim(hash, blank))));
    }
    Ok(users)
}

fn trim(mut text: &[u8], blank: impl Fn(u8) -> bool) -> &[u8] {
    while let [first, rest @ ..] = text
        && blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && blank(*last)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Users, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let name = file.path().to_str().unwrap();
        load(name).map_err(|error| error.replace(name, "users"))
    }

    #[test]
    fn authbasic_10_lines() {
        let sha = "{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=";
        let text = format!(
            "# note\r\n\n \t\na:{sha}\r\n\tb : {sha} : note \nc:{sha} # note\nd:\nd:{sha}\n:{sha}\ne:{sha}"
        );
        let users = load_text(&text).unwrap();
        for (user, known) in [("a", true), ("b", true), ("c", false), ("d", true), ("", true), ("e", true)] {
            let matches = users.get(user.as_bytes()).is_some_and(|hash| hash.matches(b"123456"));
            assert_eq!(matches, known, "{user}");
        }
        let long = format!("a:{sha}\nb:{}\nc:{sha}\n", "x".repeat(LONGEST_LINE - 2));
        assert_eq!(load_text(&long).unwrap().len(), 1);
    }

    #[test]
    fn wrong_lines_are_named_and_not_shown() {
        for (line, count) in [("alone", 1), ("secret:b:c:d", 4)] {
            let want = format!(
                "users:3: Format error: expected user:hash or user:hash:comment, found {count} parts"
            );
            assert_eq!(load_text(&format!("a:b\n# x\n{line}\n")).err(), Some(want));
        }
        assert!(load("/nowhere/users").err().unwrap().contains("/nowhere/users: cannot read file"));
    }
}
