//! serde over the tape: where the dialect's rules on types, names and repetition live.

use super::access::{Elements, Fields, Given, Members};
use super::path::{Path, Step, start};
use super::scan::{Kind, Node, Tape};
use super::text::{raw_text, string_text};
use crate::conf::hint::did_you_mean;
use crate::pace;
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use std::cell::RefCell;
use std::fmt;

/// How deep typed values may lie in each other. Only types that contain themselves get anywhere near.
const MAX_TYPED_DEPTH: u32 = 128;
/// How many warnings are kept.
const MAX_WARNINGS: usize = 50;

/// A value of the wrong type, or one that its type refused.
#[derive(Debug)]
pub(super) struct Error {
    /// Innermost step first.
    path: Vec<Step>,
    at: Option<usize>,
    reason: String,
}

impl Error {
    pub(super) fn within(mut self, step: impl Into<Step>) -> Self {
        self.path.push(step.into());
        self
    }

    /// Gives the error a place, unless something further in has done so.
    pub(super) fn at(mut self, node: Node) -> Self {
        self.at.get_or_insert(start(node));
        self
    }

    pub(super) fn into_parts(mut self) -> (Path, Option<usize>, String) {
        self.path.reverse();
        (Path(self.path), self.at, self.reason)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<M: fmt::Display>(reason: M) -> Self {
        Self { path: Vec::new(), at: None, reason: reason.to_string() }
    }
}

/// What all values of a file share.
pub(super) struct Context<'t> {
    pub(super) text: &'t str,
    tape: &'t Tape,
    warnings: RefCell<Vec<(usize, String)>>,
}

impl<'t> Context<'t> {
    pub(super) fn new(text: &'t str, tape: &'t Tape) -> Self {
        Self { text, tape, warnings: RefCell::default() }
    }

    pub(super) fn into_warnings(self) -> Vec<(usize, String)> {
        self.warnings.into_inner()
    }

    fn node(&self, index: u32) -> Result<Node, Error> {
        self.tape.get(index).ok_or_else(|| Error::custom("unexpected end of file"))
    }

    /// The elements of a list, by index; `end` is that of what follows the list.
    fn elements(&self, index: u32, end: u32) -> impl Iterator<Item = u32> {
        let mut at = index + 1;
        std::iter::from_fn(move || {
            let element = (at < end).then_some(at)?;
            at = self.tape.get(element)?.next;
            Some(element)
        })
    }

    /// The members of an object: nodes of key and value, index of the value.
    fn members(&self, index: u32) -> impl Iterator<Item = (Node, u32)> {
        let end = self.tape.get(index).map_or(0, |node| node.next);
        let mut at = index + 1;
        std::iter::from_fn(move || {
            let key = (at < end).then(|| self.tape.get(at)).flatten()?;
            at = self.tape.get(key.next)?.next;
            Some((key, key.next))
        })
    }
}

/// A value, with the earlier ones that the same field was given.
pub(super) struct Value<'c, 't> {
    pub(super) context: &'c Context<'t>,
    pub(super) index: u32,
    /// Almost always empty, which costs no allocation.
    pub(super) earlier: Vec<u32>,
    /// Null forgets the earlier values.
    is_optional: bool,
    pub(super) depth: u32,
}

impl<'c, 't> Value<'c, 't> {
    pub(super) fn root(context: &'c Context<'t>) -> Self {
        Self::new(context, 0, Vec::new(), 0)
    }

    pub(super) fn new(context: &'c Context<'t>, index: u32, earlier: Vec<u32>, depth: u32) -> Self {
        Self { context, index, earlier, is_optional: false, depth }
    }

    pub(super) fn node(&self) -> Result<Node, Error> {
        self.context.node(self.index)
    }

    fn mismatch(&self, node: Node, expected: &str) -> Error {
        let raw = raw_text(self.context.text, node);
        let found = match node.kind {
            Kind::Null => "null".to_owned(),
            Kind::Bool => raw.to_owned(),
            Kind::Number => format!("the number {}", shorten(raw)),
            Kind::String { .. } => format!("the string \"{}\"", shorten(raw)),
            Kind::Array => "a list".to_owned(),
            Kind::Object => "an object".to_owned(),
        };
        Error::custom(format_args!("expected {expected}, found {found}")).at(node)
    }

