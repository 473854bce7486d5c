//! The JSON dialect: any bytes give a value or an error with a place, and places of good values are found.

#![no_main]

use bfe_basic::conf::json;
use bfe_basic::json_path;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Raw {
    version: Option<String>,
    hosts: Option<BTreeMap<String, Option<Vec<String>>>>,
    config: BTreeMap<String, Option<Nested>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Nested {
    port: Option<i64>,
    price: f64,
    flag: bool,
    deep: Option<Box<Nested>>,
    list: Vec<Nested>,
}

fuzz_target!(|bytes: &[u8]| {
    match json::from_slice::<Raw>("f", bytes) {
        Ok(document) => {
            for name in document.value.config.keys() {
                let error = document.error(&json_path!["Config", name, "Port"], "x");
                assert!(error.place.is_some());
            }
        }
        Err(errors) => assert!(errors.first().place.is_some()),
    }
    // What serde_json takes is taken; values are compared by the unit tests, as serde_json rounds floats.
    if serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
        && let Err(errors) = json::from_slice::<serde_json::Value>("f", bytes)
    {
        panic!("{errors}");
    }
});
