//! Products and clusters by number. A request looks a name up once, by its host; from then on the tables of the
//! same load are asked by number, which takes one place in memory instead of four.

/// A product that owns a tag, by its place among them in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductNumber(u32);

/// A cluster that a routing rule names, by its place in the order in which rules first name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterNumber(u32);

macro_rules! number {
    ($name:ident) => {
        impl $name {
            /// The number of a place. Places beyond four billion are none: no table gets there.
            pub(crate) fn new(place: usize) -> Self {
                Self(u32::try_from(place).unwrap_or(u32::MAX))
            }

            /// The place that it stands for.
            #[must_use]
            pub const fn place(self) -> usize {
                self.0 as usize
            }
        }
    };
}

number!(ProductNumber);
number!(ClusterNumber);