    /// The value as one of a kind that replaces what was there before; `None` for null, which changes nothing behind
    /// a number or boolean that is not optional. The earlier values are looked at for their kind only.
    fn one(&self, expected: &str, accepts: impl Fn(Kind) -> bool) -> Result<Option<Node>, Error> {
        let mut found = None;
        for &index in self.earlier.iter().chain([&self.index]) {
            let node = self.context.node(index)?;
            match node.kind {
                Kind::Null if self.is_optional => found = None,
                // A string becomes empty.
                Kind::Null => found = found.filter(|node: &Node| !matches!(node.kind, Kind::String { .. })),
                kind if accepts(kind) => found = Some(node),
                _ => return Err(self.mismatch(node, expected)),
            }
        }
        Ok(found)
    }

    /// The objects that make up this value, earliest first. Null changes nothing in a struct that is not optional, and empties
    /// all others.
    fn objects(&self, is_map: bool) -> Result<Vec<u32>, Error> {
        pace::step();
        if self.depth > MAX_TYPED_DEPTH {
            return Err(Error::custom("exceeded max depth of typed values").at(self.node()?));
        }
        let mut objects = Vec::with_capacity(1);
        for &index in self.earlier.iter().chain([&self.index]) {
            let node = self.context.node(index)?;
            match node.kind {
                Kind::Object => objects.push(index),
                Kind::Null if is_map || self.is_optional => objects.clear(),
                Kind::Null => {}
                _ => return Err(self.mismatch(node, "an object")),
            }
        }
        Ok(objects)
    }

    /// The list that this value is, and what earlier ones had in each place; null and an empty list forget them.
    fn list(&self) -> Result<(Option<Node>, Vec<Vec<u32>>), Error> {
        let mut earlier: Vec<Vec<u32>> = Vec::new();
        for &index in &self.earlier {
            let node = self.context.node(index)?;
            match node.kind {
                Kind::Array if node.next > index + 1 => {
                    for (place, element) in self.context.elements(index, node.next).enumerate() {
                        match earlier.get_mut(place) {
                            Some(known) => known.push(element),
                            None => earlier.push(vec![element]),
                        }
                    }
                }
                Kind::Array | Kind::Null => earlier.clear(),
                _ => return Err(self.mismatch(node, "a list")),
            }
        }
        let node = self.node()?;
        match node.kind {
            Kind::Array => Ok((Some(node), earlier)),
            Kind::Null => Ok((None, earlier)),
            _ => Err(self.mismatch(node, "a list")),
        }
    }

    fn number<N: std::str::FromStr + Default>(&self, expected: &str) -> Result<N, Error> {
        let parse = |node| -> Result<N, Error> {
            raw_text(self.context.text, node).parse().map_err(|_| self.mismatch(node, expected))
        };
        let node = self.one(expected, |kind| kind == Kind::Number)?;
        for &index in &self.earlier {
            let node = self.context.node(index)?;
            if node.kind == Kind::Number {
                parse(node)?;
            }
        }
        node.map_or(Ok(N::default()), parse)
    }
}

fn shorten(raw: &str) -> String {
    match raw.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", raw.get(..at).unwrap_or_default()),
        None => raw.to_owned(),
    }
}

const INTEGER: &str = "an integer (digits only, within 64 bits)";

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let node = self.node()?;
            visitor.$visit(self.number::<$type>(INTEGER)?).map_err(|error: Error| error.at(node))
        }
    )*};
}

