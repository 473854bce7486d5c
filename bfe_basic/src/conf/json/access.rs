//! The insides of maps, structs and lists, as serde asks for them.

use super::de::{Context, Error, Value};
use super::scan::Node;
use super::text::string_text;
use crate::pace;
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess};

/// A field that was given, and all its values.
pub(super) struct Given {
    pub(super) field: &'static str,
    pub(super) value: u32,
    pub(super) earlier: Vec<u32>,
}

/// The members of a map, repeated keys repeatedly.
pub(super) struct Members<'c, 't, I> {
    pub(super) context: &'c Context<'t>,
    pub(super) members: I,
    pub(super) value: Option<(Node, u32)>,
    pub(super) depth: u32,
}

impl<'de, I: Iterator<Item = (Node, u32)>> MapAccess<'de> for Members<'_, '_, I> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.value = self.members.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        let text = string_text(self.context.text, key);
        seed.deserialize(text.into_deserializer()).map(Some).map_err(|error: Error| error.at(key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        pace::step();
        let (key, index) = self.value.ok_or_else(|| Error::custom("value asked for before its key"))?;
        let value = Value::new(self.context, index, Vec::new(), self.depth);
        seed.deserialize(value).map_err(|error| error.within(&*string_text(self.context.text, key)))
    }
}

/// The fields of a struct, each once.
pub(super) struct Fields<'c, 't> {
    pub(super) context: &'c Context<'t>,
    pub(super) given: std::vec::IntoIter<Given>,
    pub(super) current: Option<Given>,
    pub(super) depth: u32,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.given.next();
        let Some(given) = &self.current else { return Ok(None) };
        seed.deserialize(given.field.into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let given = self.current.take().ok_or_else(|| Error::custom("value asked for before its key"))?;
        let value = Value::new(self.context, given.value, given.earlier, self.depth);
        seed.deserialize(value).map_err(|error| error.within(given.field))
    }
}

/// The elements of a list.
pub(super) struct Elements<'c, 't> {
    pub(super) context: &'c Context<'t>,
    pub(super) at: u32,
    pub(super) end: u32,
    pub(super) position: usize,
    /// What lists that the same field was given before had in each place; almost always empty.
    pub(super) earlier: std::vec::IntoIter<Vec<u32>>,
    pub(super) depth: u32,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.at >= self.end {
            return Ok(None);
        }
        pace::step();
        let earlier = self.earlier.next().unwrap_or_default();
        let value = Value::new(self.context, self.at, earlier, self.depth);
        self.at = value.node()?.next;
        let position = self.position;
        self.position += 1;
        seed.deserialize(value).map(Some).map_err(|error| error.within(position))
    }
}
