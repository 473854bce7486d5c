//! Header fields of a message: canonical names, arrival order, values as bytes.

use bytes::Bytes;
use std::borrow::Cow;

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
    fields: Vec<Field>,
}

#[derive(Clone)]
struct Field {
    name: Piece,
    value: Piece,
}

#[derive(Clone)]
enum Piece {
    /// Range of the head buffer: start, length.
    Wire(u32, u32),
    Owned(Bytes),
}

impl Piece {
    fn of<'a>(&'a self, head: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Wire(start, len) => {
                head.get(*start as usize..).and_then(|rest| rest.get(..*len as usize)).unwrap_or_default()
            }
            Self::Owned(bytes) => bytes,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Wire(_, len) => *len as usize,
            Self::Owned(bytes) => bytes.len(),
        }
    }

    /// Whether this is that text; most are not, by their length alone.
    fn is(&self, text: &[u8], head: &[u8]) -> bool {
        self.len() == text.len() && self.of(head) == text
    }
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
        match &mut self.fields.last_mut()?.value {
            Piece::Wire(start, len) => Some((*start, len)),
            Piece::Owned(_) => None,
        }
    }

    /// A header whose wire fields are ranges of `head`; see [`Header::push_wire`].
    #[must_use]
    pub fn for_head(head: Bytes, capacity: usize) -> Self {
        Self { head, fields: Vec::with_capacity(capacity) }
    }

    /// The same fields, as ranges of `head`.
    pub(crate) fn with_head(self, head: Bytes) -> Self {
        Self { head, ..self }
    }

    /// Adds a field that is two ranges (start, length) of the head buffer. The name must be canonical.
    pub fn push_wire(&mut self, name: (u32, u32), value: (u32, u32)) {
        self.fields.push(Field { name: Piece::Wire(name.0, name.1), value: Piece::Wire(value.0, value.1) });
    }

    /// The first value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        debug_assert_eq!(canonical(name.as_bytes()), name.as_bytes(), "header name is not canonical");
        let field = self.fields.iter().find(|f| f.name.is(name.as_bytes(), &self.head))?;
        Some(field.value.of(&self.head))
    }

    /// All values of `name`, in order of arrival.
    pub fn get_all<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
        debug_assert_eq!(canonical(name.as_bytes()), name.as_bytes(), "header name is not canonical");
        let of_name = self.fields.iter().filter(move |f| f.name.is(name.as_bytes(), &self.head));
        of_name.map(|f| f.value.of(&self.head))
    }

    /// Whether there is a field of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Appends a field.
    pub fn add(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.fields.push(Field { name: Piece::Owned(name.into()), value: Piece::Owned(value.into()) });
    }

    /// Replaces all values of `name` by one; it takes the place of the first.
    pub fn set(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let name: Bytes = name.into();
        let head = &self.head;
        let Some(first) = self.fields.iter().position(|f| f.name.of(head) == name.as_ref()) else {
            return self.add(name, value);
        };
        let mut at = 0;
        self.fields.retain(|f| {
            let keep = at <= first || f.name.of(head) != name.as_ref();
            at += 1;
            keep
        });
        if let Some(field) = self.fields.get_mut(first) {
            field.value = Piece::Owned(value.into());
        }
    }

    /// Removes all values of `name`; says whether there was one.
    pub fn del(&mut self, name: &str) -> bool {
        self.del_bytes(name.as_bytes())
    }

    /// [`Header::del`] for a name that need not be text.
    pub fn del_bytes(&mut self, name: &[u8]) -> bool {
        let before = self.fields.len();
        let head = &self.head;
        self.fields.retain(|f| !f.name.is(name, head));
        before != self.fields.len()
    }

    /// Keeps the fields for which `keep(name, value)` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let head = &self.head;
        self.fields.retain(|f| keep(f.name.of(head), f.value.of(head)));
    }

    /// All fields, in order of arrival, as name and value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.fields.iter().map(|f| (f.name.of(&self.head), f.value.of(&self.head)))
    }

    /// The field at `index` in order of arrival.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        self.fields.get(index).map(|f| (f.name.of(&self.head), f.value.of(&self.head)))
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
        // Most heads have few fields, and an order on the stack costs nothing.
        const FEW: usize = 24;
        if self.fields.len() <= FEW {
            let mut order = [(0u64, 0u8); FEW];
            let mut filled = 0;
            for (i, field) in (0u8..).zip(&self.fields) {
                let name = field.name.of(&self.head);
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
                if let Some((name, value)) = self.at(usize::from(*i)) {
                    emit(name, value);
                }
            }
        } else {
            let mut fields: Vec<_> = self.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            for (name, value) in fields {
                emit(name, value);
            }
        }
    }

    fn name_at(&self, index: usize) -> &[u8] {
        self.fields.get(index).map(|f| f.name.of(&self.head)).unwrap_or_default()
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

/// Whether all of `name` are token characters (RFC 9110), and there is at least one.
#[must_use]
pub fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| CLASS[usize::from(*b)] & TOKEN != 0)
}

