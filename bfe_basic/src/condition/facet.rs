//! What of a request an index over many conditions can look up.

use super::matcher::Matcher;
use super::prepared::Test;
use super::source::{Address, Source};
use super::{address, fold};
use crate::Request;
use bfe_http::{Cookies, Query};
use std::borrow::Cow;
use std::cell::OnceCell;

/// Something of a request that an index can look up, and the form it is looked up in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facet<'c> {
    pub(super) of: Of<'c>,
    pub(super) is_prefix: bool,
    pub(super) folded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of<'c> {
    Value(Cow<'c, Source>),
    /// An address as a row of bits, a byte each, so that a network is a beginning of it.
    Address(Address),
}

/// What lookups read of a request, taken once.
///
/// The query and the cookies are parsed here where nobody has asked the request for them yet: asking it would
/// settle what later conditions see.
pub(crate) struct Facts<'r> {
    req: &'r Request,
    query: OnceCell<Query>,
    cookies: OnceCell<Cookies>,
}

impl<'r> Facts<'r> {
    pub(crate) fn new(req: &'r Request) -> Self {
        Self { req, query: OnceCell::new(), cookies: OnceCell::new() }
    }

    fn query(&self) -> &Query {
        let parse = || Query::parse(&self.req.http.url.raw_query);
        self.req.known_query().unwrap_or_else(|| self.query.get_or_init(parse))
    }

    fn cookies(&self) -> &Cookies {
        let parse = || Cookies::parse(&self.req.http.header);
        self.req.known_cookies().unwrap_or_else(|| self.cookies.get_or_init(parse))
    }
}

impl<'c> Facet<'c> {
    /// What a test looks at; `None` where it says nothing that could be looked up.
    pub(super) fn of(test: &'c Test) -> Option<Self> {
        let (source, matcher) = match test {
            Test::Value(source, matcher) => (source, matcher),
            Test::AddressIn(which, ranges) => {
                let few = address::networks(ranges, |_| {});
                return few.then_some(Self { of: Of::Address(*which), is_prefix: true, folded: false });
            }
            _ => return None,
        };
        match source {
            Source::Host
            | Source::HostTag
            | Source::Path
            | Source::Query(_)
            | Source::Cookie(_)
            | Source::Header(_)
            | Source::Method
            | Source::Sni => {}
            // Not worth a lookup, or there only later.
            Source::Port
            | Source::Url
            | Source::Protocol
            | Source::Context(_)
            | Source::ResponseCode
            | Source::ResponseHeader(_)
            | Source::ClientCa
            | Source::BodyJson(_) => return None,
        }
        let (matcher, folded) = unfolded(matcher);
        let is_prefix = match matcher {
            Matcher::Exact(_) => false,
            Matcher::Prefix(_) | Matcher::ElementPrefix(_) => true,
            Matcher::Regex(pattern) if !pattern.beginning().is_empty() => true,
            _ => return None,
        };
        Some(Self { of: Of::Value(Cow::Borrowed(source)), is_prefix, folded })
    }

    /// The same, on its own.
    pub(crate) fn into_owned(self) -> Facet<'static> {
        let of = match self.of {
            Of::Value(source) => Of::Value(Cow::Owned(source.into_owned())),
            Of::Address(which) => Of::Address(which),
        };
        Facet { of, is_prefix: self.is_prefix, folded: self.folded }
    }
}

impl Facet<'_> {
    /// Whether values are beginnings, not the whole.
    pub(crate) fn is_prefix(&self) -> bool {
        self.is_prefix
    }

    /// Hands over what the request has, in the form that values are in; nothing where it has nothing.
    pub(crate) fn with_value(&self, facts: &Facts<'_>, look: impl FnOnce(&[u8])) {
        let source = match &self.of {
            Of::Value(source) => source.as_ref(),
            Of::Address(which) => {
                if let Some(ip) = which.get(facts.req) {
                    look(&address::bits(address::number(ip)));
                }
                return;
            }
        };
        let look = |value: &[u8]| if self.folded { fold::with_upper(value, look) } else { look(value) };
        match source {
            Source::Query(key) => look(facts.query().get(key).unwrap_or_default()),
            Source::Cookie(name) => {
                if let Some(value) = facts.cookies().get(name) {
                    look(value);
                }
            }
            plain => {
                // Sources that want the body make no facets.
                let _ = plain.test(facts.req, |value| {
                    look(value);
                    true
                });
            }
        }
    }
}

/// Hands over each value of the facet of a test: what a request must be, or begin with, to pass it.
pub(super) fn each_value(test: &Test, mut each: impl FnMut(&[u8])) {
    let matcher = match test {
        Test::Value(_, matcher) => unfolded(matcher).0,
        Test::AddressIn(_, ranges) => {
            address::networks(ranges, each);
            return;
        }
        _ => return,
    };
    match matcher {
        Matcher::Exact(set) => set.iter().for_each(each),
        Matcher::Prefix(set) => set.iter().for_each(each),
        // A value may lack the slash that completes a member.
        Matcher::ElementPrefix(set) => set.iter().for_each(|m| each(m.strip_suffix(b"/").unwrap_or(m))),
        Matcher::Regex(pattern) => each(pattern.beginning()),
        _ => {}
    }
}

fn unfolded(matcher: &Matcher) -> (&Matcher, bool) {
    match matcher {
        Matcher::Folded(inner) => (inner, true),
        plain => (plain, false),
    }
}
