//! The `Date` header, formatted once a second and worker.

use bytes::Bytes;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

thread_local! {
    static CACHE: RefCell<(u64, Bytes)> = const { RefCell::new((0, Bytes::new())) };
}

/// The current time as the value of a `Date` header, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn http_date() -> Bytes {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    CACHE.with_borrow_mut(|(cached, text)| {
        if *cached != second {
            *cached = second;
            *text = Bytes::from(httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second)));
        }
        text.clone()
    })
}
