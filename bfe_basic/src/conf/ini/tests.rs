use super::*;

#[derive(Debug, PartialEq)]
struct Values {
    text: String,
    int: i64,
    flag: bool,
    list: Vec<String>,
    other: i64,
}

fn read(bytes: &[u8]) -> Result<Values, String> {
    let mut values = Values { text: "t".into(), int: 7, flag: false, list: Vec::new(), other: 0 };
    from_slice(
        "f.conf",
        bytes,
        &mut [
            Section::new("Server")
                .string("Text", &mut values.text)
                .int("HttpPort", &mut values.int)
                .bool("Flag", &mut values.flag)
                .list("Modules", &mut values.list),
            Section::new("Other").int("MaskK", &mut values.other),
        ],
    )
    .map_err(|errors| errors.to_string())?;
    Ok(values)
}

/// The values that a file gives, as they are told in a table of tests.
fn told(text: &str) -> String {
    let v = read(text.as_bytes()).unwrap();
    format!("{} {} {} {:?} {}", v.text, v.int, v.flag, v.list, v.other)
}

#[test]
fn accepted_files() {
    for (id, text, want) in [
        ("CFG-34 empty", "", "t 7 false [] 0"),
        ("CFG-25 any case", "[SERVER]\nhTTPpORT = 1\n[other]\nmaskk=2", "t 1 false [] 2"),
        ("CFG-25 folded letters", "[\u{17f}erver]\n[Other]\nMas\u{212a}K = 3", "t 7 false [] 3"),
        ("CFG-27 merged, last wins", "[Server]\nText=a\n[Other]\n[Server]\nText=b\nFlag=1", "b 7 true [] 0"),
        ("CFG-28 comment in value", "[Server]\nHttpPort = 80#x", "t 80 false [] 0"),
        ("CFG-29 byte order mark", "\u{feff}[Server]\r\nText = a\r\n", "a 7 false [] 0"),
        ("CFG-31 leading zero", "[Server]\nHttpPort = 010", "t 10 false [] 0"),
        ("CFG-31 quoted blanks", "[Server]\nHttpPort = \" 9 \"", "t 9 false [] 0"),
        ("CFG-32 blank bool", "[Server]\nFlag", "t 7 true [] 0"),
        ("CFG-33 list", "[Server]\nModules = a,b\nModules=c d", "t 7 false [\"a,b\", \"c d\"] 0"),
        ("CFG-33 blank list", "[Server]\nModules = a\nModules\nModules = b", "t 7 false [\"b\"] 0"),
        (
            "CFG-33 empty element",
            "[Server]\nModules = a\nModules =\nModules = b",
            "t 7 false [\"a\", \"\", \"b\"] 0",
        ),
        ("empty string", "[Server]\nText =", " 7 false [] 0"),
    ] {
        assert_eq!(told(text), want, "{id}");
    }
}

