//! `/metrics`: everything in the text format of Prometheus, in one page.
//!
//! The counter groups have the names of the reference's own Prometheus output. What it has no names for begins
//! with `bfe_`, and has labels; how many series there can be is bounded, and what is beyond a bound is summed
//! as `other`.

mod family;
mod pace;
pub(super) mod process;
mod traffic;

use crate::server::Server;
use family::Family;
use pace::{Pace, Page};
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, TextEncoder};

/// Name of what is beyond a bound.
const OTHER: &str = "other";

/// The page. Takes rests, so that a worker on the same CPU does not wait for all of it.
pub(super) fn text(server: &Server) -> String {
    let pace = Pace::new();
    let mut families = groups(server);
    families.extend(process::families(server));
    families.extend(traffic::families(server, &pace));
    // A family without series is no family to the encoder.
    families.retain(|family| !family.get_metric().is_empty());
    let mut page = Page { bytes: Vec::new(), pace: &pace };
    if let Err(e) = TextEncoder::new().encode(&families, &mut page) {
        log::error!("metrics: {e}");
    }
    let page = page.bytes;
    for metric in families.into_iter().flat_map(|mut family| family.take_metric()) {
        drop(metric);
        pace.step();
    }
    String::from_utf8(page).unwrap_or_default()
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
