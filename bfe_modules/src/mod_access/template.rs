//! Templates (modules-traffic 1.2): taken apart once, into a flat list of literals and items.

use super::output::{Json, Out, Text};
use std::collections::HashSet;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The template with its items filled in.
    Text,
    /// A JSON object with the items of the template.
    Json,
}

/// What the text behind a `$` names.
pub(super) enum Named<I> {
    /// An item of these lines, by that name.
    Here(&'static str, I),
    /// An item of the other kind of lines.
    Elsewhere,
    /// Nothing.
    Unknown,
}

/// The items of one kind of lines.
pub(super) trait Item: Sized + PartialEq {
    /// What the text behind a `$` names, with the key in braces, if any.
    fn find(text: &str, key: Option<&str>) -> Named<Self>;

    /// The name of the member that shows it in JSON; `name` is what the template calls it.
    fn member(&self, name: &str) -> String;
}

/// Why a template is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("no item behind $ at {0:?}")]
    NoItem(String),
    #[error("no }} behind ${{ at {0:?}")]
    Open(String),
    #[error("unknown item at {0:?}")]
    Unknown(String),
    #[error("item at {0:?} is not for these lines")]
    Elsewhere(String),
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<I> {
    Literal(Box<[u8]>),
    Item {
        item: I,
        /// It stands between double quotes.
        quoted: bool,
    },
}

/// A template.
#[derive(Debug)]
pub(super) struct Template<I> {
    pieces: Vec<Piece<I>>,
}

impl<I: Item> Template<I> {
    /// Takes a template apart. `kind` is what JSON lines say they are.
    pub(super) fn parse(text: &str, form: Form, kind: &str) -> Result<Self, TemplateError> {
        let parts = parts(text)?;
        Ok(match form {
            Form::Text => Self::text(parts),
            Form::Json => Self::json(parts, kind),
        })
    }

    fn text(parts: Vec<Part<'_, I>>) -> Self {
        let (mut pieces, mut quoted) = (Vec::new(), false);
        for part in parts {
            match part {
                Part::Literal(text) => {
                    quoted ^= text.matches('"').count() % 2 == 1;
                    pieces.push(Piece::Literal(text.as_bytes().into()));
                }
                Part::Item(_, item) => pieces.push(Piece::Item { item, quoted }),
            }
        }
        pieces.push(Piece::Literal((*b"\n").into()));
        Self { pieces }
    }

    fn json(parts: Vec<Part<'_, I>>, kind: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = format!("{{\"type\":\"{kind}\"");
        let mut members = HashSet::from(["type".to_owned()]);
        for part in parts {
            let Part::Item(name, item) = part else { continue };
            let is_item =
                |piece: &Piece<I>| matches!(piece, Piece::Item { item: before, .. } if *before == item);
            let wanted = item.member(name);
            // An object has each member once.
            if members.contains(&wanted) && pieces.iter().any(is_item) {
                continue;
            }
            let mut member = wanted.clone();
            // Two keys that differ in what is no letter or digit.
            let mut number = 2;
            while !members.insert(member.clone()) {
                member = format!("{wanted}_{number}");
                number += 1;
            }
            literal.push_str(&format!(",\"{member}\":"));
            pieces.push(Piece::Literal(std::mem::take(&mut literal).into_bytes().into()));
            pieces.push(Piece::Item { item, quoted: true });
        }
        literal.push_str("}\n");
        pieces.push(Piece::Literal(literal.into_bytes().into()));
        Self { pieces }
    }

    /// Writes a line.
    pub(super) fn render(&self, form: Form, line: &mut Vec<u8>, fill: &impl Fill<I>) {
        match form {
            Form::Text => self.render_with(line, |item, quoted, line| {
                fill.fill(item, &mut Text::new(line, quoted));
            }),
            Form::Json => self.render_with(line, |item, _, line| {
                fill.fill(item, &mut Json::new(line));
            }),
        }
    }

    fn render_with(&self, line: &mut Vec<u8>, mut fill: impl FnMut(&I, bool, &mut Vec<u8>)) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => line.extend_from_slice(text),
                Piece::Item { item, quoted } => fill(item, *quoted, line),
            }
        }
    }
}

/// Fills in items.
pub(super) trait Fill<I> {
    /// Writes the value of an item.
    fn fill(&self, item: &I, out: &mut impl Out);
}

