//! The tree that comes with the program with any bytes for one of its files: an error that can be shown, or a
//! server that could start. What the loaders of TLS and of all modules make of wrong files.

#![no_main]

use bfe_basic::conf::ConfErrors;
use bfe_server::config::BfeConfig;
use bfe_server::{Server, StartError};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The copy that is written to, and its files.
struct Tree {
    root: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

fn copy(from: &Path, to: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    fs::create_dir_all(to).expect("folder");
    let mut entries: Vec<_> = fs::read_dir(from).expect("read").map(|e| e.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        let to = to.join(path.file_name().expect("name"));
        if path.is_dir() {
            copy(&path, &to, files);
        } else {
            let bytes = fs::read(&path).expect("read");
            fs::write(&to, &bytes).expect("write");
            files.push((to, bytes));
        }
    }
}

fn tree() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| {
        let home = std::env::temp_dir().join(format!("bfe-fuzz-tree-{}", std::process::id()));
        let (root, bin) = (home.join("conf"), home.join("bin"));
        let mut files = Vec::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf"), &root, &mut files);
        // Logs go to `../log`.
        fs::create_dir_all(&bin).expect("folder");
        fs::create_dir_all(home.join("log")).expect("folder");
        std::env::set_current_dir(&bin).expect("folder");
        Tree { root, files }
    })
}

fn load(tree: &Tree, module: Option<&str>) -> Result<(), String> {
    let (mut config, _) = BfeConfig::load(&tree.root).map_err(|e: ConfErrors| e.to_string())?;
    config.server.modules = module.map(str::to_owned).into_iter().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let loaded = Server::load(&tree.root, config, &bfe_modules::registry(), runtime.handle().clone());
    loaded.map(drop).map_err(|e: StartError| e.to_string())
}

fuzz_target!(|input: (u8, &[u8])| {
    let (which, bytes) = input;
    let tree = tree();
    let Some((path, good)) = tree.files.get(which as usize % tree.files.len()) else { return };
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    fs::write(path, bytes).expect("write");
    let outcome = load(tree, folder.filter(|name| name.starts_with("mod_")));
    fs::write(path, good).expect("write");
    if let Err(shown) = outcome {
        assert!(!shown.is_empty());
    }
});
