use super::*;
use crate::json_path;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase", default)]
struct Raw {
    version: Option<String>,
    names: Option<BTreeMap<String, Option<Vec<String>>>>,
    config: BTreeMap<String, Inner>,
    inner: Option<Inner>,
    port: Option<i64>,
    small: i32,
    price: f64,
    flag: bool,
    list: Vec<Inner>,
    free: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase", default)]
struct Inner {
    a: Option<i64>,
    text: String,
    deep: Option<Box<Inner>>,
}

fn read(text: &str) -> Result<Raw, String> {
    from_slice("f.data", text.as_bytes()).map(|document| document.value).map_err(|error| error.to_string())
}

fn inner(a: Option<i64>, text: &str) -> Inner {
    Inner { a, text: text.into(), deep: None }
}

fn names(list: &[(&str, &[&str])]) -> Option<BTreeMap<String, Option<Vec<String>>>> {
    let owned = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
    Some(list.iter().map(|(key, names)| ((*key).to_owned(), owned(names))).collect())
}

#[test]
fn accepted_documents() {
    let version = |text: &str| Raw { version: Some(text.into()), ..Raw::default() };
    for (id, text, want) in [
        ("CFG-53 any case", r#" {"VERSION":"1"}"#, version("1")),
        ("CFG-53 escaped name", r#"{"\u0056ersion":"1"}"#, version("1")),
        ("CFG-54 unknown fields", r#"{"Nope":[1e300,{"x":null}],"Version":"1"}"#, version("1")),
        ("CFG-55 trailing bytes", "{\"Version\":\"1\"}} \u{1} junk", version("1")),
        ("CFG-58 last wins", r#"{"Version":"1","version":"2"}"#, version("2")),
        ("CFG-58 null takes back", r#"{"Version":"1","version":null}"#, Raw::default()),
        (
            "CFG-58 objects merge",
            r#"{"Inner":{"A":1,"Text":"x"},"inner":{"Text":"y"}}"#,
            Raw { inner: Some(inner(Some(1), "y")), ..Raw::default() },
        ),
        (
            "CFG-58 deep objects merge",
            r#"{"Inner":{"Deep":{"A":1}},"inner":{"Deep":{"Text":"y"},"A":2}}"#,
            Raw {
                inner: Some(Inner {
                    a: Some(2),
                    text: String::new(),
                    deep: Some(Box::new(inner(Some(1), "y"))),
                }),
                ..Raw::default()
            },
        ),
        (
            "CFG-58 null forgets an object",
            r#"{"Inner":{"A":1},"Inner":null,"Inner":{"Text":"y"}}"#,
            Raw { inner: Some(inner(None, "y")), ..Raw::default() },
        ),
        (
            "CFG-58 null changes no number and no boolean, and empties a string",
            r#"{"Small":3,"Small":null,"Flag":true,"Flag":null,"Price":1.5,"Price":null,"List":[{"Text":"x","Text":null}]}"#,
            Raw { small: 3, flag: true, price: 1.5, list: vec![inner(None, "")], ..Raw::default() },
        ),
        (
            "CFG-58 null forgets maps and lists",
            r#"{"List":[{"A":1}],"List":null,"List":[{"Text":"x"}],"Config":{"c":{"A":1}},"Config":null}"#,
            Raw { list: vec![inner(None, "x")], ..Raw::default() },
        ),
        (
            "CFG-58 lists of objects merge by place",
            r#"{"List":[{"A":1},{"A":2},{"A":3}],"List":[{"Text":"x"}],"List":[{},{"Text":"y"},null,{"A":4}]}"#,
            Raw {
                list: vec![inner(Some(1), "x"), inner(Some(2), "y"), inner(Some(3), ""), inner(Some(4), "")],
                ..Raw::default()
            },
        ),
        (
            "CFG-58 an empty list forgets",
            r#"{"List":[{"A":1}],"List":[],"List":[{}]}"#,
            Raw { list: vec![Inner::default()], ..Raw::default() },
        ),
        (
            "CFG-58 map keys replace whole",
            r#"{"Config":{"c":{"A":1,"Text":"x"},"c":{"Text":"y"}}}"#,
            Raw { config: BTreeMap::from([("c".into(), inner(None, "y"))]), ..Raw::default() },
        ),
        (
            "CFG-58 maps merge",
            r#"{"Names":{"a":["x"],"b":["y"]},"Names":{"b":["z"],"c":[]}}"#,
            Raw { names: names(&[("a", &["x"]), ("b", &["z"]), ("c", &[])]), ..Raw::default() },
        ),
        (
            "CFG-53 map keys keep case",
            r#"{"Names":{"a":[],"A":[]}}"#,
            Raw { names: names(&[("a", &[]), ("A", &[])]), ..Raw::default() },
        ),
        (
            "CFG-59 null in lists, null values",
            r#"{"Names":{"a":["x",null]},"Small":null,"Price":null,"Flag":null,"List":null,"Config":null}"#,
            Raw { names: names(&[("a", &["x", ""])]), ..Raw::default() },
        ),
        ("CFG-59 null alone", "null", Raw::default()),
        (
            "CFG-59 null struct",
            r#"{"List":[null,{"A":null,"Text":null}]}"#,
            Raw { list: vec![Inner::default(); 2], ..Raw::default() },
        ),
        (
            "CFG-57 integers",
            r#"{"Port":-9223372036854775808,"Small":-0}"#,
            Raw { port: Some(i64::MIN), ..Raw::default() },
        ),
        ("floats", r#"{"Price":-1.5e3}"#, Raw { price: -1500.0, ..Raw::default() }),
        ("control characters after an escape", "{\"Version\":\"\\\\\u{1}\"}", version("\\\u{1}")),
        (
            "free values",
            r#"{"Free":{"a":[1,-2.5,"x",true,null]}}"#,
            Raw { free: Some(serde_json::json!({"a": [1, -2.5, "x", true, null]})), ..Raw::default() },
        ),
    ] {
        assert_eq!(read(text), Ok(want), "{id}");
    }
}

#[test]
fn refused_documents() {
    let integer = "expected an integer (digits only, within 64 bits)";
    for (id, text, want) in [
        ("CFG-56 empty", "", "f.data:1:1: EOF: the file is empty".to_owned()),
        ("CFG-56 blank", " \n ", "f.data:2:2: EOF: the file is empty".to_owned()),
        (
            "CFG-56 byte order mark",
            "\u{feff}{}",
            "f.data:1:1: a JSON file must not begin with a byte order mark".to_owned(),
        ),
        ("CFG-56 comment", "{ // x\n}", "f.data:1:3: expected a key in double quotes, found '/'".to_owned()),
        (
            "CFG-56 trailing comma",
            "{\"Port\":1,\n}",
            "f.data:2:1: expected a key in double quotes, found '}'".to_owned(),
        ),
        (
            "CFG-56 trailing comma in a list",
            "{\"List\":[{},]}",
            "f.data:1:13: expected a value, found ']'".to_owned(),
        ),
        (
            "single quotes",
            "{'Port':1}",
            "f.data:1:2: expected a key in double quotes, found '\\''".to_owned(),
        ),
        (
            "cut off",
            "{\"Port\":1",
            "f.data:1:10: expected ',' or '}' in an object, found the end of the file".to_owned(),
        ),
        (
            "cut off in a list",
            "{\"List\":[",
            "f.data:1:10: expected ',' or ']' in a list, found the end of the file".to_owned(),
        ),
        ("cut off in a string", "{\"Po", "f.data:1:2: unexpected end of file in a string".to_owned()),
        ("no colon", "{\"Port\" 1}", "f.data:1:9: expected ':' after a key, found '1'".to_owned()),
        (
            "no comma",
            "{\"Port\":1 \"Flag\":true}",
            "f.data:1:11: expected ',' or '}' in an object, found '\"'".to_owned(),
        ),
        ("wrong bracket", "{\"List\":[}", "f.data:1:10: expected a value, found '}'".to_owned()),
        ("bad word", "{\"Flag\":nul}", "f.data:1:9: expected a value, found 'n'".to_owned()),
        (
            "CFG-54 unknown field, bad value",
            "{\"Nope\":tru}",
            "f.data:1:9: expected a value, found 't'".to_owned(),
        ),
        (
            "CFG-60 control character",
            "{\"Version\":\"a\tb\"}",
            "f.data:1:14: invalid control character found: 9".to_owned(),
        ),
        ("bad escape", r#"{"Version":"\x"}"#, "f.data:1:13: invalid escape char after \\".to_owned()),
        (
            "bad unicode escape",
            r#"{"Version":"\u12g4"}"#,
            "f.data:1:13: \\u must be followed by four hexadecimal digits".to_owned(),
        ),
        ("CFG-57 float", r#"{"Port":5.0}"#, format!("f.data:1:9: Port: {integer}, found the number 5.0")),
        ("CFG-57 exponent", r#"{"Port":5e3}"#, format!("f.data:1:9: Port: {integer}, found the number 5e3")),
        ("CFG-57 string", r#"{"Port":"5"}"#, format!("f.data:1:9: Port: {integer}, found the string \"5\"")),
        (
            "CFG-57 leading zero",
            r#"{"Port":05}"#,
            "f.data:1:9: leading zero in a number is invalid".to_owned(),
        ),
        ("CFG-57 plus", r#"{"Port":+5}"#, "f.data:1:9: expected a value, found '+'".to_owned()),
        (
            "CFG-57 overflow",
            r#"{"Port":9223372036854775808}"#,
            format!("f.data:1:9: Port: {integer}, found the number 9223372036854775808"),
        ),
        (
            "CFG-57 narrow type",
            r#"{"Small":2147483648}"#,
            "f.data:1:10: Small: invalid value: integer `2147483648`, expected i32".to_owned(),
        ),
        ("no digit", r#"{"Port":-}"#, "f.data:1:10: expected a digit in a number, found '}'".to_owned()),
        ("trailing dot", r#"{"Price":1.}"#, "f.data:1:12: missing digit after dot, found '}'".to_owned()),
        ("no exponent", r#"{"Price":1e+}"#, "f.data:1:13: missing digit in exponent, found '}'".to_owned()),
        ("float overflow", r#"{"Price":1e999}"#, "f.data:1:10: number out of range".to_owned()),
        (
            "CFG-54 overflow in an unknown field",
            r#"{"Nope":[-1e400],"Version":"1"}"#,
            "f.data:1:10: number out of range".to_owned(),
        ),
        (
            "CFG-58 what is replaced has to fit, too",
            r#"{"Port":1.5,"port":1}"#,
            "f.data:1:9: Port: expected an integer (digits only, within 64 bits), found the number 1.5"
                .to_owned(),
        ),
        (
            "number for a string",
            r#"{"Version":7}"#,
            "f.data:1:12: Version: expected a string, found the number 7".to_owned(),
        ),
        (
            "earlier value of a wrong type",
            r#"{"Version":7,"Version":"1"}"#,
            "f.data:1:12: Version: expected a string, found the number 7".to_owned(),
        ),
        (
            "word for a flag",
            r#"{"Flag":"true"}"#,
            "f.data:1:9: Flag: expected true or false, found the string \"true\"".to_owned(),
        ),
        (
            "CFG-77 scalar for a list",
            r#"{"Names":{"a b":"x"}}"#,
            "f.data:1:17: Names.\"a b\": expected a list, found the string \"x\"".to_owned(),
        ),
        (
            "element of a wrong type",
            "{\"List\":[{},\n{\"A\":true}]}",
            format!("f.data:2:6: List[1].A: {integer}, found true"),
        ),
        (
            "list for an object",
            r#"{"Config":{"c":[]}}"#,
            "f.data:1:16: Config.c: expected an object, found a list".to_owned(),
        ),
        ("no object at the top", "[]", "f.data:1:1: expected an object, found a list".to_owned()),
    ] {
        assert_eq!(read(text), Err(want), "{id}");
    }
}

#[test]
fn cfg_60_invalid_utf8_is_replaced_and_told() {
    let document: Document<Raw> = from_slice("f", b"{\"Names\":{\"a\":[\"x\xff.org\"]}}").unwrap();
    assert_eq!(document.value.names, names(&[("a", &["x\u{fffd}.org"])]));
    assert_eq!(document.warnings.len(), 1);
    assert_eq!(document.warnings[0].to_string(), "f:1:18: bytes that are not UTF-8 are read as U+FFFD");
}

#[test]
fn misspelt_fields_are_told() {
    let text =
        "{\"Versoin\":\"1\",\n \"Comment\":1, \"Config\":{\"c\":{\"Deeep\":1}}, \"prot\":1, \"port\":2}";
    let document: Document<Raw> = from_slice("f", text.as_bytes()).unwrap();
    let warnings: Vec<String> = document.warnings.iter().map(ToString::to_string).collect();
    // "prot" is not told: the field that it may have meant is there.
    assert_eq!(
        warnings,
        [
            "f:1:2: unknown key \"Versoin\" is ignored; did you mean \"Version\"?",
            "f:2:30: unknown key \"Deeep\" is ignored; did you mean \"Deep\"?",
        ]
    );
}

#[test]
fn errors_find_their_place() {
    let text = "{\"Config\":{\n \"c.1\":{},\n \"d\":{\"text\":\n\"x\"}},\n\"List\":[\n{}, {\"A\":1}\n]}";
    let document: Document<Raw> = from_slice("f", text.as_bytes()).unwrap();
    for (path, want) in [
        (json_path!["Config", "c.1"], "f:2:8: Config.\"c.1\": bad"),
        (json_path!["Config", "d", "Text"], "f:4:1: Config.d.Text: bad"),
        (json_path!["Config", "d", "A"], "f:3:6: Config.d.A: bad"),
        (json_path!["List", 1, "A"], "f:6:10: List[1].A: bad"),
        (json_path!["List", 7], "f:5:8: List[7]: bad"),
        (json_path!["Version"], "f:1:1: Version: bad"),
        (json_path![], "f:1:1: bad"),
    ] {
        assert_eq!(document.error(&path, "bad").to_string(), want);
    }
    assert_eq!(json_path!["a"].then(0).then("b c").to_string(), "a[0].\"b c\"");
}

#[test]
fn deep_nesting_is_bounded_and_does_not_recurse() {
    let nested = |depth: usize| format!("{{\"Nope\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(&nested(scan::MAX_DEPTH - 1)), Ok(Raw::default()));
    assert!(read(&nested(scan::MAX_DEPTH)).unwrap_err().contains("exceeded max depth"));

    let typed = |depth: usize| {
        let (open, close) = ("{\"Deep\":".repeat(depth), "}".repeat(depth));
        format!("{{\"Inner\":{open}{{}}{close}}}")
    };
    assert!(read(&typed(100)).is_ok());
    assert!(read(&typed(500)).unwrap_err().contains("exceeded max depth of typed values"));
    let free = |depth: usize| format!("{{\"Free\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&free(500)).unwrap_err().contains("exceeded max depth of typed values"));
}

#[test]
fn missing_file_is_named() {
    let errors = read_file::<Raw>(std::path::Path::new("/nonexistent/x.data")).unwrap_err();
    assert_eq!(errors.to_string(), "/nonexistent/x.data: cannot read file: no such file or directory");
}

mod properties {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value as Json;

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(Json::from),
            any::<String>().prop_map(Json::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
                proptest::collection::btree_map(".*", inner, 0..8)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read(json in any_json(), pretty: bool) {
            let text = if pretty { serde_json::to_vec_pretty(&json) } else { serde_json::to_vec(&json) }.unwrap();
            let read: Document<Json> = from_slice("f", &text).unwrap();
            prop_assert_eq!(read.value, json);
        }

        #[test]
        fn what_serde_json_reads_is_read(text in r#"[-0-9.eE+\[\]{}:," \\"a-dntrufls/\n]{0,24}"#) {
            if let Ok(json) = serde_json::from_str::<Json>(&text) {
                let read = from_slice::<Json>("f", text.as_bytes());
                prop_assert_eq!(read.map(|document| document.value), Ok(json));
            }
        }

        #[test]
        fn no_bytes_are_too_much(bytes: Vec<u8>, at in 0..64usize) {
            let mut text = br#"{"Version":"1","Names":{"a":["x\u00e9"]},"Price":-1.5e3,"List":[{"A":1},null]}"#.to_vec();
            let at = at.min(text.len());
            text.splice(at..at, bytes.iter().copied());
            for text in [&bytes, &text] {
                match from_slice::<Raw>("f", text) {
                    Ok(document) => {
                        let place = document.error(&json_path!["Names", "a", 0], "").place;
                        prop_assert!(place.is_some());
                    }
                    Err(errors) => prop_assert!(errors.first().place.is_some(), "{}", errors),
                }
            }
        }
    }
}