#[test]
fn refused_files() {
    let int = "expected a 64-bit decimal or 0x integer";
    let bool = "expected true, yes, on, 1, false, no, off or 0";
    for (id, text, want) in [
        (
            "CFG-26 unknown key",
            "[Server]\nHttpPrt = 1",
            "f.conf:2:1: Server.HttpPrt: can't store data at section \"Server\", variable \"HttpPrt\": unknown key; did you mean \"HttpPort\"?".to_owned(),
        ),
        (
            "CFG-26 unknown section, told once",
            "[extra]\na = 1\nb = 2",
            "f.conf:1:1: extra: can't store data at section \"extra\": unknown section".to_owned(),
        ),
        (
            "CFG-26 sub-section",
            "[Server \"x\"]\nText = 1",
            "f.conf:1:1: Server: can't store data at section \"Server\": sub-sections are not supported".to_owned(),
        ),
        (
            "CFG-26 dash is no underscore",
            "[Server]\nHttp-Port = 1",
            "f.conf:2:1: Server.Http-Port: can't store data at section \"Server\", variable \"Http-Port\": unknown key; did you mean \"HttpPort\"?".to_owned(),
        ),
        ("CFG-29 NUL", "[Server]\n# a\0", "f.conf:2:4: illegal character NUL".to_owned()),
        (
            "CFG-31 no int",
            "[Server]\nHttpPort = 80.0",
            format!("f.conf:2:1: Server.HttpPort: failed to parse \"80.0\" as int: {int}"),
        ),
        (
            "CFG-31 empty int",
            "[Server]\nHttpPort =",
            format!("f.conf:2:1: Server.HttpPort: failed to parse \"\" as int: {int}"),
        ),
        (
            "CFG-32 empty bool",
            "[Server]\nFlag =",
            format!("f.conf:2:1: Server.Flag: failed to parse bool \"\": {bool}"),
        ),
        (
            "blank int",
            "[Server]\nHttpPort",
            "f.conf:2:1: Server.HttpPort: blank value not supported for type: expected '=' and a value".to_owned(),
        ),
        (
            "CFG-35 types and syntax before unknown keys",
            "[Server]\nNope=1\nHttpPort = x\n  Flag = y\n[S",
            format!(
                "f.conf:3:1: Server.HttpPort: failed to parse \"x\" as int: {int}\n\
                 f.conf:4:3: Server.Flag: failed to parse bool \"y\": {bool}\n\
                 f.conf:5:3: expected subsection name or right bracket\n\
                 f.conf:2:1: Server.Nope: can't store data at section \"Server\", variable \"Nope\": unknown key"
            ),
        ),
        ("key before sections", "Text = 1", "f.conf:1:1: expected section header".to_owned()),
    ] {
        assert_eq!(read(text.as_bytes()), Err(want), "{id}");
    }
}

#[test]
fn cfg_29_invalid_utf8_is_refused_anywhere() {
    for (bytes, want) in [
        (&b"[Server]\n# \xff"[..], "f.conf:2:3: illegal UTF-8 encoding"),
        (b"[Server]\nText = \"a\xc3\"\nFlag", "f.conf:2:10: illegal UTF-8 encoding"),
        (b"[Server]\n_\n\xff", "f.conf:2:1: illegal character '_'"),
    ] {
        assert_eq!(read(bytes), Err(want.to_owned()));
    }
}

#[test]
fn errors_have_the_place_of_the_last_assignment() {
    let mut port = 0;
    let text = b"[server]\nport = 1\n\n  PORT = 2";
    let ini = from_slice("f", text, &mut [Section::new("Server").int("Port", &mut port)]).unwrap();
    assert_eq!(ini.error("Server", "Port", "bad").to_string(), "f:4:3: Server.Port: bad");
    assert_eq!(ini.error("Server", "Other", "bad").to_string(), "f: Server.Other: bad");
    assert!(ini.has("Server", "Port") && !ini.has("Server", "Other"));
}

#[test]
fn missing_file_is_named() {
    let errors = read_file(Path::new("/nonexistent/bfe.conf"), &mut []).unwrap_err();
    assert_eq!(errors.to_string(), "/nonexistent/bfe.conf: cannot read file: no such file or directory");
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Writes a value such that it is read as it is: in quotes, escaped.
    fn quoted(text: &str) -> String {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out + "\""
    }

    proptest! {
        #[test]
        fn quoted_values_are_read_back(text in "[^\0\r]*", int: i64, list in proptest::collection::vec("[^\0\r]*", 0..4)) {
            let mut file = format!("[Server]\nText = {} # c\nHttpPort={int};\n", quoted(&text));
            for element in &list {
                file.push_str(&format!("modules\t=\t{}\r\n", quoted(element)));
            }
            let want = Values { text, int, flag: false, list, other: 0 };
            prop_assert_eq!(read(file.as_bytes()), Ok(want), "{}", file);
        }

        #[test]
        fn no_bytes_are_too_much(bytes: Vec<u8>, text in "([\\[\\]\"\\\\=#; \\n\\r]|Server|Text|Flag|HttpPort|0x1|é|\0){0,20}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Err(error) = read(bytes) {
                    prop_assert!(error.starts_with("f.conf:"), "{}", error);
                }
            }
        }
    }
}