enum Part<'t, I> {
    Literal(&'t str),
    Item(&'static str, I),
}

fn parts<I: Item>(text: &str) -> Result<Vec<Part<'_, I>>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, behind)) = rest.split_once('$') {
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        let at = || {
            let from = literal.len();
            rest.get(from..).unwrap_or_default().chars().take(40).collect::<String>()
        };
        let (key, named) = match behind.strip_prefix('{') {
            None => (None, behind),
            Some(braced) => match braced.split_once('}') {
                None => return Err(TemplateError::Open(at())),
                Some((key, named)) => (Some(key), named),
            },
        };
        if named.is_empty() {
            return Err(TemplateError::NoItem(at()));
        }
        match I::find(named, key) {
            Named::Here(name, item) => {
                parts.push(Part::Item(name, item));
                rest = named.get(name.len()..).unwrap_or_default();
            }
            Named::Elsewhere => return Err(TemplateError::Elsewhere(at())),
            Named::Unknown => return Err(TemplateError::Unknown(at())),
        }
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::super::item::{RequestItem, SessionItem};
    use super::*;

    /// The pieces of a template, items as `<...>`, quoted ones as `<"...">`.
    fn shape<I: Item + std::fmt::Debug>(text: &str, form: Form) -> Result<String, TemplateError> {
        let template = Template::<I>::parse(text, form, "kind")?;
        Ok(template
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => String::from_utf8_lossy(text).into_owned(),
                Piece::Item { item, quoted: false } => format!("<{item:?}>"),
                Piece::Item { item, quoted: true } => format!("<\"{item:?}\">"),
            })
            .collect())
    }

    #[test]
    fn access_6_to_10_grammar() {
        for (text, want) in [
            ("no items", "no items\n"),
            ("$hostname", "<Host>name\n"),
            ("$req_header_len", "<ReqHeader(\"Req_header\")>_len\n"),
            ("${user-agent}req_header", "<ReqHeader(\"User-Agent\")>\n"),
            ("${content-type}res_header|$res_header", "<ResHeader(None)>|<ResHeader(None)>\n"),
            ("${Content-Type}res_header", "<ResHeader(Some(\"Content-Type\"))>\n"),
            ("${}req_header${}res_header", "<ReqHeader(\"\")><ResHeader(Some(\"\"))>\n"),
            ("${X}host{X}$time.", "<Host>{X}<Time>.\n"),
            ("$req_cookie", "<ReqCookie(\"req_cookie\")>\n"),
            ("\"$host\" $host '$url' \"a $url\"", "\"<\"Host\">\" <Host> '<Url>' \"a <\"Url\">\"\n"),
        ] {
            assert_eq!(shape::<RequestItem>(text, Form::Text).as_deref(), Ok(want), "{text}");
        }
        use TemplateError as E;
        for (text, want) in [
            ("$", E::NoItem("$".into())),
            ("a $host$", E::NoItem("$".into())),
            ("${X}", E::NoItem("${X}".into())),
            ("${", E::Open("${".into())),
            ("${X", E::Open("${X".into())),
            ("$$host", E::Unknown("$$host".into())),
            ("$res_status", E::Unknown("$res_status".into())),
            ("$HOST", E::Unknown("$HOST".into())),
            ("${{X}}req_header", E::Unknown("${{X}}req_header".into())),
            ("${X} req_header", E::Unknown("${X} req_header".into())),
            ("$ses_error", E::Elsewhere("$ses_error".into())),
        ] {
            assert_eq!(shape::<RequestItem>(text, Form::Text), Err(want), "{text}");
        }
        assert_eq!(shape::<SessionItem>("$time $ses_errorx", Form::Text).as_deref(), Ok("<Time> <Error>x\n"));
        assert_eq!(shape::<SessionItem>("$host", Form::Text), Err(E::Elsewhere("$host".into())));
    }

    #[test]
    fn json_members() {
        for (text, want) in [
            ("no items", "{\"type\":\"kind\"}\n"),
            (
                "a $host, $host ${User-Agent}req_header $write_serve_time $last_backend_duration",
                "{\"type\":\"kind\",\"host\":<\"Host\">,\
                 \"req_header_user_agent\":<\"ReqHeader(\"User-Agent\")\">,\
                 \"write_serve_time\":<\"LastBackendDuration\">,\
                 \"last_backend_duration\":<\"LastBackendDuration\">}\n",
            ),
            (
                "${a\"b}req_cookie ${a.b}req_cookie",
                "{\"type\":\"kind\",\"req_cookie_a_b\":<\"ReqCookie(\"a\\\"b\")\">,\
                 \"req_cookie_a_b_2\":<\"ReqCookie(\"a.b\")\">}\n",
            ),
        ] {
            assert_eq!(shape::<RequestItem>(text, Form::Json).as_deref(), Ok(want), "{text}");
        }
    }
}
