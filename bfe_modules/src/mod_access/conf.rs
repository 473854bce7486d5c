//! `mod_access.conf`.

use super::item::{RequestItem, SessionItem};
use super::template::{Form, Template};
use crate::module_conf;
use bfe_basic::conf::ini::{self, Section};
use bfe_basic::conf::{ConfErrors, Faults};
use bfe_module::log_file::{LogKeys, LogTarget};
use std::path::Path;

/// Templates that have a name.
const COMMON: &str = "$host - - $request_time \"$request_line\" $status_code $res_len";
const COMBINED: &str = "$host - - $request_time \"$request_line\" $status_code $res_len \
                        \"${Referer}req_header\" \"${User-Agent}req_header\"";

/// The checked configuration.
pub(super) struct Conf {
    pub(super) target: LogTarget,
    pub(super) form: Form,
    pub(super) request: Template<RequestItem>,
    pub(super) session: Template<SessionItem>,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut keys, mut format) = (LogKeys::default(), String::new());
    let (mut request, mut session) = (String::new(), String::new());
    let ini = ini::read_file(
        &module_conf::file(conf_root, "mod_access"),
        &mut [
            keys.section().string("Format", &mut format),
            Section::new("Template")
                .string("RequestTemplate", &mut request)
                .string("SessionTemplate", &mut session),
        ],
    )?;
    let target = keys.check(&ini, Some(conf_root));
    let mut faults = Faults::new();
    let form = match format.to_ascii_lowercase().as_str() {
        "" | "text" => Form::Text,
        "json" => Form::Json,
        _ => {
            faults.push(ini.error("Log", "Format", format!("invalid {format:?}, expected text or json")));
            Form::Text
        }
    };
    let request_text = match request.as_str() {
        "COMMON" => COMMON,
        "COMBINED" => COMBINED,
        other => other,
    };
    let mut template = |key, text: &str| {
        if text.is_empty() {
            faults.push(ini.error("Template", key, format!("{key} not set")));
        }
    };
    template("RequestTemplate", request_text);
    template("SessionTemplate", &session);
    let request = Template::parse(request_text, form, "request");
    let session = Template::parse(&session, form, "session");
    for (key, error) in
        [("RequestTemplate", request.as_ref().err()), ("SessionTemplate", session.as_ref().err())]
    {
        if let Some(error) = error {
            faults.push(ini.error("Template", key, error.to_string()));
        }
    }
    match (target, faults.into_result(), request, session) {
        (Ok(target), Ok(()), Ok(request), Ok(session)) => Ok(Conf { target, form, request, session }),
        (Err(mut first), Err(second), ..) => {
            first.append(second);
            Err(first)
        }
        (_, Err(errors), ..) | (Err(errors), ..) => Err(errors),
        // An error of a template is among the faults.
        (Ok(_), Ok(()), ..) => Err(ini.error("Template", "", "invalid").into()),
    }
}
