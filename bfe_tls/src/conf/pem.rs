//! PEM files, read as leniently as the reference reads them: text around blocks and blocks that are damaged
//! are passed over.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new());

/// A block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind `BEGIN`.
    pub(crate) label: String,
    /// What is inside.
    pub(crate) der: Vec<u8>,
}

/// All blocks of a file.
pub(crate) fn blocks(file: &[u8]) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(String, Vec<u8>)> = None;
    for line in file.split(|b| *b == b'\n') {
        // A frame begins its line; what stands behind it may be blank.
        let line = line.trim_ascii_end();
        if let Some(label) = framed(line, b"-----BEGIN ") {
            open = Some((label, Vec::new()));
            continue;
        }
        let Some((label, text)) = &mut open else { continue };
        if let Some(end) = framed(line, b"-----END ") {
            if end == *label
                && let Ok(der) = BASE64.decode(&*text)
            {
                found.push(Block { label: std::mem::take(label), der });
            }
            open = None;
        } else if !line.contains(&b':') {
            // A line with a colon is a header, such as `Proc-Type`.
            text.extend(line.iter().filter(|b| !b.is_ascii_whitespace()));
        }
    }
    found
}

fn framed(line: &[u8], begin: &[u8]) -> Option<String> {
    let label = line.strip_prefix(begin)?.strip_suffix(b"-----")?;
    Some(String::from_utf8_lossy(label).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_and_damage_is_passed_over() {
        let block = |label: &str, der: &[u8]| Block { label: label.into(), der: der.to_vec() };
        for (text, want) in [
            ("", vec![]),
            ("junk", vec![]),
            ("a\n-----BEGIN X-----\nAQID\n-----END X-----\nb", vec![block("X", &[1, 2, 3])]),
            ("-----BEGIN X-----\r\nAQ\r\nID\r\n-----END X-----\r\n", vec![block("X", &[1, 2, 3])]),
            ("-----BEGIN X-----\nAQID\n", vec![]),
            ("-----BEGIN X-----\nAQID\n-----END Y-----\n", vec![]),
            (
                "-----BEGIN X-----\n!\n-----END X-----\n-----BEGIN Y-----\nAA==\n-----END Y-----",
                vec![block("Y", &[0])],
            ),
            ("-----BEGIN X-----\nA: b\n\nAA==\n-----END X-----", vec![block("X", &[0])]),
            ("-----BEGIN X----- \n AA==\n-----END X-----\t", vec![block("X", &[0])]),
            (" -----BEGIN X-----\nAA==\n-----END X-----", vec![]),
        ] {
            assert_eq!(blocks(text.as_bytes()), want, "{text:?}");
        }
    }
}
