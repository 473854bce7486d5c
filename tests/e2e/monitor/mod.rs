//! The monitor port, over the wire.

mod live;
mod metrics;
mod pages;
mod secrets;
