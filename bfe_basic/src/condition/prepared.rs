//! Primitives made ready to be evaluated.

use super::address::{self, RangeSet};
use super::hash::BucketSet;
use super::matcher::{Matcher, PrefixSet};
use super::source::{Address, Source, with_tls};
use super::time;
use crate::{NeedBody, Request, Session};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Above this many prefixes it is cheaper to look up each key of the query than each prefix.
const FEW_PREFIXES: usize = 8;

/// A header that stands in for the clock (condition 6).
const DEBUG_TIME: &str = "X-Bfe-Debug-Time";

/// A primitive with its arguments.
pub(crate) enum Test {
    Always,
    CipTrusted,
    ProtoSecure,
    QueryExist,
    TlsClientAuth,
    Value(Source, Matcher),
    QueryKey(ExactKeys),
    QueryKeyPrefix(PrefixSet),
    CookieKey(ExactKeys),
    HeaderKey(Vec<Box<str>>),
    ResponseHeaderKey(Vec<Box<str>>),
    AddressIn(Address, RangeSet),
    ClientHash(BucketSet),
    Tag(Box<str>, Box<str>),
    Time { start: i64, end: i64 },
    Daily { start: i64, end: i64, offset: i64 },
}

/// Names of which one must be present.
pub(crate) struct ExactKeys(pub(crate) Vec<Box<[u8]>>);

impl Test {
    /// Evaluates the primitive. Without a request only those that look at the session alone can hold.
    pub(crate) fn run(&self, session: &Session, req: Option<&Request>) -> Result<bool, NeedBody> {
        match self {
            Self::Always => return Ok(true),
            Self::CipTrusted => return Ok(session.trust_source.get()),
            Self::ProtoSecure => return Ok(session.is_secure),
            Self::TlsClientAuth => return Ok(with_tls(session, |tls| tls.client_auth.authenticated)),
            _ => {}
        }
        let Some(req) = req else { return Ok(false) };
        Ok(match self {
            Self::Always | Self::CipTrusted | Self::ProtoSecure | Self::TlsClientAuth => true,
            Self::QueryExist => !req.query().is_empty(),
            Self::Value(source, matcher) => return source.test(req, |value| matcher.test(value)),
            Self::QueryKey(keys) => keys.0.iter().any(|key| req.query().contains(key)),
            Self::QueryKeyPrefix(prefixes) => has_key_prefix(req, prefixes),
            Self::CookieKey(keys) => keys.0.iter().any(|key| req.cookies().contains(key)),
            Self::HeaderKey(names) => {
                names.iter().any(|name| req.http.header.get(name).is_some_and(|v| !v.is_empty()))
            }
            Self::ResponseHeaderKey(names) => req.response.as_ref().is_some_and(|response| {
                names.iter().any(|name| response.header.get(name).is_some_and(|v| !v.is_empty()))
            }),
            Self::AddressIn(which, ranges) => which.get(req).is_some_and(|ip| ranges.has(ip)),
            Self::ClientHash(buckets) => Address::Client
                .get(req)
                .is_some_and(|ip| address::with_text(ip, |text| buckets.has_value(text))),
            Self::Tag(name, value) => req
                .tags
                .get(name.as_ref())
                .is_some_and(|tags| tags.iter().any(|tag| tag.split(':').next() == Some(value.as_ref()))),
            Self::Time { start, end } => now(req).is_some_and(|(second, fraction)| {
                // Half a second after the end is outside.
                second >= *start && (second < *end || second == *end && fraction == 0)
            }),
            Self::Daily { start, end, offset } => now(req)
                .is_some_and(|(second, _)| (*start..=*end).contains(&time::second_of_day(second, *offset))),
        })
    }
}

fn has_key_prefix(req: &Request, prefixes: &PrefixSet) -> bool {
    let query = req.query();
    if prefixes.iter().len() <= FEW_PREFIXES {
        prefixes.iter().any(|prefix| query.first_key_from(prefix).is_some_and(|key| key.starts_with(prefix)))
    } else {
        query.iter().any(|(key, _)| prefixes.has_prefix_of(key))
    }
}

/// Now, in seconds since 1970 and nanoseconds; or what the debug header says instead. `None` where that
/// cannot be read.
fn now(req: &Request) -> Option<(i64, u32)> {
    match req.http.header.get(DEBUG_TIME) {
        Some(text) => time::parse_time(&String::from_utf8_lossy(text)).ok().map(|second| (second, 0)),
        None => {
            let since: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Some((i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()))
        }
    }
}

impl ExactKeys {
    pub(crate) fn new<'a>(members: impl Iterator<Item = &'a str>) -> Self {
        Self(members.map(|m| m.as_bytes().into()).collect())
    }
}
