//! The contract's vectors: every line of the files beside this one. The first line of a file says how the
//! others read; `[5.3]` names the section from which the lines below it are; `⏎` is a line feed.

#[cfg(test)]
mod facts;
#[cfg(test)]
mod lines;

use bfe_basic::Request;
use bfe_basic::action::Action;
use bfe_basic::condition::{Condition, hash, json, parse, time};
use bfe_basic::ip_dict::load_text;
use bfe_basic::label_trie::LabelTrie;
use facts::Facts;
use lines::{cut, each_line};

fn same(got: &(impl PartialEq<str> + ?Sized), want: &str, shown: impl std::fmt::Debug) -> Result<(), String> {
    if *got == *want { Ok(()) } else { Err(format!("got {shown:?}")) }
}

#[test]
fn conditions_match() {
    let count = each_line("match.txt", |line| {
        let (expression, rest) = cut(line, "<<").unwrap();
        let (facts, want) = cut(rest, ">>").unwrap();
        let condition = Condition::build(expression).map_err(|e| e.to_string())?;
        let got = Facts::parse(facts).matches(&condition).to_string();
        same(&got, want, &got)
    });
    assert_eq!(count, 284);
}

#[test]
fn errors_of_expressions() {
    let count = each_line("errors.txt", |line| {
        let (expression, want) = cut(line, "!!").unwrap();
        match (Condition::build(expression), want) {
            (Ok(_), "OK") | (Err(_), "PANIC") => Ok(()),
            (Ok(_), _) => Err("builds".into()),
            (Err(e), want) => same(&e.message, want, &e.message),
        }
    });
    assert_eq!(count, 95);
}

#[test]
fn trees() {
    let count = each_line("tree.txt", |line| {
        let (expression, want) = cut(line, ">>").unwrap();
        let tree = parse(expression).map_err(|e| e.to_string())?.tree();
        same(&tree, want, &tree)
    });
    assert_eq!(count, 9);
}

#[test]
fn json_texts() {
    let count = each_line("json.txt", |line| {
        let (path, rest) = cut(line, "@@").unwrap();
        let (document, want) = cut(rest, ">>").unwrap();
        let want = if want == "(empty)" { "" } else { want };
        let got = String::from_utf8(json::get_text(document.as_bytes(), path)).unwrap();
        same(&got, want, &got)
    });
    assert_eq!(count, 68);
}

#[test]
fn times() {
    let count = each_line("time.txt", |line| match cut(line, ">>") {
        Some((text, want)) => {
            // `2019-02-04T12:00:00Z` has the digits of `20190204120000Z`.
            let digits = want.replace(['-', ':', 'T'], "");
            let (got, want) = (time::parse_time(text), time::parse_time(&digits));
            if got.is_ok() && got == want { Ok(()) } else { Err(format!("got {got:?}, want {want:?}")) }
        }
        None => {
            let (text, want) = cut(line, "!!").unwrap();
            let got = time::parse_time(text).err().unwrap_or_default();
            same(&got, want, &got)
        }
    });
    assert_eq!(count, 15);
}

#[test]
fn times_of_day() {
    let count = each_line("time_of_day.txt", |line| match cut(line, ">>") {
        Some((text, want)) => {
            let (second, offset) = time::parse_time_of_day(text)?;
            let got = format!("{second} {offset}");
            same(&got, want, &got)
        }
        None => {
            let (text, want) = cut(line, "!!").unwrap();
            match (time::parse_time_of_day(text), want) {
                (Err(_), "PANIC") => Ok(()),
                (got, want) => same(&got.clone().err().unwrap_or_default(), want, got),
            }
        }
    });
    assert_eq!(count, 11);
}

#[test]
fn hashes() {
    let count = each_line("hash.txt", |line| {
        let (text, want) = cut(line, ">>").unwrap();
        let text = text.trim_matches('"').as_bytes();
        let got = format!("{}  {:016x}", hash::bucket(text), hash::murmur3_h1(text));
        same(&got, want, &got)
    });
    assert_eq!(count, 15);
}