macro_rules! strings {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let node = self.node()?;
            let found = self.one("a string", |kind| matches!(kind, Kind::String { .. }))?;
            match found.map(|found| string_text(self.context.text, found)) {
                None => visitor.visit_str(""),
                Some(std::borrow::Cow::Borrowed(text)) => visitor.visit_str(text),
                Some(std::borrow::Cow::Owned(text)) => visitor.visit_string(text),
            }
            .map_err(|error: Error| error.at(node))
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'_, '_> {
    type Error = Error;

    integers!(
        deserialize_i8 visit_i64 i64, deserialize_i16 visit_i64 i64, deserialize_i32 visit_i64 i64,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_i64 i64, deserialize_u16 visit_i64 i64,
        deserialize_u32 visit_i64 i64, deserialize_u64 visit_u64 u64
    );
    strings!(deserialize_str, deserialize_string, deserialize_char, deserialize_identifier);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let node = self.node()?;
        match node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool => self.deserialize_bool(visitor),
            Kind::String { .. } => self.deserialize_str(visitor),
            Kind::Array => self.deserialize_seq(visitor),
            Kind::Object => self.deserialize_map(visitor),
            Kind::Number => {
                let raw = raw_text(self.context.text, node);
                match (raw.parse::<i64>(), raw.parse::<u64>()) {
                    // A zero with a sign is a float, as an integer would lose it.
                    (Ok(number), _) if raw != "-0" => visitor.visit_i64(number),
                    (_, Ok(number)) => visitor.visit_u64(number),
                    _ => self.deserialize_f64(visitor),
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let node = self.one("true or false", |kind| kind == Kind::Bool)?;
        visitor.visit_bool(node.is_some_and(|node| raw_text(self.context.text, node) == "true"))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let expected = "a number within the range of 64-bit floats";
        let number = self.number::<f64>(expected)?;
        if number.is_infinite() {
            return Err(self.mismatch(self.node()?, expected));
        }
        visitor.visit_f64(number)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node()?.kind == Kind::Null {
            return visitor.visit_none();
        }
        visitor.visit_some(Value { is_optional: true, ..self })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.one("null", |_| false)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (list, earlier) = self.list()?;
        if self.depth > MAX_TYPED_DEPTH {
            return Err(Error::custom("exceeded max depth of typed values").at(self.node()?));
        }
        let end = list.map_or(0, |node| node.next);
        let (context, at, depth) = (self.context, self.index + 1, self.depth + 1);
        let elements = Elements { context, at, end, position: 0, earlier: earlier.into_iter(), depth };
        let node = self.node()?;
        visitor.visit_seq(elements).map_err(|error| error.at(node))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let context = self.context;
        let node = self.node()?;
        let members = self.objects(true)?.into_iter().flat_map(|index| context.members(index));
        let members = Members { context, members, value: None, depth: self.depth + 1 };
        visitor.visit_map(members).map_err(|error| error.at(node))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let context = self.context;
        let node = self.node()?;
        let mut given: Vec<Given> = Vec::with_capacity(fields.len());
        let mut unknown: Vec<Node> = Vec::new();
        for object in self.objects(false)? {
            for (key, value) in context.members(object) {
                let name = string_text(context.text, key);
                let field = fields.iter().copied().find(|field| field.eq_ignore_ascii_case(&name));
                match field {
                    None => unknown.push(key),
                    Some(field) => match given.iter_mut().find(|given| given.field == field) {
                        None => given.push(Given { field, value, earlier: Vec::new() }),
                        Some(given) => {
                            given.earlier.push(given.value);
                            given.value = value;
                        }
                    },
                }
            }
        }
        warn_of_unknown(context, &unknown, &given, fields);
        let members = Fields { context, given: given.into_iter(), current: None, depth: self.depth + 1 };
        visitor.visit_map(members).map_err(|error| error.at(node))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let node = self.node()?;
        let found = self.one("a string", |kind| matches!(kind, Kind::String { .. }))?;
        let text = found.map(|found| string_text(self.context.text, found)).unwrap_or_default();
        visitor.visit_enum(text.into_deserializer()).map_err(|error: Error| error.at(node))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { i128 u128 }
}

/// Notes the unknown keys of an object that are near to a field it lacks.
fn warn_of_unknown(context: &Context<'_>, unknown: &[Node], given: &[Given], fields: &[&'static str]) {
    for &key in unknown {
        let mut warnings = context.warnings.borrow_mut();
        if warnings.len() >= MAX_WARNINGS {
            return;
        }
        let name = string_text(context.text, key);
        let absent = fields.iter().copied().filter(|field| given.iter().all(|given| given.field != *field));
        if let Some(meant) = did_you_mean(&name, absent) {
            let reason = format!("unknown key \"{}\" is ignored; did you mean \"{meant}\"?", shorten(&name));
            warnings.push((start(key), reason));
        }
    }
}
