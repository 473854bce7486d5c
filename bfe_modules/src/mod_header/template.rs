//! Values with variables in them.

use super::variable::Variable;
use bfe_basic::Request;
use bytes::Bytes;

/// The value of a header field: text and variables.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Bytes),
    Variable(Variable),
}

impl Template {
    /// Takes a value apart. `%` and letters, digits and `_` name a variable, `%%` is `%`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            let end = after
                .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
                .unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end).unwrap_or((after, ""));
            let variable = Variable::find(name)
                .ok_or_else(|| format!("command's second param is not valid: %{name} is no variable"))?;
            if !plain.is_empty() {
                parts.push(Part::Text(Bytes::from(std::mem::take(&mut plain))));
            }
            parts.push(Part::Variable(variable));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(Bytes::from(plain)));
        }
        Ok(Self(parts))
    }

    /// The value for a request.
    pub(super) fn value(&self, req: &Request) -> Bytes {
        match self.0.as_slice() {
            [Part::Text(text)] => text.clone(),
            [Part::Variable(variable)] => variable.value(req),
            parts => {
                let mut value = Vec::with_capacity(64);
                for part in parts {
                    match part {
                        Part::Text(text) => value.extend_from_slice(text),
                        Part::Variable(variable) => value.extend_from_slice(&variable.value(req)),
                    }
                }
                Bytes::from(value)
            }
        }
    }
}

/// The value of a cookie: one variable, or plain text.
#[derive(Debug)]
pub(super) enum CookieValue {
    Text(Bytes),
    Variable(Variable),
}

impl CookieValue {
    /// What is not `%` and the name of a variable is text.
    pub(super) fn parse(text: &str) -> Self {
        match text.strip_prefix('%').and_then(Variable::find) {
            Some(variable) => Self::Variable(variable),
            None => Self::Text(Bytes::copy_from_slice(text.as_bytes())),
        }
    }

    /// The value for a request.
    pub(super) fn value(&self, req: &Request) -> Bytes {
        match self {
            Self::Text(text) => text.clone(),
            Self::Variable(variable) => variable.value(req),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn header_8_and_9_templates() {
        let mut req = testing::request("GET", "/");
        req.log_id = "7".into();
        for (text, want) in [
            ("plain", Ok("plain")),
            ("a%bfe_vip;b", Ok("aunknown;b")),
            ("%bfe_log_id", Ok("7")),
            ("%bfe_log_id%bfe_log_id", Ok("77")),
            ("100%%", Ok("100%")),
            ("%%bfe_vip", Ok("%bfe_vip")),
            ("\u{e9}%%%bfe_log_id\u{e9}", Ok("\u{e9}%7\u{e9}")),
            ("", Ok("")),
            ("100%", Err("%")),
            ("%20", Err("%20")),
            ("%BFE_VIP", Err("%")),
            ("%bfe_vipx", Err("%bfe_vipx")),
            ("% %", Err("%")),
        ] {
            let got = Template::parse(text).map(|t| String::from_utf8(t.value(&req).to_vec()).unwrap());
            let want = want
                .map(str::to_owned)
                .map_err(|name: &str| format!("command's second param is not valid: {name} is no variable"));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn header_16_values_of_cookies() {
        let mut req = testing::request("GET", "/");
        req.log_id = "7".into();
        for (text, want) in
            [("%bfe_log_id", "7"), ("%nope", "%nope"), ("a%bfe_log_id", "a%bfe_log_id"), ("%%", "%%")]
        {
            assert_eq!(CookieValue::parse(text).value(&req), want);
        }
    }
}