/// The parameters in `CMD "a" "b"`.
fn split_command(text: &str) -> (&str, Vec<&str>) {
    let (command, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    (command, rest.split('"').skip(1).step_by(2).collect())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a request looks like under one of the keys of `actions.txt`.
fn view(request: &Request, key: &str) -> String {
    let url = &request.http.url;
    match key {
        "host" => text(&request.http.host),
        "path" => text(&url.path),
        "query" => text(&url.raw_query),
        "uri" => text(&url.request_uri()),
        "map" => {
            let mut keys: Vec<(String, Vec<String>)> = Vec::new();
            for (key, value) in request.query().iter() {
                match keys.last_mut() {
                    Some((last, values)) if last.as_bytes() == key => values.push(text(value)),
                    _ => keys.push((text(key), vec![text(value)])),
                }
            }
            keys.iter().map(|(k, v)| format!("{k}:[{}]", v.join(","))).collect::<Vec<_>>().join(" ")
        }
        "headers" => {
            let mut out: Vec<(String, Vec<String>)> = Vec::new();
            request.http.header.for_each_sorted(|name, value| match out.last_mut() {
                Some((last, values)) if last.as_bytes() == name => values.push(text(value)),
                _ => out.push((text(name), vec![text(value)])),
            });
            out.iter().map(|(k, v)| format!("{k}={};", v.join(","))).collect()
        }
        other => format!("unknown key {other}"),
    }
}

#[test]
fn actions_change_requests() {
    let count = each_line("actions.txt", |line| {
        let (commands, rest) = cut(line, "<<").unwrap();
        let (facts, want) = cut(rest, ">>").unwrap();
        let mut request = Facts::parse(facts).request;
        // Conditions that ran before have parsed the query; whether they did must not matter.
        for warm in [false, true] {
            if warm {
                request = Facts::parse(facts).request;
                request.query();
            }
            let result = commands.split(" ;; ").try_for_each(|command| {
                let (name, params) = split_command(command);
                Action::new(name, &params)?.run(&mut request)
            });
            match (result, want.strip_prefix("!! ")) {
                (Err(_), None) if want == "PANIC" => {}
                (Err(e), Some(want)) => same(&e.to_string(), want, &e)?,
                (Ok(()), None) => {
                    for assertion in want.split(" ~ ") {
                        let (key, want) = assertion.split_once('=').unwrap();
                        let got = view(&request, key);
                        same(&got, want, format!("{key}={got}"))?;
                    }
                }
                (result, _) => return Err(format!("got {result:?}")),
            }
        }
        Ok(())
    });
    assert_eq!(count, 72);
}

#[test]
fn actions_of_files() {
    let count = each_line("action_config.txt", |line| match cut(line, ">>") {
        Some((json, want)) => {
            let action = Action::from_json(json).map_err(|e| e.to_string())?;
            let params: Vec<String> = action.params().iter().map(|p| format!("{:?}", text(p))).collect();
            let got = format!("{} [{}]", action.command(), params.join(" "));
            same(&got, want, &got)
        }
        None => {
            let (json, want) = cut(line, "!!").unwrap();
            match Action::from_json(json) {
                // What follows is the JSON library's own.
                Err(e) if want.starts_with("decode") && e.to_string().starts_with(want) => Ok(()),
                Err(e) => same(&e.to_string(), want, &e),
                got => Err(format!("got {got:?}")),
            }
        }
    });
    assert_eq!(count, 28);
}

#[test]
fn ip_dictionaries() {
    let count = each_line("ip_dict.txt", |line| {
        let (left, want) = cut(line, ">>").or_else(|| cut(line, "!!")).unwrap();
        let (options, file) = left.split_once(" :: ").unwrap_or(("", left));
        let max = options.strip_prefix("max=").map(|n| n.parse().unwrap());
        let version = options.strip_prefix("cur=").unwrap_or("");
        let loaded = match load_text(file.as_bytes(), "FILE", max, version) {
            Ok(loaded) => loaded,
            Err(e) => return same(&e.to_string(), want, &e),
        };
        for assertion in want.split(' ') {
            let (key, want) = assertion.split_once('=').unwrap();
            let got = match key {
                "len" => loaded.dict.len().to_string(),
                "err" => if loaded.exceeded { "Max_line_exceed" } else { "nil" }.to_owned(),
                ip => loaded.dict.contains(ip.parse().unwrap()).to_string(),
            };
            same(&got, want, format!("{key}={got}"))?;
        }
        Ok(())
    });
    assert_eq!(count, 16);
}

#[test]
fn label_tries() {
    let count = each_line("label_trie.txt", |line| {
        let (entries, rest) = cut(line, "<<").unwrap();
        let (path, want) = cut(rest, ">>").unwrap();
        let mut trie = LabelTrie::new();
        for (path, value) in entries.split(' ').map(|entry| entry.split_once('=').unwrap()) {
            trie.insert(path.split('.'), value).unwrap();
        }
        let got = trie.get(path.split('.')).copied().unwrap_or("none");
        same(got, want, got)
    });
    assert_eq!(count, 7);
}
