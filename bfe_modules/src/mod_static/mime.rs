//! Content types by the extension of a file: by `mime_type.data`, else by a small table of our own and what
//! the system knows.

use bfe_basic::conf::json::{self};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_basic::json_path;
use bytes::Bytes;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Types of extensions that need no file.
const BUILT_IN: [(&str, &str); 16] = [
    (".avif", "image/avif"),
    (".css", "text/css; charset=utf-8"),
    (".gif", "image/gif"),
    (".htm", "text/html; charset=utf-8"),
    (".html", "text/html; charset=utf-8"),
    (".jpeg", "image/jpeg"),
    (".jpg", "image/jpeg"),
    (".js", "text/javascript; charset=utf-8"),
    (".json", "application/json"),
    (".mjs", "text/javascript; charset=utf-8"),
    (".pdf", "application/pdf"),
    (".png", "image/png"),
    (".svg", "image/svg+xml"),
    (".wasm", "application/wasm"),
    (".webp", "image/webp"),
    (".xml", "text/xml; charset=utf-8"),
];
/// Where the system's types are; the first that is there counts.
const GLOBS: [&str; 2] = ["/usr/local/share/mime/globs2", "/usr/share/mime/globs2"];
/// The same in the older form; all count, where none of the others is there.
const MIME_TYPES: [&str; 4] =
    ["/etc/mime.types", "/etc/apache2/mime.types", "/etc/apache/mime.types", "/etc/httpd/conf/mime.types"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawFile {
    #[serde(default)]
    version: String,
    config: Option<BTreeMap<String, String>>,
}

/// Types by extension in lower case, with its dot.
pub(super) type MimeTable = HashMap<Box<str>, Bytes>;

/// Loads `mime_type.data`.
pub(super) fn load(path: &Path) -> Result<MimeTable, ConfErrors> {
    let document = json::read_file::<RawFile>(path)?;
    let mut faults = Faults::new();
    if document.value.version.is_empty() {
        faults.push(document.error(&json_path!["Version"], "no Version"));
    }
    faults.into_result()?;
    let types = document.value.config.unwrap_or_default();
    Ok(types.into_iter().map(|(ext, kind)| (ext.to_lowercase().into(), kind.into())).collect())
}

/// What the system knows; read once, when the module starts.
pub(super) struct SystemTypes(HashMap<Box<str>, Bytes>);

impl SystemTypes {
    pub(super) fn load() -> Self {
        let mut types = Self::built_in();
        match GLOBS.iter().find_map(|path| std::fs::read_to_string(path).ok()) {
            Some(text) => types.add_globs(&text),
            None => {
                for text in MIME_TYPES.iter().filter_map(|path| std::fs::read_to_string(path).ok()) {
                    types.add_mime_types(&text);
                }
            }
        }
        types
    }

    fn built_in() -> Self {
        let types = BUILT_IN.iter();
        Self(types.map(|(ext, kind)| ((*ext).into(), Bytes::from_static(kind.as_bytes()))).collect())
    }

    /// The type of an extension; one in another case counts where its own is not known.
    pub(super) fn get(&self, extension: &str) -> Option<Bytes> {
        self.0.get(extension).or_else(|| self.0.get(extension.to_lowercase().as_str())).cloned()
    }

    /// Lines `weight:type:*.ext`; the first of an extension counts.
    fn add_globs(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split(':').skip(1);
            let (Some(kind), Some(glob)) = (fields.next(), fields.next()) else { continue };
            let Some(extension) = glob.strip_prefix('*').filter(|e| e.len() > 1 && e.starts_with('.')) else {
                continue;
            };
            if !extension.contains(['?', '*', '[']) {
                self.0.entry(extension.into()).or_insert_with(|| with_charset(kind));
            }
        }
    }

    /// Lines `type ext ext`; the last of an extension counts.
    fn add_mime_types(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
            let Some(kind) = words.next() else { continue };
            for extension in words {
                self.0.insert(format!(".{extension}").into(), with_charset(kind));
            }
        }
    }
}

fn with_charset(kind: &str) -> Bytes {
    if kind.starts_with("text/") && !kind.contains("charset") {
        Bytes::from(format!("{kind}; charset=utf-8"))
    } else {
        Bytes::from(kind.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_types() {
        let mut types = SystemTypes::built_in();
        types.add_globs(
            "# x\n50:text/plain:*.txt\n40:text/x:*.txt\n50:x/y:README*\n50:a/b:*.c[d]\n50:q/q:*.css\n",
        );
        assert_eq!(types.get(".txt").unwrap(), "text/plain; charset=utf-8");
        assert_eq!(types.get(".TXT").unwrap(), "text/plain; charset=utf-8");
        assert_eq!(types.get(".css").unwrap(), "text/css; charset=utf-8");
        assert_eq!(types.get(".c[d]"), None);
        types.add_mime_types("text/y txt\tTT # z\n# a b\napplication/q");
        assert_eq!(types.get(".txt").unwrap(), "text/y; charset=utf-8");
        assert_eq!(types.get(".TT").unwrap(), "text/y; charset=utf-8");
        assert_eq!(types.get(".z"), None);
    }

    #[test]
    fn static_10_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut load = |text: &str| {
            std::fs::write(file.as_file_mut().metadata().map(|_| file.path()).unwrap(), text).unwrap();
            load(file.path()).map_err(|e| e.first().reason.clone())
        };
        let table = load(r#"{"Version":"1","Config":{".FOO":"x/foo"}}"#).unwrap();
        assert_eq!(table.get(".foo").unwrap(), "x/foo");
        assert_eq!(load(r#"{"Config":{}}"#).unwrap_err(), "no Version");
        assert!(load(r#"{"Version":"1"}"#).unwrap().is_empty());
    }
}
