//! Delay histograms of the monitor port (family D, monitor 2.2).
//!
//! Whoever records a delay adds to memory of its own worker: no lock, no clock. The windows that a page shows
//! are cut out of these sums by [`Delay::tick`], which the monitor port calls each second.

use bfe_http::counter::Shards;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds in a millisecond.
const US_PER_MS: u64 = 1000;

/// What is shown where there was no window before.
const NO_TIME: &str = "0001-01-01 00:00:00";

/// A histogram of delays: all of them since the start, those of the current window, and those of the one
/// before.
#[derive(Debug)]
pub struct Delay {
    prefix: &'static str,
    interval: u64,
    bucket_ms: u64,
    buckets: usize,
    /// The buckets, the one for what is slower, and the sum in microseconds.
    sums: Shards,
    windows: Mutex<Windows>,
}

/// Where the windows begin. Counts are sums since the start, as far as they had come at some time.
#[derive(Debug)]
struct Windows {
    /// The current window, as a multiple of the interval, and when it began, in seconds of the epoch.
    index: u64,
    began: u64,
    base: Vec<u64>,
    /// The last look at the sums.
    looked: u64,
    seen: Vec<u64>,
    /// The window before: its counts, and when it began.
    past: Vec<u64>,
    past_began: Option<u64>,
}

impl Windows {
    /// Ends the current window at `until`, and begins another.
    fn switch(&mut self, until: Vec<u64>, index: u64, now: u64) {
        self.past = difference(&until, &self.base);
        self.past_began = Some(self.began);
        self.base = until;
        self.index = index;
        self.began = now;
    }
}

/// A histogram over the time since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayTotals {
    /// Width of a bucket, in milliseconds.
    pub bucket_ms: u64,
    /// Delays in each bucket alone; the last has all that is slower.
    pub counts: Vec<u64>,
    /// Sum of all delays, in microseconds.
    pub sum_us: u64,
}

impl Delay {
    /// A histogram of `buckets` buckets of `bucket_ms` milliseconds, shown in windows of `interval` seconds.
    #[must_use]
    pub fn new(prefix: &'static str, interval: u64, bucket_ms: u64, buckets: usize) -> Self {
        Self::new_at(prefix, interval, bucket_ms, buckets, seconds(SystemTime::now()))
    }

    fn new_at(prefix: &'static str, interval: u64, bucket_ms: u64, buckets: usize, now: u64) -> Self {
        let (interval, bucket_ms) = (interval.max(1), bucket_ms.max(1));
        let none = vec![0; buckets + 2];
        let windows = Windows {
            index: now / interval,
            began: now / interval * interval,
            base: none.clone(),
            looked: now,
            seen: none.clone(),
            past: none,
            past_began: None,
        };
        Self {
            prefix,
            interval,
            bucket_ms,
            buckets,
            sums: Shards::new(buckets + 2),
            windows: Mutex::new(windows),
        }
    }

    /// Prefix of the names on the monitor port.
    #[must_use]
    pub fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// Records a delay.
    #[inline]
    pub fn add(&self, delay: Duration) {
        let us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let bucket = usize::try_from(us / (self.bucket_ms * US_PER_MS)).unwrap_or(usize::MAX);
        self.sums.add(bucket.min(self.buckets), 1);
        self.sums.add(self.buckets + 1, us);
    }

    /// Looks at what has been recorded, so that it counts in the window in which it happened. To be called
    /// each second.
    pub fn tick(&self, now: SystemTime) {
        self.look(seconds(now), false);
    }

    /// The page.
    ///
    /// # Errors
    /// The text for an unknown format.
    pub fn page(&self, format: Option<&str>) -> Result<String, String> {
        self.page_at(format, seconds(SystemTime::now()))
    }

    /// All that has been recorded.
    #[must_use]
    pub fn totals(&self) -> DelayTotals {
        let mut counts = self.values();
        let sum_us = counts.pop().unwrap_or(0);
        DelayTotals { bucket_ms: self.bucket_ms, counts, sum_us }
    }

    fn values(&self) -> Vec<u64> {
        (0..self.buckets + 2).map(|place| self.sums.get(place)).collect()
    }

