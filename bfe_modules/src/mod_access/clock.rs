//! Times as they stand in lines. What a second looks like in the local time zone is worked out once a second
//! and thread.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::io::Write as _;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When the process began, near enough: when the first module with a log was set up.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Notes that the process begins.
pub(super) fn start() {
    LazyLock::force(&START);
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Seconds since 1970.
    seconds: i64,
    nanos: u32,
}

/// A second in the local time zone.
#[derive(Default)]
struct Second {
    /// Which one; `None` where there is none yet.
    of: Option<i64>,
    /// `2006-01-02 15:04:05`.
    plain: String,
    /// `[02/Jan/2006:15:04:05 -0700]`.
    common: String,
    /// ` -0700 MST`.
    zone: String,
    /// `-07:00`.
    offset: String,
}

thread_local! {
    /// The last seconds that were asked for: lines have few different ones.
    static SECONDS: RefCell<[Second; 2]> = RefCell::default();
}

impl Second {
    fn of(second: i64) -> Self {
        let at = Timestamp::from_second(second).unwrap_or_default().to_zoned(TimeZone::system());
        Self {
            of: Some(second),
            plain: at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            common: at.strftime("[%d/%b/%Y:%H:%M:%S %z]").to_string(),
            zone: at.strftime(" %z %Z").to_string(),
            offset: at.strftime("%:z").to_string(),
        }
    }
}

impl From<SystemTime> for Moment {
    fn from(wall: SystemTime) -> Self {
        Self::since_1970(wall.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl Moment {
    fn since_1970(since: Duration) -> Self {
        Self { seconds: i64::try_from(since.as_secs()).unwrap_or_default(), nanos: since.subsec_nanos() }
    }

    /// The time at `there`, where this is the time at `here`.
    pub(super) fn moved(self, here: Instant, there: Instant) -> Self {
        let at = Duration::new(u64::try_from(self.seconds).unwrap_or_default(), self.nanos);
        Self::since_1970(match there.checked_duration_since(here) {
            Some(later) => at.saturating_add(later),
            None => at.saturating_sub(here.saturating_duration_since(there)),
        })
    }

    fn with_second(&self, write: impl FnOnce(&Second)) {
        SECONDS.with_borrow_mut(|seconds| {
            let [first, second] = seconds;
            if first.of != Some(self.seconds) {
                std::mem::swap(first, second);
                if first.of != Some(self.seconds) {
                    *first = Second::of(self.seconds);
                }
            }
            write(first);
        });
    }

    /// `2006-01-02 15:04:05`
    pub(super) fn write_plain(&self, line: &mut Vec<u8>) {
        self.with_second(|second| line.extend_from_slice(second.plain.as_bytes()));
    }

    /// `[02/Jan/2006:15:04:05 -0700]`
    pub(super) fn write_common(&self, line: &mut Vec<u8>) {
        self.with_second(|second| line.extend_from_slice(second.common.as_bytes()));
    }

    /// As Go prints times: `2006-01-02 15:04:05.25 -0700 MST m=+12.250000000`, the last being the time from
    /// the beginning of the process to `instant`.
    pub(super) fn write_long(&self, line: &mut Vec<u8>, instant: Instant) {
        self.with_second(|second| {
            line.extend_from_slice(second.plain.as_bytes());
            fraction(line, u64::from(self.nanos), 9);
            line.extend_from_slice(second.zone.as_bytes());
        });
        let since = instant.saturating_duration_since(*START);
        // Writing to memory cannot fail.
        let _ = write!(line, " m=+{}.{:09}", since.as_secs(), since.subsec_nanos());
    }

    /// `2006-01-02T15:04:05.250-07:00`
    pub(super) fn write_rfc3339(&self, line: &mut Vec<u8>) {
        self.with_second(|second| {
            let (date, time) = second.plain.split_once(' ').unwrap_or_default();
            let _ = write!(line, "{date}T{time}.{:03}{}", self.nanos / 1_000_000, second.offset);
        });
    }
}

/// A fraction of so many digits, with its dot, without zeros at its end.
pub(super) fn fraction(line: &mut Vec<u8>, mut fraction: u64, mut digits: usize) {
    if fraction == 0 {
        return;
    }
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        digits -= 1;
    }
    let _ = write!(line, ".{fraction:0digits$}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn access_15_and_16_times() {
        start();
        let wall = UNIX_EPOCH + Duration::new(1_767_323_045, 123_456_000);
        let at = Moment::from(wall);
        let here = *START + Duration::from_millis(12_345);
        let local = |second, format| {
            Timestamp::from_second(second).unwrap().to_zoned(TimeZone::system()).strftime(format).to_string()
        };
        assert_eq!(text(|l| at.write_plain(l)), local(1_767_323_045, "%Y-%m-%d %H:%M:%S"));
        assert_eq!(text(|l| at.write_common(l)), local(1_767_323_045, "[%d/%b/%Y:%H:%M:%S %z]"));
        assert_eq!(
            text(|l| at.write_long(l, here)),
            local(1_767_323_045, "%Y-%m-%d %H:%M:%S.123456 %z %Z m=+12.345000000")
        );
        assert_eq!(
            text(|l| at.write_rfc3339(l)).parse::<Timestamp>().unwrap(),
            Timestamp::from_millisecond(1_767_323_045_123).unwrap()
        );
        // A whole second has no fraction.
        let there = here + Duration::from_nanos(1_876_544_000);
        let later = at.moved(here, there);
        assert_eq!(
            text(|l| later.write_long(l, there)),
            local(1_767_323_047, "%Y-%m-%d %H:%M:%S %z %Z m=+14.221544000")
        );
        assert_eq!(later.moved(there, here), at);
    }
}
