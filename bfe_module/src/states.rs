//! Counters and states under names that are made while the process runs (families S and C, monitor 2.3).
//!
//! Such a table costs a short lock each time. Counters whose names are known beforehand belong into a
//! [`CounterGroup`](bfe_http::counter::CounterGroup), which costs none.

use crate::metrics::{html_safe, json_string};
use jiff::Zoned;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// Most names in one table; more are not taken.
const MAX_NAMES: usize = 10_000;

/// Counters, texts and numbers by name.
#[derive(Debug)]
pub struct States {
    prefix: &'static str,
    diff_prefix: &'static str,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    counters: BTreeMap<String, i64>,
    texts: BTreeMap<String, String>,
    numbers: BTreeMap<String, i64>,
    floats: BTreeMap<String, f64>,
    window: Window,
}

/// The last window of the counters.
#[derive(Debug, Default)]
struct Window {
    /// When the last sample was taken, in words, and its values.
    at: String,
    last: BTreeMap<String, i64>,
    /// What the window added, and its length in seconds.
    diff: BTreeMap<String, i64>,
    seconds: u64,
}

impl States {
    /// An empty table; the prefixes are those of the page and of its differences.
    #[must_use]
    pub fn new(prefix: &'static str, diff_prefix: &'static str) -> Self {
        let window = Window { at: now(), ..Window::default() };
        Self { prefix, diff_prefix, tables: Mutex::new(Tables { window, ..Tables::default() }) }
    }

    /// Adds to a counter. `add(name, 0)` shows it from the start.
    pub fn add(&self, name: &str, n: i64) {
        self.change(|tables| {
            if let Some(counter) = room(&mut tables.counters, name) {
                *counter = counter.wrapping_add(n);
            }
        });
    }

    /// Sets a text.
    pub fn set_text(&self, name: &str, text: impl Into<String>) {
        self.change(|tables| {
            if let Some(known) = room(&mut tables.texts, name) {
                *known = text.into();
            }
        });
    }

    /// Sets a number.
    pub fn set_number(&self, name: &str, number: i64) {
        self.change(|tables| {
            if let Some(known) = room(&mut tables.numbers, name) {
                *known = number;
            }
        });
    }

    /// Sets a number with a fraction.
    pub fn set_float(&self, name: &str, number: f64) {
        self.change(|tables| {
            if let Some(known) = room(&mut tables.floats, name) {
                *known = number;
            }
        });
    }

    /// Forgets a text.
    pub fn remove_text(&self, name: &str) {
        self.change(|tables| {
            tables.texts.remove(name);
        });
    }

    /// Ends a window of so many seconds: what it added is shown from now on.
    pub fn close_window(&self, seconds: u64) {
        self.change(|tables| {
            let window = &mut tables.window;
            let added = |(name, value): (&String, &i64)| {
                (name.clone(), value.wrapping_sub(window.last.get(name).copied().unwrap_or(0)))
            };
            window.diff = tables.counters.iter().map(added).collect();
            window.last = tables.counters.clone();
            window.seconds = seconds;
            window.at = now();
        });
    }

    /// The page.
    ///
    /// # Errors
    /// The text for an unknown format.
    pub fn total(&self, format: Option<&str>) -> Result<String, String> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let prefix = self.prefix;
        match format.unwrap_or("json") {
            "json" => Ok(format!(
                r#"{{"SCounters":{},"States":{},"NumStates":{},"FloatStates":{},"KeyPrefix":"{prefix}","ProgramName":""}}"#,
                json(&tables.counters, i64::to_string),
                json(&tables.texts, |text| html_safe(&json_string(text))),
                json(&tables.numbers, i64::to_string),
                json(&tables.floats, f64::to_string),
            )),
            "kv" | "noah" | "kv_with_program_name" => {
                let mut out = lines(prefix, &tables.counters, i64::to_string);
                out += &lines(prefix, &tables.texts, |text| format!("\"{}\"", text.replace('"', "\\\"")));
                out += &lines(prefix, &tables.numbers, i64::to_string);
                out += &lines(prefix, &tables.floats, |number| format!("{number:.6}"));
                Ok(out)
            }
            other => Err(format!("invalid format:{other}")),
        }
    }

    /// The page of the last window.
    ///
    /// # Errors
    /// The text for an unknown format.
    pub fn diff(&self, format: Option<&str>) -> Result<String, String> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let (prefix, window) = (self.diff_prefix, &tables.window);
        match format.unwrap_or("json") {
            "json" => Ok(format!(
                r#"{{"LastTime":"{}","Duration":{},"Diff":{},"KeyPrefix":"{prefix}","ProgramName":""}}"#,
                window.at,
                window.seconds,
                json(&window.diff, i64::to_string)
            )),
            "kv" | "noah" | "kv_with_program_name" => Ok(lines(prefix, &window.diff, i64::to_string)),
            other => Err(format!("invalid format:{other}")),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Tables)) {
        change(&mut self.tables.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The place of a name; none where there is no room for it.
fn room<'m, V: Default>(map: &'m mut BTreeMap<String, V>, name: &str) -> Option<&'m mut V> {
    if !map.contains_key(name) {
        if map.len() >= MAX_NAMES {
            return None;
        }
        map.insert(name.to_owned(), V::default());
    }
    map.get_mut(name)
}