    /// Switches windows: as soon as something was recorded in a new one, or somebody reads.
    fn look(&self, now: u64, reads: bool) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let values = self.values();
        let (before, index) = (windows.looked / self.interval, now / self.interval);
        if values != windows.seen && windows.index != before {
            let seen = std::mem::take(&mut windows.seen);
            let began = if index == before { now } else { windows.looked };
            windows.switch(seen, before, began);
        }
        if reads && windows.index != index {
            windows.switch(values.clone(), index, now);
        }
        windows.seen = values;
        windows.looked = now;
    }

    fn page_at(&self, format: Option<&str>, now: u64) -> Result<String, String> {
        self.look(now, true);
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let current = difference(&windows.seen, &windows.base);
        match format.unwrap_or("json") {
            "json" | "hier_json" => Ok(format!(
                r#"{{"Interval":{},"KeyPrefix":"{}","ProgramName":"","CurrTime":"{}","Current":{},"PastTime":"{}","Past":{}}}"#,
                self.interval,
                self.prefix,
                local_time(Some(windows.began)),
                self.json(&current),
                local_time(windows.past_began),
                self.json(&windows.past),
            )),
            "kv" | "noah" | "kv_with_program_name" => {
                Ok(self.lines("Current", &current) + &self.lines("Past", &windows.past))
            }
            "prometheus" => Ok(self.prometheus(&windows.past)),
            other => Err(format!("format not support: {other}")),
        }
    }

    fn json(&self, window: &[u64]) -> String {
        let (counts, sum) = self.parts(window);
        let count: u64 = counts.iter().sum();
        let counters: Vec<_> = counts.iter().map(u64::to_string).collect();
        format!(
            r#"{{"BucketSize":{},"BucketNum":{},"Count":{count},"Sum":{sum},"Ave":{},"Counters":[{}]}}"#,
            self.bucket_ms,
            self.buckets,
            average(sum, count),
            counters.join(",")
        )
    }

    fn lines(&self, name: &str, window: &[u64]) -> String {
        let (counts, sum) = self.parts(window);
        let count: u64 = counts.iter().sum();
        let mut out = String::new();
        let fields = [
            ("BucketSize", self.bucket_ms),
            ("BucketNum", self.buckets as u64),
            ("Count", count),
            ("Sum", sum),
            ("Ave", average(sum, count)),
        ];
        // Writing to memory cannot fail.
        for (field, value) in fields {
            let _ = writeln!(out, "{}_{name}_{field}:{value}", self.prefix);
        }
        for (i, count) in counts.iter().enumerate() {
            let _ = writeln!(out, "{}_{name}_Counters_{i}:{count}", self.prefix);
        }
        out
    }

    /// The window before alone. The bounds say microseconds for buckets of a millisecond, whatever the width.
    fn prometheus(&self, window: &[u64]) -> String {
        let (counts, sum) = self.parts(window);
        let name = format!("{}_Past", self.prefix);
        let mut out = format!("# TYPE {name} histogram\n");
        let mut below = 0;
        for (i, count) in counts.iter().enumerate() {
            below += count;
            let _ = if i < self.buckets {
                writeln!(out, "{name}_bucket{{le=\"{}\"}} {below}", (i as u64 + 1) * US_PER_MS)
            } else {
                writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {below}")
            };
        }
        let _ = writeln!(out, "{name}_sum {sum}\n{name}_count {below}");
        out
    }

    /// Counts of the buckets, and the sum.
    fn parts<'w>(&self, window: &'w [u64]) -> (&'w [u64], u64) {
        let (counts, sum) = window.split_at(self.buckets + 1);
        (counts, sum.first().copied().unwrap_or(0))
    }
}

fn average(sum: u64, count: u64) -> u64 {
    sum.checked_div(count).unwrap_or(0)
}

