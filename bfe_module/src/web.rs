//! Pages of the monitor port that modules and the core register (monitor 1, 2; lifecycle 2.4).

use crate::delay::Delay;
use crate::metrics::Metrics;
use crate::states::States;
use bfe_http::counter::CounterGroup;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The query of a request to the monitor port: the first value of each key.
#[derive(Clone, Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Takes a query apart. A pair with a `;` or a bad escape is dropped.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let decode = |text: &str| {
            let decoded = bfe_http::url::unescape(text.as_bytes(), true)?;
            Some(String::from_utf8_lossy(&decoded).into_owned())
        };
        let mut pairs = BTreeMap::new();
        for pair in query.split('&').filter(|p| !p.is_empty() && !p.contains(';')) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let (Some(key), Some(value)) = (decode(key), decode(value)) {
                pairs.entry(key).or_insert(value);
            }
        }
        Self(pairs)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The file or folder to load instead of the configured one; an empty one is none.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.get("path").filter(|path| !path.is_empty())
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{key}={value:?}", if i > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

/// Makes a page, or says why it cannot.
pub type MonitorHandler = Box<dyn Fn(&Query) -> Result<String, String> + Send + Sync>;
/// Reloads something: what was loaded, where the answer names it, or why it failed.
pub type ReloadHandler = Box<dyn Fn(&Query) -> Result<Option<String>, String> + Send + Sync>;

/// A second page of the same name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("handler exists already: {0}")]
pub struct DuplicateHandler(String);

/// The pages `/monitor/NAME` and `/reload/NAME`.
#[derive(Default)]
pub struct WebHandlers {
    /// `/monitor/NAME`.
    pub monitor: BTreeMap<String, MonitorHandler>,
    /// `/reload/NAME`.
    pub reload: BTreeMap<String, ReloadHandler>,
    /// Counters whose windows have to be closed in time, and that `/metrics` shows.
    pub metrics: Vec<Arc<Metrics>>,
    /// Tables of states whose windows have to be closed in time.
    pub states: Vec<Arc<States>>,
    /// Histograms whose windows have to be watched.
    pub delays: Vec<Arc<Delay>>,
}

impl WebHandlers {
    /// Registers `/monitor/name`.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn add_monitor(
        &mut self,
        name: impl Into<String>,
        handler: impl Fn(&Query) -> Result<String, String> + Send + Sync + 'static,
    ) -> Result<(), DuplicateHandler> {
        insert(&mut self.monitor, name.into(), Box::new(handler))
    }

    /// Registers `/reload/name`.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn add_reload(
        &mut self,
        name: impl Into<String>,
        handler: impl Fn(&Query) -> Result<Option<String>, String> + Send + Sync + 'static,
    ) -> Result<(), DuplicateHandler> {
        insert(&mut self.reload, name.into(), Box::new(handler))
    }

    /// Registers the two pages of a counter group: `name`, and the difference over the last window as
    /// `diff_name`.
    ///
    /// # Errors
    /// Where a name is taken.
    pub fn add_counters(
        &mut self,
        name: &str,
        diff_name: &str,
        group: &'static CounterGroup,
    ) -> Result<(), DuplicateHandler> {
        let metrics = Arc::new(Metrics::new(group));
        self.metrics.push(metrics.clone());
        let total = metrics.clone();
        self.add_monitor(name, move |query| total.total(query.get("format")))?;
        self.add_monitor(diff_name, move |query| metrics.diff(query.get("format")))
    }

    /// Registers the two pages of a table of states: `name`, and the differences of its counters as
    /// `diff_name`.
    ///
    /// # Errors
    /// Where a name is taken.
    pub fn add_states(
        &mut self,
        name: &str,
        diff_name: &str,
        states: Arc<States>,
    ) -> Result<(), DuplicateHandler> {
        self.states.push(Arc::clone(&states));
        let total = Arc::clone(&states);
        self.add_monitor(name, move |query| total.total(query.get("format")))?;
        self.add_monitor(diff_name, move |query| states.diff(query.get("format")))
    }

    /// Registers the page of a delay histogram.
    ///
    /// # Errors
    /// Where the name is taken.
    pub fn add_delay(&mut self, name: &str, delay: Arc<Delay>) -> Result<(), DuplicateHandler> {
        self.delays.push(Arc::clone(&delay));
        self.add_monitor(name, move |query| delay.page(query.get("format")))
    }
}

fn insert<H>(map: &mut BTreeMap<String, H>, name: String, handler: H) -> Result<(), DuplicateHandler> {
    if map.contains_key(&name) {
        return Err(DuplicateHandler(name));
    }
    map.insert(name, handler);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_take_the_first_value_and_drop_damage() {
        let query = Query::parse("format=kv&format=json&a=%41+b&bad=%zz&x;y=1&flag");
        assert_eq!(query.get("format"), Some("kv"));
        assert_eq!(query.get("a"), Some("A b"));
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!((query.get("bad"), query.get("y")), (None, None));
    }

    #[test]
    fn names_are_unique() {
        let mut handlers = WebHandlers::default();
        handlers.add_monitor("x", |_| Ok(String::new())).unwrap();
        assert!(handlers.add_monitor("x", |_| Ok(String::new())).is_err());
        handlers.add_reload("x", |_| Ok(None)).unwrap();
    }
}
