//! What a request is asked for again and again, worked out once: query, cookies, texts from a JSON body.

use crate::condition::json;
use crate::{NeedBody, Request};
use bfe_http::{Cookies, Query};
use bytes::Bytes;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Prefix of the context keys under which texts from a JSON body can be read (condition 7.1).
pub const JSON_CONTEXT_PREFIX: &str = "jsoncache.";

/// What is known of the request body for conditions that look into it.
///
/// The pipeline sets this when a condition has asked for the body with [`NeedBody`], and leaves a body in
/// [`Request::http`] that gives all bytes again.
#[derive(Clone, Debug, Default)]
pub enum BodyPeek {
    /// Nobody has asked.
    #[default]
    Unread,
    /// The body, or the first `AccessibleBodySize` bytes of it.
    Read(Bytes),
    /// The body could not be read. The condition that asked is false; for those after it there is no body.
    Failed,
}

/// Lazily filled; every part is empty until somebody asks.
#[derive(Default)]
pub(crate) struct RequestCache {
    query: OnceCell<Query>,
    cookies: OnceCell<Cookies>,
    json: RefCell<BTreeMap<Box<str>, Rc<[u8]>>>,
    body_failure_seen: Cell<bool>,
}

impl Request {
    /// The query: parsed when first asked for, from then on changed by query actions only (condition 6).
    pub fn query(&self) -> &Query {
        self.cache.query.get_or_init(|| Query::parse(&self.http.url.raw_query))
    }

    /// The query, if it has been asked for.
    pub(crate) fn known_query(&self) -> Option<&Query> {
        self.cache.query.get()
    }

    /// Changes the parsed query; the text of the query stays as it is.
    pub fn edit_query<R>(&mut self, edit: impl FnOnce(&mut Query) -> R) -> R {
        let mut query = self.cache.query.take().unwrap_or_else(|| Query::parse(&self.http.url.raw_query));
        let result = edit(&mut query);
        self.cache.query = OnceCell::from(query);
        result
    }

    /// The cookies: read when first asked for; later changes of the header are not seen (condition 6).
    pub fn cookies(&self) -> &Cookies {
        self.cache.cookies.get_or_init(|| Cookies::parse(&self.http.header))
    }

    /// The cookies, if they have been asked for.
    pub(crate) fn known_cookies(&self) -> Option<&Cookies> {
        self.cache.cookies.get()
    }

    /// Changes the parsed cookies; the header stays as it is.
    pub fn edit_cookies<R>(&mut self, edit: impl FnOnce(&mut Cookies) -> R) -> R {
        let mut cookies = self.cache.cookies.take().unwrap_or_else(|| Cookies::parse(&self.http.header));
        let result = edit(&mut cookies);
        self.cache.cookies = OnceCell::from(cookies);
        result
    }

    /// The text at `path` in a JSON body, looked up once for each path (condition 7.1). A missing body or
    /// path is empty text; `None` where the body could not be read.
    ///
    /// # Errors
    /// [`NeedBody`] where there is a body that has not been looked at.
    pub fn body_json(&self, path: &str) -> Result<Option<Rc<[u8]>>, NeedBody> {
        // What a module has put into the context goes first.
        if !self.context.is_empty()
            && let Some(text) = self.context.text(&[JSON_CONTEXT_PREFIX, path].concat())
        {
            return Ok(Some(Rc::from(text)));
        }
        if let Some(text) = self.cache.json.borrow().get(path) {
            return Ok(Some(Rc::clone(text)));
        }
        let text = match &self.body_peek {
            BodyPeek::Read(body) => json::get_text(body, path),
            BodyPeek::Failed if !self.cache.body_failure_seen.replace(true) => return Ok(None),
            BodyPeek::Unread if !self.http.body.is_empty() => return Err(NeedBody),
            BodyPeek::Failed | BodyPeek::Unread => Vec::new(),
        };
        let text: Rc<[u8]> = text.into();
        self.cache.json.borrow_mut().insert(path.into(), Rc::clone(&text));
        Ok(Some(text))
    }

    /// Hands the text under a context key to `ask`, also texts that were found in a JSON body; `None`
    /// where there is none.
    pub fn with_context_text<R>(&self, key: &str, ask: impl FnOnce(&[u8]) -> R) -> Option<R> {
        match (self.context.text(key), key.strip_prefix(JSON_CONTEXT_PREFIX)) {
            (Some(text), _) => Some(ask(text)),
            (None, Some(path)) => self.cache.json.borrow().get(path).map(|text| ask(text)),
            (None, None) => None,
        }
    }
}