fn now() -> String {
    Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn json<V>(values: &BTreeMap<String, V>, show: impl Fn(&V) -> String) -> String {
    let field = |(name, value): (&String, &V)| format!("{}:{}", html_safe(&json_string(name)), show(value));
    format!("{{{}}}", values.iter().map(field).collect::<Vec<_>>().join(","))
}

/// Lines of `PREFIX_NAME:VALUE`, whose names have no odd characters.
fn lines<V>(prefix: &str, values: &BTreeMap<String, V>, show: impl Fn(&V) -> String) -> String {
    values.iter().fold(String::new(), |mut out, (name, value)| {
        let keeps = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = name.chars().map(|c| if keeps(c) { c } else { '_' }).collect();
        // Writing to memory cannot fail.
        let _ = writeln!(out, "{prefix}_{name}:{}", show(value));
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_s_and_c_in_all_formats() {
        let states = States::new("waf_client", "waf_client_diff");
        assert!(
            states.diff(None).unwrap().contains(r#""Duration":0,"Diff":{},"KeyPrefix":"waf_client_diff""#)
        );
        states.add("NoCheck", 0);
        states.add("waf_client_detect_1.2.3.4:80", 2);
        states.set_text("Version", "a \"b\" && c");
        states.set_number("clients", -1);
        states.set_float("share", 0.5);
        assert_eq!(
            states.total(None).unwrap(),
            r#"{"SCounters":{"NoCheck":0,"waf_client_detect_1.2.3.4:80":2},"States":{"Version":"a \"b\" \u0026\u0026 c"},"NumStates":{"clients":-1},"FloatStates":{"share":0.5},"KeyPrefix":"waf_client","ProgramName":""}"#,
            "MON-45"
        );
        assert_eq!(
            states.total(Some("kv")).unwrap(),
            "waf_client_NoCheck:0\nwaf_client_waf_client_detect_1.2.3.4_80:2\nwaf_client_Version:\"a \\\"b\\\" && c\"\nwaf_client_clients:-1\nwaf_client_share:0.500000\n",
            "MON-45"
        );
        for same in ["noah", "kv_with_program_name"] {
            assert_eq!(states.total(Some(same)), states.total(Some("kv")));
        }
        for bad in ["", "prometheus", "hier_json"] {
            assert_eq!(states.total(Some(bad)).unwrap_err(), format!("invalid format:{bad}"), "MON-41");
            assert_eq!(states.diff(Some(bad)).unwrap_err(), format!("invalid format:{bad}"), "MON-41");
        }
        states.close_window(20);
        states.add("NoCheck", 3);
        states.close_window(20);
        assert_eq!(
            states.diff(Some("kv")).unwrap(),
            "waf_client_diff_NoCheck:3\nwaf_client_diff_waf_client_detect_1.2.3.4_80:0\n"
        );
        assert!(states.diff(None).unwrap().contains(r#""Duration":20,"Diff":{"NoCheck":3,"#));
        states.remove_text("Version");
        assert!(states.total(None).unwrap().contains(r#""States":{}"#));
    }

    #[test]
    fn names_are_bounded() {
        let states = States::new("p", "q");
        for i in 0..MAX_NAMES + 5 {
            states.add(&i.to_string(), 1);
        }
        assert_eq!(states.total(Some("kv")).unwrap().lines().count(), MAX_NAMES);
        states.add("0", 1);
        assert!(states.total(Some("kv")).unwrap().starts_with("p_0:2\n"));
    }
}
