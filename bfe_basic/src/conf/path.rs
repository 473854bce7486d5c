//! Names of files that a configuration mentions (config 3.5).

use std::path::{Component, Path, PathBuf};

/// Resolves `value` against the configuration root: kept as it is where it starts with `/`, else joined to the
/// root and cleaned. Whether the file exists is not looked at.
#[must_use]
pub fn conf_path(root: &Path, value: &str) -> PathBuf {
    if value.starts_with('/') { PathBuf::from(value) } else { lexical_clean(&root.join(value)) }
}

/// Takes `.`, `..`, doubled and trailing slashes out of a path, by its text alone. Nothing left is `.`.
#[must_use]
pub fn lexical_clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match clean.components().next_back() {
                Some(Component::Normal(_)) => {
                    clean.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => clean.push(".."),
            },
            other => clean.push(other),
        }
    }
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_43_paths_join_the_root() {
        for (root, value, want) in [
            ("/srv/conf", "tls_conf/a.data", "/srv/conf/tls_conf/a.data"),
            ("/srv/conf", "/abs//x/../y", "/abs//x/../y"),
            ("/srv/conf", "../v.data", "/srv/v.data"),
            ("./conf", "a/./b//c", "conf/a/b/c"),
            ("conf", "../../x", "../x"),
            ("", "a.data", "a.data"),
            ("", "", "."),
            ("conf", "", "conf"),
            ("/", "../../etc", "/etc"),
        ] {
            assert_eq!(conf_path(Path::new(root), value), PathBuf::from(want), "{root} + {value}");
        }
    }
}
