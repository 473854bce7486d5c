use super::*;
use crate::header_list::Sink;

#[derive(Default)]
struct Fields(Vec<(String, String, bool)>);

impl Sink for Fields {
    fn field(&mut self, name: &[u8], value: &[u8], sound: bool) -> bool {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        self.0.push((text(name), text(value), sound));
        true
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Option<Vec<(String, String, bool)>> {
    let mut fields = Fields::default();
    decoder.decode(block, 1000, &mut fields).ok()?;
    Some(fields.0)
}

fn sound(fields: &[(&str, &str)]) -> Vec<(String, String, bool)> {
    fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned(), true)).collect()
}

/// The three requests of RFC 7541, C.3 and C.4, on one connection each.
#[test]
fn requests_of_the_rfc() {
    let want = [
        sound(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]),
        sound(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "www.example.com"),
            ("Cache-Control", "no-cache"),
        ]),
        sound(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("Custom-Key", "custom-value"),
        ]),
    ];
    for blocks in [
        [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ],
        [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ],
    ] {
        let mut decoder = Decoder::default();
        for (block, want) in blocks.iter().zip(&want) {
            assert_eq!(decode(&mut decoder, &hex(block)).as_ref(), Some(want), "{block}");
        }
    }
}

#[test]
fn broken_blocks() {
    for (block, why) in [
        ("80", "index 0"),
        ("ffff7f", "an index that nothing has"),
        ("be", "an index of an empty table"),
        ("3fe11f82", "fine: size 4096"),
        ("3fe21f", "a table larger than allowed"),
        ("8220", "a new size after a field"),
        ("0005 6162", "a string that is cut"),
        ("00 0161 84 ffffffff", "the end symbol in a string"),
        ("00 0161 81 00", "padding that is not ones"),
        ("00 0161 82 1fff", "more than a byte of padding"),
        ("7fffffffffff0f", "an integer too large"),
        ("40 01", "nothing after a length"),
    ] {
        let fine = why.starts_with("fine");
        assert_eq!(decode(&mut Decoder::default(), &hex(block)).is_some(), fine, "{why}");
    }
    let mut long = vec![0, 1, b'a', 0x7f];
    long.extend([0x80 | 106, 7]); // 127 + 106 + 7 * 128 = 1129
    long.extend([b'x'; 1129]);
    assert_eq!(decode(&mut Decoder::default(), &long), None, "a string over the limit");
}

#[test]
fn characters_that_are_not_allowed() {
    for (name, value, want) in [
        ("x-a", "1", true),
        ("x-A", "1", false),
        ("x a", "1", false),
        ("", "1", false),
        ("x-a", "a\r\nb", false),
        ("x-a", "a\tb", true),
        ("x-a", "a\0", false),
    ] {
        let mut block = vec![0x40, u8::try_from(name.len()).unwrap()];
        block.extend_from_slice(name.as_bytes());
        block.push(u8::try_from(value.len()).unwrap());
        block.extend_from_slice(value.as_bytes());
        // And once more, from the table.
        block.push(0xbe);
        let fields = decode(&mut Decoder::default(), &block).unwrap();
        assert!(fields.iter().all(|f| f.2 == want) && fields.len() == 2, "{name:?} {value:?}");
    }
}

#[test]
fn what_is_encoded_is_decoded() {
    let mut encoder = Encoder::default();
    let mut decoder = Decoder::default();
    for round in 0..40 {
        if round == 20 {
            encoder.set_max_size(100);
            encoder.set_max_size(4096);
        }
        let mut block = Vec::new();
        encoder.begin(&mut block);
        encoder.status(&mut block, [200, 404, 599][round % 3]);
        let own = format!("{round}");
        let fields = [
            ("content-type", "text/plain"),
            ("x-own", own.as_str()),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("x-raw", "\u{e9}\u{e9}"),
            ("set-cookie", "a=1"),
        ];
        for (name, value) in fields {
            encoder.field(&mut block, name.as_bytes(), value.as_bytes());
        }
        let got = decode(&mut decoder, &block).unwrap();
        assert_eq!(got[0].1, ["200", "404", "599"][round % 3]);
        let want: Vec<_> = fields.iter().map(|(_, v)| *v).collect();
        assert_eq!(got[1..].iter().map(|f| f.1.as_str()).collect::<Vec<_>>(), want, "round {round}");
        if (3..20).contains(&round) && round % 3 != 2 {
            // All but the number, the cookie and the index of the status are one byte each.
            assert!(block.len() < 30, "{} bytes in round {round}", block.len());
        }
    }
}
