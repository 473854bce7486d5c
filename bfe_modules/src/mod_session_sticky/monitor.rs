//! `/monitor/mod_session_sticky`: the version of the rules, in the forms that counters have.

use bfe_module::metrics::json_string;

/// The page.
pub(super) fn page(version: &str, format: Option<&str>) -> Result<String, String> {
    match format.unwrap_or("json") {
        "json" => Ok(format!(
            r#"{{"Prefix":"mod_session_sticky","Kind":"total","GaugeData":{{}},"CounterData":{{}},"StateData":{{"VERSION":{}}}}}"#,
            json_string(version)
        )),
        "kv" | "noah" => Ok(format!("mod_session_sticky_VERSION: {version}\n")),
        // There are no numbers.
        "prometheus" => Ok(String::new()),
        other => Err(format!("invalid format: {other}")),
    }
}
