//! TCP keepalive of a client's connection, as a module wants it.

use std::io;
use std::time::Duration;

/// What of keepalive a result is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveStep {
    /// Switching it off.
    Disable,
    /// The time without traffic before the first probe.
    Idle,
    /// The time between probes.
    Interval,
    /// The probes before the connection counts as dead.
    Count,
}

/// A wish that a module leaves in a session at Accept. The server carries it out once the handlers of that
/// point have run: step by step in the order of the fields, up to the first that fails.
#[derive(Clone, Copy, Debug)]
pub struct KeepaliveChange {
    /// Whether keepalive is switched off; nothing else is done then.
    pub disable: bool,
    /// Time without traffic before the first probe.
    pub idle: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
    /// Probes before the connection counts as dead.
    pub count: Option<u32>,
    /// Is told how each step went.
    pub report: fn(KeepaliveStep, &io::Result<()>),
}

impl KeepaliveChange {
    /// Carries the wish out: `set` does one step of it on the socket.
    ///
    /// # Errors
    /// The error of the first step that failed.
    pub fn apply(&self, mut set: impl FnMut(&Self, KeepaliveStep) -> io::Result<()>) -> io::Result<()> {
        let steps = [
            (self.disable, KeepaliveStep::Disable),
            (!self.disable && self.idle.is_some(), KeepaliveStep::Idle),
            (!self.disable && self.interval.is_some(), KeepaliveStep::Interval),
            (!self.disable && self.count.is_some(), KeepaliveStep::Count),
        ];
        for (_, step) in steps.into_iter().filter(|(wanted, _)| *wanted) {
            let result = set(self, step);
            (self.report)(step, &result);
            result?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_ends_it() {
        let mut change = KeepaliveChange {
            disable: false,
            idle: Some(Duration::from_secs(1)),
            interval: None,
            count: Some(3),
            report: |_, _| {},
        };
        let mut seen = Vec::new();
        let mut steps = |change: &KeepaliveChange, works: bool| {
            seen.clear();
            let result = change.apply(|_, step| {
                seen.push(step);
                if works { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
            });
            assert_eq!(result.is_ok(), works);
            seen.clone()
        };
        assert_eq!(steps(&change, true), [KeepaliveStep::Idle, KeepaliveStep::Count]);
        assert_eq!(steps(&change, false), [KeepaliveStep::Idle]);
        change.disable = true;
        assert_eq!(steps(&change, true), [KeepaliveStep::Disable]);
    }
}
