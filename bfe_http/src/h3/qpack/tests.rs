use super::*;
use crate::canonical;
use proptest::prelude::*;

#[derive(Default)]
struct Fields(Vec<(Vec<u8>, Vec<u8>, bool)>);

impl Sink for Fields {
    fn field(&mut self, name: &[u8], value: &[u8], sound: bool) -> bool {
        self.0.push((name.to_vec(), value.to_vec(), sound));
        true
    }
}

fn decoded(list: &[u8]) -> Result<Vec<(String, String, bool)>, Broken> {
    let mut fields = Fields::default();
    decode(list, 1000, &mut fields)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(fields.0.iter().map(|(name, value, sound)| (text(name), text(value), *sound)).collect())
}

fn field(name: &str, value: &str, sound: bool) -> (String, String, bool) {
    (name.to_owned(), value.to_owned(), sound)
}

/// RFC 9204, B.1: a literal behind a static name.
#[test]
fn a_list_of_the_rfc() {
    let list = b"\x00\x00\x51\x0b/index.html";
    assert_eq!(decoded(list), Ok(vec![field(":path", "/index.html", true)]));
}

#[test]
fn fields_in_all_forms() {
    let list =
        b"\x00\x00\xd1\xc1\x57\x01x\x5f\x50\x0bexample.com\x23abc\x01d\x27\x01Upper-X-\x01e\x23a b\x01\n";
    let want = [
        field(":method", "GET", true),
        field(":path", "/", true),
        field("Etag", "x", true),
        field("User-Agent", "example.com", true),
        field("Abc", "d", true),
        field("Upper-X-", "e", false),
        field("A b", "\n", false),
    ];
    assert_eq!(decoded(list), Ok(want.to_vec()));
}

#[test]
fn what_needs_a_dynamic_table_is_broken() {
    for list in [
        &b""[..],
        b"\x00",
        b"\x01\x00",
        b"\x00\x00\x80",
        b"\x00\x00\x10",
        b"\x00\x00\x40\x00",
        b"\x00\x00\x00\x00",
        b"\x00\x00\xff\x24",
        b"\x00\x00\x57\x05abcd",
        b"\x00\x00\xff\xff\xff\xff\xff\xff",
    ] {
        assert_eq!(decoded(list), Err(Broken), "{list:?}");
    }
    // The base says nothing where there is no table.
    assert_eq!(decoded(b"\x00\x85\xd1"), Ok(vec![field(":method", "GET", true)]));
}

#[test]
fn statuses() {
    for status in 100..=999 {
        let list = Encoder::response(status).finish();
        assert_eq!(decoded(&list), Ok(vec![field(":status", &status.to_string(), true)]));
    }
}

#[test]
fn static_names_are_where_they_are_said_to_be() {
    for name in TABLE.map(|(name, _)| name.to_ascii_lowercase()) {
        let mut list = Encoder::fields();
        list.field(name.as_bytes(), b"some value");
        let name = if name.starts_with(':') { continue } else { canonical(name.as_bytes()) };
        let name = String::from_utf8_lossy(&name).into_owned();
        assert_eq!(decoded(&list.finish()), Ok(vec![field(&name, "some value", true)]));
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(fields in prop::collection::vec(("[a-z][a-z0-9-]{0,40}", "[ -~]{0,200}"), 0..20)) {
        let mut list = Encoder::response(200);
        for (name, value) in &fields {
            list.field(name.as_bytes(), value.as_bytes());
        }
        let mut want = vec![field(":status", "200", true)];
        want.extend(fields.iter().map(|(name, value)| {
            (String::from_utf8_lossy(&canonical(name.as_bytes())).into_owned(), value.clone(), true)
        }));
        prop_assert_eq!(decoded(&list.finish()), Ok(want));
    }

    #[test]
    fn no_bytes_are_too_much(list in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decoded(&list);
    }
}
