//! Dialects of configuration files, and errors that name file, place, value and reason.
//!
//! Every loader of the house works in three steps, in files of the same three names: `raw` (serde structs,
//! exactly the file's shape), `check` (defaults and validation), `table` (what requests look things up in).
