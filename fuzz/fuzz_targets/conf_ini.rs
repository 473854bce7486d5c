//! The INI dialect: any bytes are read, or give an error with a place.

#![no_main]

use bfe_basic::conf::ini::{self, Section};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (mut text, mut int, mut flag, mut list) = (String::new(), 0, false, Vec::new());
    let read = ini::from_slice(
        "f",
        bytes,
        &mut [
            Section::new("Server").string("Text", &mut text).int("Int", &mut int),
            Section::new("Other").bool("Flag", &mut flag).list("List", &mut list),
        ],
    );
    match read {
        Ok(ini) => assert_eq!(ini.has("Server", "Int"), ini.error("Server", "Int", "x").place.is_some()),
        Err(errors) => assert!(errors.iter().all(|error| error.place.is_some())),
    }
    assert!(!text.contains('\r') && !list.iter().any(|element| element.contains('\r')));
});
