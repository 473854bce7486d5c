//! Header fields of a message: canonical names, arrival order, values as bytes.

mod name;

pub use name::{canonical, is_token};
pub(crate) use name::{canonicalize, is_value, scan_name};

use bytes::Bytes;
use std::collections::BTreeSet;
use std::ops::Range;

/// The header fields of a request or response, in order of arrival.
///
/// Names are kept in canonical form (`x-foo-BAR` is `X-Foo-Bar`, lifecycle 5.2); every name that is
/// passed in must be canonical already, see [`canonical`]. Values are bytes: they may be anything but
/// control characters when they come from a peer, and what a module sets is cleaned of CR and LF when it
/// is written.
///
/// Fields that came from the wire are ranges of the buffer they were read into, so that reading,
/// forwarding and dropping a message costs neither an allocation nor a reference count per field.
#[derive(Clone, Default)]
pub struct Header {
    head: Bytes,
    /// Texts that are no ranges of `head`. What no field names any longer stays until the message goes.
    owned: Vec<Bytes>,
    fields: Vec<Field>,
    /// The marks of all names that there have been; see [`mark`].
    seen: u64,
    /// No byte of `head` can end a line but those that do.
    sound: bool,
}

#[derive(Clone, Copy)]
struct Field {
    name: Piece,
    value: Piece,
}

/// A text of a field: a range of the head buffer, or one of the header's own texts. Small, because many of them are
/// made, looked through and dropped with each message.
#[derive(Clone, Copy)]
struct Piece {
    /// Where it starts in the head buffer; with [`Piece::OWNED`], which of the own texts it is.
    at: u32,
    len: u32,
}

impl Piece {
    /// Mark of own texts; heads never come near two gigabytes.
    const OWNED: u32 = 1 << 31;

    fn of<'a>(self, head: &'a [u8], owned: &'a [Bytes]) -> &'a [u8] {
        if self.at & Self::OWNED == 0 {
            self.range().and_then(|range| head.get(range)).unwrap_or_default()
        } else {
            owned.get((self.at & !Self::OWNED) as usize).map(|text| &**text).unwrap_or_default()
        }
    }

    /// The range of the head buffer that this is.
    fn range(self) -> Option<Range<usize>> {
        let start = self.at as usize;
        (self.at & Self::OWNED == 0).then_some(start..start + self.len as usize)
    }
}

/// One bit of sixty-four for a name: where it is not among those of a header, the name isn't either. Most names that
/// are asked for are absent.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return 1 };
    1 << ((usize::from(first ^ last.rotate_left(2)) + name.len() * 5) % 64)
}

// === impl Header ===

impl Header {
    /// An empty header.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The range of the last field's value, where that is one of the head buffer: start, and length.
    pub(crate) fn last_wire_value(&mut self) -> Option<(u32, &mut u32)> {
        let value = &mut self.fields.last_mut()?.value;
        (value.at & Piece::OWNED == 0).then_some((value.at, &mut value.len))
    }

    /// An empty header with room for that many fields.
    #[must_use]
    pub fn with_capacity(fields: usize) -> Self {
        Self { fields: Vec::with_capacity(fields), ..Self::default() }
    }

    /// The same fields, as ranges of `head`. `sound`: there are no control bytes in it but tabs, and the CR and LF of
    /// each line's end.
    pub(crate) fn with_head(self, head: Bytes, sound: bool) -> Self {
        Self { head, sound, ..self }
    }

    /// Adds a field that is two ranges (start, length) of the head buffer, with `name` at the first. The name must be
    /// canonical.
    #[inline]
    pub(crate) fn push_wire(&mut self, name: &[u8], at: (u32, u32), value: (u32, u32)) {
        self.seen |= mark(name);
        self.fields
            .push(Field { name: Piece { at: at.0, len: at.1 }, value: Piece { at: value.0, len: value.1 } });
    }

    /// Keeps a text that is no range of the head buffer.
    fn own(&mut self, text: Bytes) -> Piece {
        let (at, len) = (u32::try_from(self.owned.len()), u32::try_from(text.len()));
        self.owned.push(text);
        Piece { at: at.unwrap_or(Piece::OWNED - 1) | Piece::OWNED, len: len.unwrap_or(u32::MAX) }
    }

    fn text(&self, piece: Piece) -> &[u8] {
        piece.of(&self.head, &self.owned)
    }

    /// Whether that piece is the text; most are not, by their length alone.
    #[inline]
    fn is(&self, piece: Piece, text: &[u8]) -> bool {
        piece.len as usize == text.len() && self.text(piece) == text
    }

    /// Whether a name may be there: certainly not where this is false.
    #[inline]
    fn may_have(&self, name: &[u8]) -> bool {
        self.seen & mark(name) != 0
    }

