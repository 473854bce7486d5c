//! The free map in which modules leave things for each other.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A value in a [`Context`].
pub enum ContextValue {
    /// Text, which conditions can read (`req_context_value_in`).
    Text(Vec<u8>),
    /// A number.
    Int(i64),
    /// Anything else; its owner knows what.
    Any(Box<dyn Any>),
}

/// A map from names to whatever a module puts there. Empty until one does, and free of cost then.
#[derive(Default)]
pub struct Context(BTreeMap<Cow<'static, str>, ContextValue>);

impl Context {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&ContextValue> {
        self.0.get(key)
    }

    /// The value of `key` where it is text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&[u8]> {
        match self.get(key)? {
            ContextValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of `key` where it is a `T`.
    #[must_use]
    pub fn any<T: 'static>(&self, key: &str) -> Option<&T> {
        match self.get(key)? {
            ContextValue::Any(any) => any.downcast_ref(),
            _ => None,
        }
    }

    /// Whether nothing is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a value.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: ContextValue) {
        self.0.insert(key.into(), value);
    }

    /// Puts text.
    pub fn set_text(&mut self, key: impl Into<Cow<'static, str>>, text: impl Into<Vec<u8>>) {
        self.set(key, ContextValue::Text(text.into()));
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &str) -> Option<ContextValue> {
        self.0.remove(key)
    }
}
