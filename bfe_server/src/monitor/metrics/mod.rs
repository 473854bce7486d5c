//! `/metrics`: everything in the text format of Prometheus, in one page.
//!
//! The counter groups have the names of the reference's own Prometheus output. What it has no names for begins
//! with `bfe_`, and has labels; how many series there can be is bounded, and what is beyond a bound is summed
//! as `other`.

mod family;
pub(super) mod process;
mod traffic;

use crate::server::Server;
use bfe_basic::pace;
use family::Family;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, TextEncoder};
use std::io;

/// Name of what is beyond a bound.
const OTHER: &str = "other";

/// The page.
pub(super) fn text(server: &Server) -> String {
    let mut families = groups(server);
    families.extend(process::families(server));
    families.extend(traffic::families(server));
    // A family without series is no family to the encoder.
    families.retain(|family| !family.get_metric().is_empty());
    let mut page = Page(Vec::new());
    if let Err(e) = TextEncoder::new().encode(&families, &mut page) {
        log::error!("metrics: {e}");
    }
    pace::discard(families.into_iter().flat_map(|mut family| family.take_metric()));
    String::from_utf8(page.0).unwrap_or_default()
}

/// The page, written in steps.
struct Page(Vec<u8>);

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        pace::step();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The counter groups of the core and of modules.
fn groups(server: &Server) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    for group in server.web.metrics.iter().map(|m| m.group()) {
        for (name, is_gauge, value) in group.values() {
            let help = format!("{name} of the group {}.", group.prefix());
            let name = format!("{}_{name}", group.prefix());
            let mut family =
                if is_gauge { Family::gauge(name, help, &[]) } else { Family::counter(name, help, &[]) };
            family.add(&[], value as f64);
            families.push(family.build());
        }
    }
    families
}
