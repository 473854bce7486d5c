//! The three files of a plugin, in `<WasmPluginPath>/NAME/`: `NAME.wasm`, `NAME.conf`, `NAME.md5`.

use crate::hex;
use bfe_basic::conf::read_bytes;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use std::path::Path;

/// What a plugin's files say.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) wasm: Vec<u8>,
    /// What the plugin gets as its configuration, byte for byte.
    pub(super) conf: Bytes,
}

/// Reads the files, and checks that the plugin is the one whose sum was written down.
///
/// # Errors
/// The file, and what is wrong with it.
pub(super) fn load(folder: &Path, name: &str) -> Result<Files, String> {
    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    let read = |extension: &str, what: &str| read_bytes(&file(extension)).map_err(|e| format!("{what}: {e}"));
    let wasm = read("wasm", "fail to load wasm bytes")?;
    if wasm.is_empty() {
        return Err(format!("fail to load wasm bytes: {}: the file is empty", file("wasm").display()));
    }
    let conf = read("conf", "fail to load config file")?;
    let sum = read("md5", "fail to load md5 file")?;
    let sum = String::from_utf8_lossy(&sum);
    let wanted = sum.split_whitespace().next().unwrap_or_default();
    let found = hex::encode(&Md5::digest(&wasm));
    if found != wanted {
        let (md5, wasm) = (file("md5"), file("wasm"));
        let (md5, wasm) = (md5.display(), wasm.display());
        return Err(format!("incorrect hash of wasm bytes: {md5} says {wanted:?}, {wasm} has {found}"));
    }
    Ok(Files { wasm, conf: conf.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasm_3_each_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        let fails = |want: &str| {
            let error = load(folder.path(), "p").unwrap_err();
            assert!(error.starts_with(want) && error.contains("/p."), "{error}");
        };
        fails("fail to load wasm bytes");
        write("p.wasm", "");
        fails("fail to load wasm bytes");
        write("p.wasm", "abc");
        fails("fail to load config file");
        write("p.conf", "");
        fails("fail to load md5 file");
        write("p.md5", "");
        fails("incorrect hash of wasm bytes");
        write("p.md5", "900150983CD24FB0D6963F7D28E17F72");
        fails("incorrect hash of wasm bytes");
        write("p.md5", "\n 900150983cd24fb0d6963f7d28e17f72  p.wasm\n");
        let files = load(folder.path(), "p").unwrap();
        assert_eq!((&files.wasm[..], &files.conf[..]), (&b"abc"[..], &b""[..]));
    }
}
