//! The hash table of an index, and the lengths of what is in it.

/// Lengths below this are kept as bits.
const SHORT: usize = 256;
/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// What a value is looked up by, before its facet is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tag(u64);

impl Tag {
    const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// The tag of a value.
    pub(super) fn of(value: &[u8]) -> Self {
        Self::EMPTY.then(value)
    }

    /// The tag of a longer value. It takes one byte after the other, so that all beginnings of a value cost
    /// no more than the whole.
    fn then(self, more: &[u8]) -> Self {
        Self(more.iter().fold(self.0, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// The number that stands for the value in the table, for the facet in that place.
    pub(super) fn in_place(self, place: u64) -> u32 {
        let mixed = (self.0 ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed >> 32) as u32
    }
}

/// A set of lengths.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    short: [u64; SHORT / WORD],
    /// Ascending.
    long: Box<[usize]>,
}

impl Lengths {
    pub(super) fn new(lengths: impl Iterator<Item = usize>) -> Self {
        let mut set = Self::default();
        let mut long = Vec::new();
        for length in lengths {
            match set.short.get_mut(length / WORD) {
                Some(word) => *word |= 1 << (length % WORD),
                None => long.push(length),
            }
        }
        long.sort_unstable();
        long.dedup();
        set.long = long.into();
        set
    }

    pub(super) fn has(&self, length: usize) -> bool {
        match self.short.get(length / WORD) {
            Some(word) => word >> (length % WORD) & 1 == 1,
            None => self.long.binary_search(&length).is_ok(),
        }
    }

    /// In ascending order.
    fn iter(&self) -> impl Iterator<Item = usize> {
        let short = self.short.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < WORD).then_some(at * WORD + bit)
            })
        });
        short.chain(self.long.iter().copied())
    }

    /// The tags of those beginnings of a value that have one of the lengths.
    pub(super) fn beginnings(&self, value: &[u8]) -> impl Iterator<Item = Tag> {
        let (mut tag, mut done) = (Tag::EMPTY, 0);
        self.iter().map_while(move |length| {
            tag = tag.then(value.get(done..length)?);
            done = length;
            Some(tag)
        })
    }
}

/// Rules by the number of a value, and those that are always asked.
#[derive(Debug)]
pub(super) struct Slots {
    /// A power of two; at least half of them are empty. A value is in the first free one from where its number
    /// points.
    slots: Box<[Slot]>,
    /// The rules that are always asked, then lists, each behind its length.
    lists: Box<[u32]>,
    /// How many are always asked.
    rest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u32,
    /// Where the list begins in `lists`, or [`NO_LIST`].
    list: u32,
}

/// An empty slot.
const NO_LIST: u32 = u32::MAX;

impl Slots {
    /// Of pairs of number and rule, and of the rules that are always asked, ascending. `None` where they are
    /// too many.
    pub(super) fn new(mut entries: Vec<(u32, u32)>, rest: &[u32]) -> Option<Self> {
        entries.sort_unstable();
        entries.dedup();
        let room = entries.len().checked_mul(2)?.checked_next_power_of_two()?.max(2);
        // Each list takes two places at least, one for its length.
        u32::try_from(room.checked_add(rest.len())?).ok()?;
        let mut table = Self {
            slots: vec![Slot { number: 0, list: NO_LIST }; room].into(),
            lists: Box::default(),
            rest: rest.len(),
        };
        let mut lists = rest.to_vec();
        for same in entries.chunk_by(|left, right| left.0 == right.0) {
            let Some((number, _)) = same.first() else { continue };
            table.insert(Slot { number: *number, list: u32::try_from(lists.len()).ok()? });
            lists.push(u32::try_from(same.len()).ok()?);
            lists.extend(same.iter().map(|(_, rule)| *rule));
        }
        table.lists = lists.into();
        Some(table)
    }

    fn insert(&mut self, new: Slot) {
        let mut at = self.first(new.number);
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.list == NO_LIST {
                *slot = new;
                return;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn first(&self, number: u32) -> usize {
        number as usize & (self.slots.len() - 1)
    }

    /// The rules that are always asked, ascending.
    pub(super) fn rest(&self) -> &[u32] {
        self.lists.get(..self.rest).unwrap_or_default()
    }

    /// The rules of that number, ascending.
    pub(super) fn get(&self, number: u32) -> Option<&[u32]> {
        let mut at = self.first(number);
        loop {
            let slot = self.slots.get(at)?;
            if slot.list == NO_LIST {
                return None;
            }
            if slot.number == number {
                let (length, lists) = self.lists.get(slot.list as usize..)?.split_first()?;
                return lists.get(..*length as usize);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_given() {
        let given = [0, 1, 63, 64, 127, 128, 255, 256, 257, 5000];
        let lengths = Lengths::new(given.into_iter().rev().chain([64, 256]));
        assert_eq!(lengths.iter().collect::<Vec<_>>(), given);
        for length in 0..6000 {
            assert_eq!(lengths.has(length), given.contains(&length), "{length}");
        }
        let value = [b'x'; 200];
        let want: Vec<_> = given.iter().filter_map(|length| value.get(..*length)).map(Tag::of).collect();
        assert_eq!(lengths.beginnings(&value).collect::<Vec<_>>(), want);
        assert_eq!(want.len(), 6);
    }

    #[test]
    fn slots_give_what_was_put_in() {
        let entries: Vec<_> = (0..1000u32).map(|i| (Tag::of(&[i as u8]).in_place(1), i)).collect();
        let slots = Slots::new(entries, &[3, 1001]).unwrap();
        assert_eq!(slots.rest(), [3, 1001]);
        for i in 0..256u32 {
            let want: Vec<_> = (i..1000).step_by(256).collect();
            assert_eq!(slots.get(Tag::of(&[i as u8]).in_place(1)), Some(&want[..]));
            assert_eq!(slots.get(Tag::of(&[i as u8]).in_place(2)), None);
        }
        // All of them want the same slot.
        let crowded: Vec<_> = (0..100u32).map(|i| (i << 16, i)).collect();
        let slots = Slots::new(crowded, &[]).unwrap();
        for i in 0..100 {
            assert_eq!(slots.get(i << 16), Some(&[i][..]));
            assert_eq!(slots.get(i << 16 | 1), None);
        }
        assert_eq!(Slots::new(Vec::new(), &[]).unwrap().get(7), None);
    }
}
