//! Properties: printing and parsing agree, prepared sets agree with plain loops, nothing panics.

#[cfg(test)]
mod tests {
    use bfe_basic::action::Action;
    use bfe_basic::condition::ast::{Call, Expr, Literal, Node};
    use bfe_basic::condition::{Condition, explain, json, parse, time};
    use bfe_basic::{BodyPeek, Request, Session};
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::rc::Rc;

    fn request(target: &str) -> Request {
        let http = bfe_http::Request::new("GET", target, "example.org").unwrap();
        Request::new(Rc::new(Session::default()), http)
    }

    /// A tree, from which expressions are made with parentheses where they are needed, and some more.
    #[derive(Clone, Debug)]
    enum Tree {
        Leaf(Node),
        Not(Box<Tree>),
        Paren(Box<Tree>),
        And(Box<Tree>, Box<Tree>),
        Or(Box<Tree>, Box<Tree>),
    }

    impl Tree {
        fn strength(&self) -> u8 {
            match self {
                Self::And(..) => 1,
                Self::Or(..) => 2,
                Self::Not(_) => 3,
                Self::Leaf(_) | Self::Paren(_) => 4,
            }
        }

        /// Adds the nodes in postfix order; what binds less than `least` goes into parentheses.
        fn add_to(&self, least: u8, nodes: &mut Vec<Node>) {
            match self {
                Self::Leaf(leaf) => nodes.push(leaf.clone()),
                Self::Not(inner) => {
                    inner.add_to(3, nodes);
                    nodes.push(Node::Not);
                }
                Self::Paren(inner) => {
                    inner.add_to(0, nodes);
                    nodes.push(Node::Paren);
                }
                Self::And(left, right) => {
                    left.add_to(1, nodes);
                    right.add_to(2, nodes);
                    nodes.push(Node::And);
                }
                Self::Or(left, right) => {
                    left.add_to(2, nodes);
                    right.add_to(3, nodes);
                    nodes.push(Node::Or);
                }
            }
            if self.strength() < least {
                nodes.push(Node::Paren);
            }
        }
    }

