//! The table of primitives in `docs/conditions.md` is what the code says.

#[cfg(test)]
mod tests {
    use bfe_basic::condition::Condition;
    use bfe_basic::condition::primitive::PRIMITIVES;
    use std::collections::BTreeSet;

    const BEGIN: &str = "<!-- primitives -->\n";
    const END: &str = "<!-- end of primitives -->\n";

    fn table() -> String {
        let mut table = String::from("| Primitive | Arguments | True when | Example |\n|---|---|---|---|\n");
        for p in &PRIMITIVES {
            let example = p.example.replace('|', "\\|");
            // An example with back quotes needs two of them around it.
            let example =
                if example.contains('`') { format!("`` {example} ``") } else { format!("`{example}`") };
            table += &format!("| `{}` | {} | {} | {example} |\n", p.name, p.arg_names, p.summary);
        }
        table
    }

    #[test]
    fn the_manual_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conditions.md");
        let manual = std::fs::read_to_string(path).unwrap();
        let start = manual.find(BEGIN).unwrap() + BEGIN.len();
        let end = manual.find(END).unwrap();
        let want = table();
        assert_eq!(&manual[start..end], want, "put this into docs/conditions.md:\n{want}");
    }

    #[test]
    fn cond_1_every_example_builds_and_calls_its_primitive() {
        let names: BTreeSet<&str> = PRIMITIVES.iter().map(|p| p.name).collect();
        assert_eq!(names.len(), 58);
        for p in &PRIMITIVES {
            assert!(p.example.starts_with(&format!("{}(", p.name)), "{}", p.example);
            assert_eq!(p.arg_names.split(", ").filter(|n| !n.is_empty()).count(), p.args.len(), "{}", p.name);
            Condition::build(p.example).unwrap();
        }
    }

    #[test]
    fn examples_of_the_text_build() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conditions.md");
        let manual = std::fs::read_to_string(path).unwrap();
        let mut count = 0;
        for block in manual.split("```bfe\n").skip(1) {
            for line in block.split("```").next().unwrap().lines() {
                Condition::build(line).unwrap_or_else(|e| panic!("{line}: {e}"));
                count += 1;
            }
        }
        assert!(count >= 4, "{count}");
    }
}
