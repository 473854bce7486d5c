//! What a plugin sees of a request and its response.

use super::{Env, Refusal, Scope};
use bfe_http::{Header, Response};
use bytes::Bytes;

/// The messages of a request, lent to a plugin for one call.
#[derive(Default)]
pub(crate) struct Messages {
    /// Fields of the request.
    pub(crate) request: Header,
    /// Fields of the response, once there is one.
    pub(crate) response: Option<Header>,
    /// The answer of a plugin. Once there is one, it is the response that plugins see.
    pub(crate) reply: Option<Reply>,
}

/// An answer of a plugin.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) header: Header,
    pub(crate) body: Bytes,
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let mut response = Self::new(reply.status);
        response.header = reply.header;
        response.content_length = i64::try_from(reply.body.len()).unwrap_or(i64::MAX);
        response.body = bfe_http::Body::Full(reply.body);
        response
    }
}

/// How many names there are in a header, as plugins count.
pub(crate) fn names(header: &Header) -> i32 {
    i32::try_from(header.first_values().count()).unwrap_or(i32::MAX)
}

impl Messages {
    pub(crate) fn names_in_request(&self) -> i32 {
        names(&self.request)
    }

    pub(crate) fn names_in_response(&self) -> i32 {
        self.shown_response().map_or(0, names)
    }

    fn shown_response(&self) -> Option<&Header> {
        self.reply.as_ref().map(|reply| &reply.header).or(self.response.as_ref())
    }
}

/// A map of fields.
pub(super) enum Map<'a> {
    Fields(&'a mut Header),
    /// Trailers: they come after everything a plugin is called for. They read as empty, and cannot be written.
    Trailers,
}

/// The map of that number.
pub(super) fn map<'a>(env: &'a mut Env<'_>, number: i32) -> Result<Map<'a>, Refusal> {
    let host = env.data_mut();
    if number == 6 {
        return host
            .http
            .answer
            .as_mut()
            .map(|answer| Map::Fields(&mut answer.header))
            .ok_or(Refusal::NotFound);
    }
    let messages = match &mut host.scope {
        Scope::Request(messages) => messages,
        Scope::Root if (0..=3).contains(&number) => return Err(Refusal::Trap("there is no request")),
        Scope::Root | Scope::Loading => return Err(Refusal::NotFound),
    };
    match number {
        0 => Ok(Map::Fields(&mut messages.request)),
        1 => Ok(Map::Trailers),
        2 | 3 => {
            let reply = messages.reply.as_mut().map(|reply| &mut reply.header);
            let header = reply.or(messages.response.as_mut()).ok_or(Refusal::NotFound)?;
            Ok(if number == 2 { Map::Fields(header) } else { Map::Trailers })
        }
        _ => Err(Refusal::NotFound),
    }
}