    fn literal() -> impl Strategy<Value = Literal> {
        prop_oneof![
            "[a-z/|é ]{0,6}".prop_map(|value| Literal::Text { value, raw: false }),
            "([a-z]|\\\\\\.|\\\\x41|\\\\\\\\){0,4}".prop_map(|value| Literal::Text { value, raw: false }),
            "[^`\0\u{feff}\r]{0,6}".prop_map(|value| Literal::Text { value, raw: true }),
            any::<bool>().prop_map(Literal::Bool),
            "0|[1-9][0-9]{0,5}|0x[0-9a-f]{1,4}".prop_map(Literal::Int),
        ]
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let name = "[-_x][-_a-z0-9é]{0,5}";
        let call = (name, prop::collection::vec(literal(), 0..4))
            .prop_map(|(name, args)| Tree::Leaf(Node::Call(Call { name, args, at: 0 })));
        let leaf = prop_oneof![call, name.prop_map(|name| Tree::Leaf(Node::Name(name, 0)))];
        leaf.prop_recursive(6, 40, 2, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                inner.clone().prop_map(|t| Tree::Not(Box::new(t))),
                inner.prop_map(|t| Tree::Paren(Box::new(t))),
                two.clone().prop_map(|(a, b)| Tree::And(Box::new(a), Box::new(b))),
                two.prop_map(|(a, b)| Tree::Or(Box::new(a), Box::new(b))),
            ]
        })
    }

    /// Text that is nearly an expression.
    fn soup() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("req_path_in(\"/a\", false)"),
            Just("req_path_regmatch(`^/[a-z]+$`)"),
            Just("req_query_exist()"),
            Just("default_t()"),
            Just("(("),
            Just(")"),
            Just("!"),
            Just(" && "),
            Just("||"),
            Just("\""),
            Just("`"),
            Just("\\"),
            Just("0x"),
            Just("// c\n"),
            Just("é"),
            Just("\u{feff}"),
            Just("\0"),
            Just(","),
        ];
        prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn parsing_undoes_printing(tree in tree()) {
            let mut nodes = Vec::new();
            tree.add_to(0, &mut nodes);
            let expr = Expr { nodes };
            let text = expr.to_string();
            prop_assert_eq!(parse(&text)?, expr);
        }

        #[test]
        fn evaluation_is_that_of_the_tree(tree in tree(), bits in any::<u64>()) {
            // Leaves become true or false; the tree is evaluated by plain recursion beside it.
            fn plain(tree: &Tree, bits: &mut u64, nodes: &mut Vec<Node>, least: u8) -> bool {
                let result = match tree {
                    Tree::Leaf(_) => {
                        let bit = *bits & 1 == 1;
                        *bits = bits.rotate_right(1);
                        let name = if bit { "default_t" } else { "req_query_exist" };
                        nodes.push(Node::Call(Call { name: name.into(), args: Vec::new(), at: 0 }));
                        bit
                    }
                    Tree::Not(inner) => {
                        let inner = plain(inner, bits, nodes, 3);
                        nodes.push(Node::Not);
                        !inner
                    }
                    Tree::Paren(inner) => {
                        let inner = plain(inner, bits, nodes, 0);
                        nodes.push(Node::Paren);
                        inner
                    }
                    Tree::And(left, right) => {
                        let (left, right) = (plain(left, bits, nodes, 1), plain(right, bits, nodes, 2));
                        nodes.push(Node::And);
                        left && right
                    }
                    Tree::Or(left, right) => {
                        let (left, right) = (plain(left, bits, nodes, 2), plain(right, bits, nodes, 3));
                        nodes.push(Node::Or);
                        left || right
                    }
                };
                if tree.strength() < least {
                    nodes.push(Node::Paren);
                }
                result
            }
            let (mut bits, mut nodes) = (bits, Vec::new());
            let want = plain(&tree, &mut bits, &mut nodes, 0);
            let text = Expr { nodes }.to_string();
            let condition = Condition::build(&text)?;
            prop_assert_eq!(condition.matches(&request("/")), Ok(want), "{}", text);
            let explained = explain(&text, Some(&request("/")))?;
            prop_assert_eq!(explained.outcome.and_then(|outcome| outcome.matched), Some(want));
        }

        #[test]
        fn sets_agree_with_plain_loops(
            members in prop::collection::vec("[abA/é]{0,4}", 1..9),
            path in "/[abA/é]{0,6}",
            fold in any::<bool>(),
        ) {
            let list = members.join("|");
            let case = |text: &str| if fold { text.to_uppercase() } else { text.to_owned() };
            let value = case(&path);
            let any = |test: &dyn Fn(&str) -> bool| members.iter().any(|m| test(&case(m)));
            let slash = |text: &str| if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
            let req = request(&path);
            for (name, want) in [
                ("req_path_in", any(&|m| value == m)),
                ("req_path_prefix_in", any(&|m| value.starts_with(m))),
                ("req_path_suffix_in", any(&|m| value.ends_with(m))),
                ("req_path_contain", any(&|m| value.contains(m))),
                ("req_path_element_prefix_in", any(&|m| slash(&value).starts_with(&slash(m)))),
            ] {
                let text = format!("{name}(\"{list}\", {fold})");
                let condition = Condition::build(&text)?;
                prop_assert_eq!(condition.matches(&req), Ok(want), "{} on {}", text, path);
            }
        }

        #[test]
        fn key_sets_agree_with_plain_loops(
            members in prop::collection::vec("[ab]{0,3}", 1..12),
            keys in prop::collection::vec("[ab]{0,4}", 0..12),
        ) {
            let list = members.join("|");
            // Pairs have a value, since a piece without a key is none.
            let target = format!("/?{}", keys.iter().map(|k| format!("{k}=1")).collect::<Vec<_>>().join("&"));
            let mut req = request(&target);
            let cookie = keys.iter().map(|k| format!("{k}=1")).collect::<Vec<_>>().join("; ");
            req.http.header.add("Cookie", cookie);
            let has = |test: &dyn Fn(&str, &str) -> bool| keys.iter().any(|k| members.iter().any(|m| test(k, m)));
            for (name, want) in [
                ("req_query_key_in", has(&|k, m| k == m)),
                ("req_query_key_prefix_in", has(&|k, m| k.starts_with(m))),
                ("req_cookie_key_in", has(&|k, m| k == m)),
            ] {
                let condition = Condition::build(&format!("{name}(\"{list}\")"))?;
                prop_assert_eq!(condition.matches(&req), Ok(want), "{}({}) on {}", name, list, target);
            }
        }

        #[test]
        fn no_text_panics(text in prop_oneof![soup(), any::<String>()]) {
            let _ = explain(&text, Some(&request("/a?b=c")));
            let _ = Condition::build(&format!("req_path_regmatch(`{text}`)"));
            let _ = time::parse_time(&text);
            let _ = time::parse_time_of_day(&text);
            let _ = Action::from_json(&text);
        }

        #[test]
        fn no_pattern_panics(text in "[-a-c\\[\\](){}?*+|^$.\\\\dDsSwWbBpPQEx0-9:,&~<>=!iLN]{0,14}") {
            let _ = Condition::build(&format!("req_path_regmatch(`{text}`)"));
        }

        #[test]
        fn no_document_panics(
            document in "[\\[\\]{}:,\"\\\\a-c0-2 tn.-]{0,24}",
            path in "[\\[\\]{}()#@!|.:*?~=<>%\"\\\\a-c0-2]{0,10}",
            modifier in "|@reverse|@pretty|@ugly|@flatten:\\{\"deep\":true\\}|@join|@keys|@values|@group|@dig:a|@tostr|@fromstr",
        ) {
            let _ = json::get_text(document.as_bytes(), &path);
            let _ = json::get_text(document.as_bytes(), &format!("{modifier}|{path}"));
            let _ = json::get_text(document.as_bytes(), &format!("{path}|{modifier}"));
            let mut req = request("/");
            req.body_peek = BodyPeek::Read(Bytes::from(document));
            let text = format!("req_body_json_in(`{path}`, \"a\", true)");
            let matched = Condition::build(&text).map(|c| c.matches(&req));
            prop_assert!(matched.is_ok_and(|m| m.is_ok()));
        }
    }

    #[test]
    fn cond_4_deep_nesting() {
        const DEEP: usize = 100_000;
        let mixed = "!(".repeat(DEEP) + "default_t()" + &")".repeat(DEEP);
        for (text, want) in [
            ("(".repeat(DEEP) + "default_t()" + &")".repeat(DEEP), true),
            ("!".repeat(DEEP + 1) + "default_t()", false),
            (mixed, true),
            ("(default_t() && ".repeat(DEEP) + "default_t()" + &")".repeat(DEEP), true),
            ("default_t() || ".repeat(DEEP) + "default_t()", true),
            ("!default_t() || ".repeat(DEEP) + "default_t()", true),
            ("!(req_query_exist() || ".repeat(DEEP) + "default_t()" + &")".repeat(DEEP), true),
        ] {
            let condition = Condition::build(&text).unwrap();
            assert_eq!(condition.matches(&request("/")), Ok(want), "{}", &text[..40]);
            let expr = parse(&text).unwrap();
            assert_eq!(parse(&expr.to_string()).unwrap(), expr);
            assert!(expr.tree().len() > DEEP);
        }
        // An error at the end of all that is an error like any other.
        assert!(Condition::build(&"(".repeat(DEEP)).is_err());
        assert!(Condition::build(&("!".repeat(DEEP) + "a")).is_err());
    }
}
