//! The process: flags, exit codes, what a start that fails says, signals (config 1, lifecycle 1, 23).

mod flags;
mod messages;
mod shutdown;
mod signals;
mod start;
