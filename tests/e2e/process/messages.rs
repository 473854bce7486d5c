//! What is said of files that are wrong, word for word: `messages.txt` beside this file shows it to a reader.

use bfe_tests::run;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// One heading of the file.
#[derive(Default)]
struct Case {
    name: String,
    /// Path in the tree, and text.
    files: Vec<(String, String)>,
    says: String,
}

fn answers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/process/messages.txt")
}

/// What stands before the first case, and the cases.
fn read(text: &str) -> (String, Vec<Case>) {
    let (mut head, mut cases): (String, Vec<Case>) = Default::default();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            cases.push(Case { name: name.into(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            head += &format!("{line}\n");
            continue;
        };
        if let Some(path) = line.strip_prefix("@ ") {
            case.files.push((path.into(), String::new()));
        } else if let Some(said) = line.strip_prefix("> ") {
            case.says += &format!("{said}\n");
        } else if let (Some((_, text)), false) = (case.files.last_mut(), line.is_empty()) {
            *text += &format!("{line}\n");
        }
    }
    (head, cases)
}

/// The folder `conf` that comes with the program, copied once for each case.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// `bfe.conf` of a case: its own or that of the program, with the modules it is about.
fn bfe_conf(case: &Case, shipped: &str) -> String {
    let own = case.files.iter().find(|(path, _)| path == "bfe.conf");
    let text = own.map_or(shipped, |(_, text)| text);
    let modules: BTreeSet<_> =
        case.files.iter().filter_map(|(path, _)| path.split_once('/')).map(|(folder, _)| folder).collect();
    let lines: String = modules
        .iter()
        .filter(|folder| folder.starts_with("mod_"))
        .filter(|module| text.lines().all(|line| line != format!("Modules = {module}")))
        .map(|module| format!("[Server]\nModules = {module}\n"))
        .collect();
    // A section may come again.
    format!("{text}{lines}")
}

/// What `-t` says, without what depends on the day and the folder.
fn said(case: &Case) -> String {
    static CONF: OnceLock<PathBuf> = OnceLock::new();
    let shipped = CONF.get_or_init(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf"));
    let dir = TempDir::new().unwrap();
    let conf = dir.path().join("conf");
    copy(shipped, &conf);
    for (path, text) in &case.files {
        fs::write(conf.join(path), text).unwrap();
    }
    let text = fs::read_to_string(shipped.join("bfe.conf")).unwrap();
    fs::write(conf.join("bfe.conf"), bfe_conf(case, &text)).unwrap();
    fs::create_dir(dir.path().join("bin")).unwrap();
    let ended = run(&["-c", "../conf", "-t"], &dir.path().join("bin"));
    let mut said = String::new();
    for line in ended.stdout.lines().chain(ended.stderr.lines()) {
        let line = line.replace("../conf/", "");
        // The time stands before the level.
        let line = match line.split_once("] [") {
            Some((_, rest)) => rest.replacen(']', "", 1),
            None => line,
        };
        // The shipped key may be read by all: not what this is about.
        if !line.contains("everybody on this machine can read") {
            writeln!(said, "{line}").unwrap();
        }
    }
    said
}

#[test]
fn messages_of_wrong_files_are_those_written_down() {
    let (head, cases) = read(&fs::read_to_string(answers()).unwrap());
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let said: Vec<_> = cases.iter().map(said).collect();
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        let mut text = head.trim_end().to_string() + "\n";
        for (case, said) in cases.iter().zip(&said) {
            write!(text, "\n## {}\n", case.name).unwrap();
            for (path, body) in &case.files {
                write!(text, "@ {path}\n{body}").unwrap();
            }
            for line in said.lines() {
                writeln!(text, "> {line}").unwrap();
            }
        }
        fs::write(answers(), text).unwrap();
        return;
    }
    let wrong: Vec<_> = cases
        .iter()
        .zip(&said)
        .filter(|(case, said)| case.says != **said)
        .map(|(case, said)| format!("{}:\n{}instead of\n{}", case.name, said, case.says))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
