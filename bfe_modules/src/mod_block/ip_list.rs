//! `ip_blocklist.data`: addresses, ranges and prefixes, a line each.

use bfe_basic::conf::{ConfError, ConfErrors, Place};
use bfe_basic::ip_dict::{self, IpDict};
use std::path::Path;

/// Loads the file. More entries than its first line announces are an error.
pub(super) fn load(path: &Path) -> Result<IpDict, ConfErrors> {
    let fault = |line: Option<u32>, reason: String| {
        let place = line.map(|line| Place { line, column: 1 });
        let error = ConfError { place, ..ConfError::of_file(&path.display().to_string(), reason) };
        ConfErrors::from(error)
    };
    let loaded = ip_dict::load_file(path, None, "").map_err(|e| fault(e.line, e.to_string()))?;
    if loaded.exceeded {
        return Err(fault(None, "Max line exceed: more entries than the first line announces".into()));
    }
    Ok(loaded.dict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<IpDict, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(file.path()).map_err(|e| e.to_string())
    }

    #[test]
    fn addresses_ranges_and_prefixes() {
        let list = load_text("# note\n\n10.0.0.1\n10.1.0.0\t10.1.0.9\n10.2.0.0/16\n").unwrap();
        for (ip, inside) in [
            ("10.0.0.1", true),
            ("10.0.0.2", false),
            ("10.1.0.5", true),
            ("10.2.255.255", true),
            ("10.3.0.0", false),
        ] {
            assert_eq!(list.contains(ip.parse().unwrap()), inside, "{ip}");
        }
    }

    #[test]
    fn wrong_files_are_named_with_the_line() {
        for text in ["10.0.0.1 # comment", "10.0.0.2 10.0.0.1", "x"] {
            assert!(load_text(text).unwrap_err().contains(text.split(' ').next().unwrap()), "{text}");
        }
        assert!(load_text("10.0.0.1 ::1").is_err());
        let header = "#{\"version\":\"v\",\"singleIPNum\":1,\"pairIPNum\":0}\n";
        assert!(load_text(&format!("{header}10.0.0.1\n")).is_ok());
        assert!(load_text(&format!("{header}10.0.0.1\n10.0.0.2\n")).unwrap_err().contains("Max line exceed"));
    }
}