/// What is seen of a name, byte by byte.
pub(crate) struct NameSeen {
    /// Classes that all bytes have.
    all: u8,
    /// Classes that any byte has.
    any: u8,
    /// Letters in the wrong case.
    wrong: u8,
    /// Which letters would be in the wrong case here.
    wrong_here: u8,
}

impl NameSeen {
    const NOTHING: Self = Self { all: TOKEN, any: 0, wrong: 0, wrong_here: LOWER };

    fn add(&mut self, b: u8) {
        let class = CLASS[usize::from(b)];
        self.all &= class;
        self.any |= class;
        self.wrong |= class & self.wrong_here;
        self.wrong_here = if b == b'-' { LOWER } else { UPPER };
    }

    /// Whether canonical form would change it; names that are no tokens stay as they are.
    pub(crate) fn changes(&self) -> bool {
        self.all & TOKEN != 0 && self.wrong != 0
    }

    /// Whether there are blanks or control characters in it.
    pub(crate) fn has_blank(&self) -> bool {
        self.any & BLANK != 0
    }
}

/// Looks at a field line up to its colon: how long the name is, and what it is like. `None` where there is no colon.
pub(crate) fn scan_name(line: &[u8]) -> Option<(usize, NameSeen)> {
    let mut seen = NameSeen::NOTHING;
    for (len, b) in line.iter().enumerate() {
        if *b == b':' {
            return Some((len, seen));
        }
        seen.add(*b);
    }
    None
}

/// Whether a field value is of characters that HTTP allows: no control bytes but tabs.
pub(crate) fn is_value(value: &[u8]) -> bool {
    // Looks at all bytes without a way out: most values are short, and sound.
    !value.iter().fold(false, |bad, b| bad | ((*b < b' ') & (*b != b'\t')) | (*b == 0x7f))
}

/// Token characters.
const TOKEN: u8 = 1;
/// Lower case letters.
const LOWER: u8 = 2;
/// Upper case letters.
const UPPER: u8 = 4;
/// Blanks and control characters.
const BLANK: u8 = 8;

/// The classes of each byte.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        // The loop ends below 256.
        #[allow(clippy::cast_possible_truncation)]
        let byte = b as u8;
        table[b] = match byte {
            b'a'..=b'z' => TOKEN | LOWER,
            b'A'..=b'Z' => TOKEN | UPPER,
            b'0'..=b'9'
            | b'!'
            | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~' => TOKEN,
            0..=b' ' | 0x7f => BLANK,
            _ => 0,
        };
        b += 1;
    }
    table
};

/// The canonical form of a field name: the first letter and each letter after `-` upper case, the rest
/// lower case. A name that is not a token stays as it is (lifecycle 5.2).
#[must_use]
pub fn canonical(name: &[u8]) -> Cow<'_, [u8]> {
    let mut seen = NameSeen::NOTHING;
    name.iter().for_each(|b| seen.add(*b));
    // Most names are canonical already, and are not copied.
    if !seen.changes() {
        return Cow::Borrowed(name);
    }
    let mut owned = name.to_vec();
    canonicalize(&mut owned);
    Cow::Owned(owned)
}

/// Brings a token into canonical form in place.
pub(crate) fn canonicalize(name: &mut [u8]) {
    let mut upper = true;
    for b in name {
        *b = if upper { b.to_ascii_uppercase() } else { b.to_ascii_lowercase() };
        upper = *b == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names_as_lifecycle_5_2() {
        for (raw, want) in [
            ("x-foo-BAR", "X-Foo-Bar"),
            ("x_b", "X_b"),
            ("x.c", "X.c"),
            ("X-A ", "X-A "),
            ("fo(o", "fo(o"),
            ("te", "Te"),
            ("ETag", "Etag"),
            ("X-Foo-Bar", "X-Foo-Bar"),
            ("x--a", "X--A"),
        ] {
            assert_eq!(canonical(raw.as_bytes()), want.as_bytes(), "{raw}");
            assert_eq!(matches!(canonical(raw.as_bytes()), Cow::Borrowed(_)), raw == want, "{raw}");
        }
    }

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
