//! `name_conf.data`: names of services, for the few parts that reach out to one (config 9).

mod check;
mod raw;
mod table;

pub use table::{Instance, NameTable, UnknownName};
