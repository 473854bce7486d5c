//! The items of session lines (modules-traffic 1.4).

use super::clock::Moment;
use super::item::SessionItem as Item;
use super::output::Out;
use super::request::error;
use super::template::Fill;
use bfe_basic::Session;
use std::time::{Duration, Instant, SystemTime};

/// What a session line is made from.
pub(super) struct SessionFacts<'s>(pub(super) &'s Session);

impl SessionFacts<'_> {
    fn end(&self) -> Option<(Moment, Instant)> {
        let (end, (start, wall)) = (self.0.end.get()?, self.0.start?);
        Some((Moment::from(wall).moved(start, end), end))
    }
}

impl Fill<Item> for SessionFacts<'_> {
    fn fill(&self, item: &Item, out: &mut impl Out) {
        let session = self.0;
        match item {
            Item::Time => out.time(&SystemTime::now().into()),
            Item::ClientIp => match session.remote_addr {
                Some(addr) => out.addr(addr),
                None => out.nothing(),
            },
            Item::StartTime => match session.start {
                Some((instant, wall)) => out.long_time(&wall.into(), instant),
                None => out.nothing(),
            },
            Item::EndTime => match self.end() {
                Some((at, instant)) => out.long_time(&at, instant),
                None => out.nothing(),
            },
            Item::Overhead => out.duration(match (session.start, session.end.get()) {
                (Some((start, _)), Some(end)) => end.saturating_duration_since(start),
                _ => Duration::ZERO,
            }),
            Item::Error => match &*session.error.borrow() {
                Some((code, message)) => error(out, Some(*code), message),
                None => out.absent(),
            },
            Item::IsSecure => out.boolean(session.is_secure),
            Item::KeepaliveNum => out.number(session.requests.get()),
            Item::Total => out.number(0),
            Item::Use100 => out.boolean(session.use_100_continue.get()),
            Item::TlsClientRandom => match &*session.tls.borrow() {
                Some(tls) => out.hex(&tls.client_random),
                None => out.absent(),
            },
            Item::TlsServerRandom => match &*session.tls.borrow() {
                Some(tls) => out.hex(&tls.server_random),
                None => out.absent(),
            },
        }
    }
}