    /// The fields of that name.
    #[inline]
    fn of_name<'h, 'n>(&'h self, name: &'n [u8]) -> impl Iterator<Item = &'h Field> + use<'h, 'n> {
        let fields = if self.may_have(name) { self.fields.as_slice() } else { &[] };
        fields.iter().filter(move |f| self.is(f.name, name))
    }

    /// The first value of `name`.
    #[must_use]
    #[inline]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// All values of `name`, in order of arrival.
    #[inline]
    pub fn get_all<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
        debug_assert_eq!(canonical(name.as_bytes()), name.as_bytes(), "header name is not canonical");
        self.of_name(name.as_bytes()).map(|f| self.text(f.value))
    }

    /// Whether there is a field of that name.
    #[must_use]
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Appends a field.
    pub fn add(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let name = name.into();
        self.seen |= mark(&name);
        let (name, value) = (self.own(name), self.own(value.into()));
        self.fields.push(Field { name, value });
    }

    /// Replaces all values of `name` by one; it takes the place of the first.
    pub fn set(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let name: Bytes = name.into();
        let Some(first) = self.fields.iter().position(|f| self.is(f.name, &name)) else {
            return self.add(name, value);
        };
        let mut at = 0;
        self.retain(|field, _| {
            let keep = at <= first || field != &*name;
            at += 1;
            keep
        });
        let value = self.own(value.into());
        if let Some(field) = self.fields.get_mut(first) {
            field.value = value;
        }
    }

    /// Removes all values of `name`; says whether there was one.
    #[inline]
    pub fn del(&mut self, name: &str) -> bool {
        self.del_bytes(name.as_bytes())
    }

    /// [`Header::del`] for a name that need not be text.
    #[inline]
    pub fn del_bytes(&mut self, name: &[u8]) -> bool {
        if !self.may_have(name) {
            return false;
        }
        let before = self.fields.len();
        self.retain(|field, _| field != name);
        before != self.fields.len()
    }

    /// Keeps the fields for which `keep(name, value)` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let (head, owned) = (&self.head, &self.owned);
        self.fields.retain(|f| keep(f.name.of(head, owned), f.value.of(head, owned)));
    }

    /// All fields, in order of arrival, as name and value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.fields.iter().map(|f| (self.text(f.name), self.text(f.value)))
    }

    /// Of each name the first value, in order of arrival.
    pub fn first_values(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut seen = BTreeSet::new();
        self.iter().filter(move |(name, _)| seen.insert(*name))
    }

    /// The field at `index` in order of arrival.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        self.fields.get(index).map(|f| (self.text(f.name), self.text(f.value)))
    }

    /// How many fields there are; a name given twice counts twice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Calls `emit` for each field, names in byte order, values of one name in order of arrival: the order
    /// in which messages are written (lifecycle 7.1, 10.2).
    pub fn for_each_sorted(&self, mut emit: impl FnMut(&[u8], &[u8])) {
        self.each_sorted(|field| emit(self.text(field.name), self.text(field.value)));
    }

    /// As [`Header::for_each_sorted`], with the whole line `Name: value` and its end where the field is on the wire as
    /// it would be written.
    pub(crate) fn for_each_line(&self, mut emit: impl FnMut(&[u8], &[u8], Option<&[u8]>)) {
        self.each_sorted(|field| emit(self.text(field.name), self.text(field.value), self.line(field)));
    }

    fn line(&self, field: &Field) -> Option<&[u8]> {
        if !self.sound {
            return None;
        }
        let (name, value) = (field.name.range()?, field.value.range()?);
        if value.start != name.end + 2 {
            return None;
        }
        let line = self.head.get(name.start..value.end + 2)?;
        let colon = line.get(name.len()..name.len() + 2);
        (line.ends_with(b"\r\n") && colon == Some(b": ")).then_some(line)
    }

    fn each_sorted(&self, mut emit: impl FnMut(&Field)) {
        // Most heads have few fields, and an order on the stack costs nothing.
        const FEW: usize = 24;
        if self.fields.len() <= FEW {
            let mut order = [(0u64, 0u8); FEW];
            let mut filled = 0;
            for (i, field) in (0u8..).zip(&self.fields) {
                let name = self.text(field.name);
                let key = sort_key(name);
                let mut at = filled;
                while at > 0 {
                    let (before, index) = order[at - 1];
                    // Few names begin alike, so that the names themselves are hardly ever looked at.
                    if before < key || before == key && self.name_at(usize::from(index)) <= name {
                        break;
                    }
                    order[at] = order[at - 1];
                    at -= 1;
                }
                order[at] = (key, i);
                filled += 1;
            }
            for (_, i) in order.iter().take(filled) {
                if let Some(field) = self.fields.get(usize::from(*i)) {
                    emit(field);
                }
            }
        } else {
            let mut fields: Vec<_> = self.fields.iter().collect();
            fields.sort_by_key(|f| self.text(f.name));
            fields.into_iter().for_each(emit);
        }
    }

    fn name_at(&self, index: usize) -> &[u8] {
        self.fields.get(index).map(|f| self.text(f.name)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Header {
    /// Names only: values may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(n, _)| String::from_utf8_lossy(n))).finish()
    }
}

/// The first eight bytes of a name, such that numbers are in the order of names.
fn sort_key(name: &[u8]) -> u64 {
    match name.first_chunk::<8>() {
        Some(start) => u64::from_be_bytes(*start),
        None => {
            let mut start = [0; 8];
            for (to, from) in start.iter_mut().zip(name) {
                *to = *from;
            }
            u64::from_be_bytes(start)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_replaces_all_values_in_place() {
        let mut h = Header::new();
        h.add("A", "1");
        h.add("B", "2");
        h.add("A", "3");
        h.set("A", "4");
        let fields: Vec<_> = h.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
        assert_eq!(fields, [(b"A".to_vec(), b"4".to_vec()), (b"B".to_vec(), b"2".to_vec())]);
        assert!(h.del("A") && !h.del("A"));
    }

    #[test]
    fn sorted_by_name_values_in_arrival_order() {
        for n in [5usize, 200] {
            let mut h = Header::new();
            for i in 0..n {
                h.add(format!("X-{:03}", (i * 7) % n), "first");
                h.add(format!("X-{:03}", (i * 7) % n), "second");
            }
            let mut seen = Vec::new();
            h.for_each_sorted(|n, v| seen.push((n.to_vec(), v.to_vec())));
            assert!(seen.windows(2).all(|w| w[0].0 <= w[1].0));
            assert!(seen.chunks(2).all(|p| p[0].1 == b"first" && p[1].1 == b"second"));
        }
    }
}
