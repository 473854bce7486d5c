//! Files of vectors, line by line.

/// Calls `check` for each line of a file and gives how many there are. All lines are checked before the
/// test fails.
pub(crate) fn each_line(name: &str, check: impl Fn(&str) -> Result<(), String>) -> usize {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut section = "";
    let mut count = 0;
    let mut failures = Vec::new();
    for (at, line) in text.lines().enumerate().skip(1) {
        if let Some(mark) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'))
            && mark.starts_with(|c: char| c.is_ascii_digit())
        {
            section = mark;
            continue;
        }
        count += 1;
        if let Err(why) = check(&line.replace('⏎', "\n")) {
            failures.push(format!("{name}:{} (section {section}) {line}\n    {why}", at + 1));
        }
    }
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
    count
}

pub(crate) fn cut<'a>(line: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    // A field at the end of a line may be empty, and then editors may have taken the blank before it.
    line.split_once(&format!("  {mark}  "))
        .or_else(|| line.strip_suffix(&format!("  {mark}")).map(|l| (l, "")))
}
