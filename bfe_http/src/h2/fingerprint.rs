//! How a client speaks HTTP/2, in one line (tls 11): settings, first window update, priorities, order of the
//! pseudo headers.

use super::frame::setting;
use std::fmt::Write as _;
use std::rc::Rc;

/// Most priorities that are noted.
const PRIORITIES: usize = 64;

/// What has been seen of a client up to its first request.
#[derive(Default)]
pub(crate) struct Fingerprint {
    /// Known settings: in the order of their first values, with their last.
    settings: Vec<(u16, u32)>,
    window: u32,
    priorities: String,
    count: usize,
    pseudo: String,
    done: Option<Rc<str>>,
}

impl Fingerprint {
    pub(super) fn setting(&mut self, id: u16, value: u32) {
        let known = (setting::HEADER_TABLE_SIZE..=setting::MAX_HEADER_LIST_SIZE).contains(&id);
        if self.done.is_some() || !known {
            return;
        }
        match self.settings.iter_mut().find(|(known, _)| *known == id) {
            Some((_, last)) => *last = value,
            None => self.settings.push((id, value)),
        }
    }

    pub(super) fn window(&mut self, increment: u32) {
        if self.done.is_none() && self.window == 0 {
            self.window = increment;
        }
    }

    /// Priority of a stream: what it depends on, whether alone, and its weight as on the wire.
    pub(super) fn priority(&mut self, stream: u32, (parent, exclusive): (u32, bool), weight: u8) {
        if self.done.is_some() || self.count == PRIORITIES {
            return;
        }
        let separator = if self.count == 0 { "" } else { "," };
        self.count += 1;
        // Writing to a string cannot fail.
        let _ = write!(self.priorities, "{separator}{stream}:{}:{parent}:{weight}", u8::from(exclusive));
    }

    /// A pseudo header by its initial.
    pub(crate) fn pseudo(&mut self, initial: char) {
        // Four of them are all that a request may have.
        if self.done.is_none() && self.pseudo.len() < 32 {
            if !self.pseudo.is_empty() {
                self.pseudo.push(',');
            }
            self.pseudo.push(initial);
        }
    }

    /// The fingerprint. It does not change any more.
    pub(crate) fn get(&mut self) -> Rc<str> {
        if let Some(done) = &self.done {
            return Rc::clone(done);
        }
        let mut text = String::new();
        for (i, (id, value)) in self.settings.iter().enumerate() {
            let _ = write!(text, "{}{id}:{value}", if i == 0 { "" } else { ";" });
        }
        match self.window {
            0 => text.push_str("|00|"),
            window => {
                let _ = write!(text, "|{window}|");
            }
        }
        text.push_str(if self.count == 0 { "0" } else { &self.priorities });
        let _ = write!(text, "|{}", self.pseudo);
        let done: Rc<str> = text.into();
        *self = Self { done: Some(Rc::clone(&done)), ..Self::default() };
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_16_fingerprints() {
        let mut some = Fingerprint::default();
        for (id, value) in [(4, 100), (1, 4096), (99, 1), (4, 200_000)] {
            some.setting(id, value);
        }
        some.window(5);
        some.window(6);
        some.priority(3, (0, true), 255);
        some.priority(5, (3, false), 16);
        "msap".chars().for_each(|c| some.pseudo(c));
        assert_eq!(&*some.get(), "4:200000;1:4096|5|3:1:0:255,5:0:3:16|m,s,a,p");
        some.setting(1, 1);
        assert!(some.get().starts_with("4:200000;1:4096|"), "frozen at the first request");

        let mut none = Fingerprint::default();
        none.setting(99, 1);
        none.pseudo('m');
        assert_eq!(&*none.get(), "|00|0|m");
    }
}
