//! The text format of the corpus.

use std::fs;
use std::path::Path;

/// One case: its name, and its lines as word and text.
pub(super) struct Case {
    pub(super) name: String,
    lines: Vec<(String, Vec<u8>)>,
}

impl Case {
    /// All cases of the files in a folder of the corpus.
    pub(super) fn load(folder: &str) -> Vec<Self> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
        let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().flat_map(|file| read(file)).collect()
    }

    /// The texts of the lines with that word.
    pub(super) fn all<'c>(&'c self, word: &'c str) -> impl Iterator<Item = &'c [u8]> {
        self.lines.iter().filter(move |(w, _)| w == word).map(|(_, text)| text.as_slice())
    }

    /// The text of the line with that word.
    pub(super) fn text(&self, word: &str) -> Option<String> {
        self.all(word).next().map(|text| String::from_utf8_lossy(text).into_owned())
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.all(word).next().is_some()
    }

    /// The bytes of all lines of two words: `line` adds a CRLF to each, `raw` does not.
    pub(super) fn bytes(&self, line: &str, raw: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (word, text) in &self.lines {
            if word == line || word == raw {
                bytes.extend_from_slice(text);
            }
            if word == line {
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes
    }
}

fn read(file: &Path) -> Vec<Case> {
    let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
    let mut cases: Vec<Case> = Vec::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, text) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            cases.push(Case { name: format!("{stem}: {text}"), lines: Vec::new() });
        } else {
            let case = cases.last_mut().expect("a case before its lines");
            case.lines.push((word.to_owned(), unescape(text)));
        }
    }
    cases
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let (escape, more) = rest.split_first().expect("something after a backslash");
        rest = more;
        match escape {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let (digits, more) = rest.split_at(2);
                out.push(u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
                rest = more;
            }
            b'*' => {
                let open = rest.iter().position(|b| *b == b'{').expect("\\*N{text}");
                let close = rest.iter().position(|b| *b == b'}').expect("\\*N{text}");
                let times = std::str::from_utf8(&rest[..open]).unwrap().parse().unwrap();
                let repeated = unescape(std::str::from_utf8(&rest[open + 1..close]).unwrap());
                out.extend(repeated.repeat(times));
                rest = &rest[close + 1..];
            }
            other => panic!("\\{} means nothing", char::from(*other)),
        }
    }
    out
}
