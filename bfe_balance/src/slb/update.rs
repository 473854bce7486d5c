//! Filling a backend list, and bringing it in line with another file (balance 12).

use super::entry::Entry;
use super::{BackendList, Duration};
use crate::backend::Backend;
use crate::conf::cluster_table_conf::BackendDef;
use std::collections::HashMap;
use std::sync::Arc;

impl BackendList {
    /// Fills the list at process start: every definition is an entry, none in slow start.
    pub(crate) fn init(&mut self, defs: &[BackendDef]) {
        for def in defs {
            self.push(def, false);
        }
        self.touch();
    }

    /// Takes over another file. Backends are the same where `addr:port` is; they keep their state and their
    /// place, and take the new weight. New ones follow, in the order of the file.
    pub(crate) fn update(&mut self, defs: &[BackendDef]) {
        // The last definition of an address counts.
        let mut wanted: HashMap<&str, &BackendDef> = defs.iter().map(|def| (&*def.addr_info, def)).collect();
        let old: Vec<_> = self.entries.drain(..).zip(self.gauges.take()).collect();
        for (mut entry, current) in old {
            match wanted.remove(&*entry.backend.addr_info) {
                Some(def) => {
                    entry.set_weight(def.weight);
                    self.gauges.push(if def.weight > 0 { current } else { 0 });
                    self.entries.push(entry);
                }
                None => entry.backend.close(),
            }
        }
        for def in defs {
            if let Some(def) = wanted.remove(&*def.addr_info) {
                self.push(def, true);
            }
        }
        self.touch();
    }

    fn push(&mut self, def: &BackendDef, restarted: bool) {
        let backend = Arc::new(Backend::new(
            def,
            Arc::clone(&self.name),
            restarted,
            Arc::clone(&self.changes),
            Arc::clone(&self.env),
        ));
        let entry = Entry::new(backend, def.weight);
        self.gauges.push(entry.weight());
        self.entries.push(entry);
    }

    /// Something in the list changed: the next pick looks at all of it.
    fn touch(&mut self) {
        self.seen = None;
        self.flags_seen = None;
        self.sorted = false;
        self.ramping = match self.slow_start {
            Duration::ZERO => 0,
            _ => self.entries.iter().filter(|entry| entry.is_ramping()).count(),
        };
    }
}