fn difference(now: &[u64], before: &[u64]) -> Vec<u64> {
    now.iter().zip(before).map(|(now, before)| now.wrapping_sub(*before)).collect()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A time as the pages show it, on the clock of this machine.
fn local_time(seconds: Option<u64>) -> String {
    let time = seconds.and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok());
    time.map_or_else(
        || NO_TIME.to_owned(),
        |t| t.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first second of some minute.
    const START: u64 = 1_700_000_040;

    fn delay(bucket_ms: u64) -> Delay {
        Delay::new_at("d", 60, bucket_ms, 10, START + 5)
    }

    fn window(delay: &Delay, which: &str, now: u64) -> (u64, u64, Vec<u64>) {
        let page: serde_json::Value = serde_json::from_str(&delay.page_at(None, now).unwrap()).unwrap();
        let counters = page[which]["Counters"].as_array().unwrap();
        let number = |key: &str| page[which][key].as_u64().unwrap();
        (number("Count"), number("Sum"), counters.iter().map(|c| c.as_u64().unwrap()).collect())
    }

    #[test]
    fn mon_28_and_31_fields_of_the_page() {
        let delay = delay(1);
        delay.add(Duration::from_micros(1500));
        delay.add(Duration::from_micros(500));
        let page = delay.page_at(Some("hier_json"), START + 6).unwrap();
        assert_eq!(page, delay.page_at(None, START + 6).unwrap());
        let began = local_time(Some(START));
        let none =
            r#""BucketSize":1,"BucketNum":10,"Count":0,"Sum":0,"Ave":0,"Counters":[0,0,0,0,0,0,0,0,0,0,0]"#;
        assert_eq!(
            page,
            format!(
                r#"{{"Interval":60,"KeyPrefix":"d","ProgramName":"","CurrTime":"{began}","Current":{{"BucketSize":1,"BucketNum":10,"Count":2,"Sum":2000,"Ave":1000,"Counters":[1,1,0,0,0,0,0,0,0,0,0]}},"PastTime":"0001-01-01 00:00:00","Past":{{{none}}}}}"#
            )
        );
        for bad in ["", "xml", "Prometheus"] {
            assert_eq!(delay.page_at(Some(bad), START).unwrap_err(), format!("format not support: {bad}"));
        }
    }

    #[test]
    fn mon_29_wide_buckets() {
        let delay = delay(100);
        delay.add(Duration::from_millis(150));
        delay.add(Duration::from_secs(5));
        delay.add(Duration::from_millis(100));
        assert_eq!(
            window(&delay, "Current", START + 6),
            (3, 5_250_000, vec![0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        );
        assert_eq!(
            delay.totals(),
            DelayTotals { bucket_ms: 100, counts: vec![0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1], sum_us: 5_250_000 }
        );
    }

    #[test]
    fn mon_20_and_30_lines_and_prometheus() {
        let delay = delay(100);
        delay.add(Duration::from_millis(50));
        delay.add(Duration::from_secs(60));
        let lines = delay.page_at(Some("kv"), START + 6).unwrap();
        assert!(lines.starts_with("d_Current_BucketSize:100\nd_Current_BucketNum:10\nd_Current_Count:2\nd_Current_Sum:60050000\nd_Current_Ave:30025000\nd_Current_Counters_0:1\n"), "{lines}");
        assert_eq!(lines.lines().count(), 32);
        assert!(lines.contains("\nd_Past_Counters_10:0\n"));
        for same in ["noah", "kv_with_program_name"] {
            assert_eq!(delay.page_at(Some(same), START + 6).unwrap(), lines);
        }
        let page = delay.page_at(Some("prometheus"), START + 60).unwrap();
        let want: String = (1..=10).map(|i| format!("d_Past_bucket{{le=\"{i}000\"}} 1\n")).collect();
        assert_eq!(
            page,
            format!(
                "# TYPE d_Past histogram\n{want}d_Past_bucket{{le=\"+Inf\"}} 2\nd_Past_sum 60050000\nd_Past_count 2\n"
            )
        );
    }

    #[test]
    fn mon_32_windows_change_when_something_happens() {
        let delay = delay(1);
        let counts = |which, now| window(&delay, which, now).0;
        delay.add(Duration::ZERO);
        // A look that is no read changes nothing while nothing happens.
        for second in START + 6..START + 200 {
            delay.look(second, false);
        }
        delay.add(Duration::ZERO);
        delay.add(Duration::ZERO);
        delay.look(START + 200, false);
        {
            let windows = delay.windows.lock().unwrap();
            assert_eq!((windows.began, windows.past_began), (START + 200, Some(START)));
        }
        assert_eq!((counts("Current", START + 201), counts("Past", START + 201)), (2, 1));
        // What happened in the last second of a window belongs to it.
        delay.look(START + 239, false);
        delay.add(Duration::ZERO);
        delay.look(START + 240, false);
        assert_eq!((counts("Past", START + 240), counts("Current", START + 240)), (3, 0));
        // A read in a window without events empties both in the end.
        assert_eq!((counts("Past", START + 300), counts("Past", START + 360)), (0, 0));
    }
}
