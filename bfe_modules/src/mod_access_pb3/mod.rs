//! # mod_access_pb3: an access log as protobuf records
//!
//! **What it does.** Writes a record when a request is over and one when a connection ends, as
//! [mod_access](crate::mod_access) does with lines.
//!
//! **`mod_access_pb3/mod_access_pb3.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Log.LogPrefix` | – | the file is `LogPrefix.log`; required |
//! | `Log.LogDir` | – | folder, relative to the working directory; required |
//! | `Log.RotateWhen`, `Log.BackupCount` | – | as for mod_access; required |
//! | `BasicConf.OpenDebug` | `false` | read, without effect |
//!
//! **Records.** A header of 24 bytes, little-endian: `A7 BE AE B0`, version 1, length of the message, 0 (it is
//! not compressed), each of 32 bits; the time in milliseconds since 1970, 64 bits. Then the message `BfeLog`
//! of the schema `bfe_access_pb`. A record of more than 65536 bytes is left out.
//!
//! **Fields.** Those of the original, under the same numbers. Requests through the AI gateway have 701 and above too;
//! the client's key is in none of them, but in 49, which is the field `Authorization` as the client has sent it.
//! Times that are not known are 2217714954 or 2077252342, as the original computes them.
//!
//! **Monitor.** `/monitor/mod_access_pb3`, `/monitor/mod_access_pb3.diff`: `ALL_REQ_LOG_COUNT`,
//! `ALL_SES_LOG_COUNT`.
//!
//! Realises modules-traffic 2 and ai-gateway 14.2.

mod ai;
mod request;
mod session;
#[cfg(test)]
mod tests;

use crate::module_conf;
use crate::protobuf::Message;
use bfe_basic::Session;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use bfe_module::log_file::{self, LogFile, LogKeys, LogTarget};
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, WebHandlers};
use mod_access_pb3_state as state;
use std::cell::RefCell;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const NAME: &str = "mod_access_pb3";
/// Bytes in front of a message.
const HEADER: usize = 24;
const MAGIC: u32 = 0xB0AE_BEA7;
const VERSION: u32 = 1;
/// Most bytes of a record, with its header.
const MAX_RECORD: usize = 65_536;
/// `ProductID.BFE`
const PRODUCT: u64 = 18;

bfe_http::counter_group! {
    /// `/monitor/mod_access_pb3`.
    pub mod_access_pb3_state "mod_access_pb3" {
        /// Records of requests.
        ALL_REQ_LOG_COUNT,
        /// Records of connections.
        ALL_SES_LOG_COUNT,
    }
}

/// The module.
pub struct ModuleAccessPb3;

thread_local! {
    /// Where records are made.
    static RECORD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Module for ModuleAccessPb3 {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Builds of the original from its public sources do not have it, and their page is what agents compare with.
    fn is_listed(&self) -> bool {
        false
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let file = Arc::new(LogFile::open(&load_conf(conf_root)?)?);
        log_file::register_metrics(web_handlers);
        let of_session = Arc::clone(&file);
        callbacks.add_request_finish_filter("mod_access_pb3.request_finish", move |req, res| {
            if write(&file, |now, message| request::log(message, now, req, res)) {
                state::group().inc(state::ALL_REQ_LOG_COUNT);
            }
            HandlerResult::GoOn
        });
        callbacks.add_session_filter(
            Point::HandleFinish,
            "mod_access_pb3.session_finish",
            move |session| {
                if write(&of_session, |now, message| session::log(message, now, session)) {
                    state::group().inc(state::ALL_SES_LOG_COUNT);
                }
                HandlerResult::GoOn
            },
        )?;
        web_handlers.add_counters(NAME, "mod_access_pb3.diff", state::group())?;
        Ok(())
    }
}

/// Reads `mod_access_pb3.conf`.
fn load_conf(conf_root: &Path) -> Result<LogTarget, ConfErrors> {
    let (mut keys, mut debug) = (LogKeys::default(), false);
    let ini = ini::read_file(
        &module_conf::file(conf_root, NAME),
        &mut [keys.section_rotating(), Section::new("BasicConf").bool("OpenDebug", &mut debug)],
    )?;
    keys.check(&ini, None)
}

/// When a record is made, by both clocks.
#[derive(Clone, Copy)]
struct Now {
    instant: Instant,
    /// Since 1970.
    seconds: u64,
}

/// Makes a record in the buffer of this thread, and hands it to the file. False where it is too long.
fn write(file: &LogFile, fill: impl FnOnce(Now, &mut Message<'_>)) -> bool {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Now { instant: Instant::now(), seconds: since.as_secs() };
    RECORD.with_borrow_mut(|record| {
        record.clear();
        record.extend_from_slice(&[0; HEADER]);
        fill(now, &mut Message::new(record));
        if record.len() > MAX_RECORD {
            record.shrink_to(MAX_RECORD);
            return false;
        }
        let length = u32::try_from(record.len() - HEADER).unwrap_or(u32::MAX);
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let words = [MAGIC, VERSION, length, 0].map(u32::to_le_bytes);
        for (to, from) in record.iter_mut().zip(words.as_flattened().iter().chain(&millis.to_le_bytes())) {
            *to = *from;
        }
        file.write(record);
        true
    })
}

/// `ConnAddrInfo` (modules-traffic 2.5).
fn connection(message: &mut Message<'_>, session: &Session) {
    message.number(1, v4(session.local_addr.map(|a| a.ip())));
    message.number(2, v4(session.remote_addr.map(|a| a.ip())));
    message.number(3, session.trust_source.get().into());
    match session.vip {
        None => {}
        Some(vip @ IpAddr::V4(_)) => message.number(4, v4(Some(vip))),
        Some(IpAddr::V6(vip)) => message.text(5, vip.to_string().as_bytes()),
    }
}

/// An IPv4 address as a number; 0 where there is none.
fn v4(ip: Option<IpAddr>) -> u64 {
    match ip {
        Some(IpAddr::V4(ip)) => u32::from(ip).into(),
        _ => 0,
    }
}

/// A product as part of a tag, in which there is no `-`.
fn tag(prefix: &str, product: &str) -> String {
    format!("{prefix}{}", product.replace('-', "_"))
}

/// An id in decimal digits. As the original reads it: 0 where there is anything else, but the largest number
/// where the digits in front of that are too many.
fn id(text: &str) -> u64 {
    let mut id: u64 = 0;
    for b in text.bytes() {
        if !b.is_ascii_digit() {
            return 0;
        }
        let Some(next) = id.checked_mul(10).and_then(|id| id.checked_add(u64::from(b - b'0'))) else {
            return u64::MAX;
        };
        id = next;
    }
    id
}

/// Milliseconds between two times, in 32 bits. A time that is not known counts as the year 1, so that the
/// difference is the largest or smallest there is.
fn millis(from: Option<Instant>, to: Option<Instant>) -> u64 {
    /// 2^63 nanoseconds in milliseconds, of which 32 bits are left.
    const LONGEST: i64 = i64::MAX / 1_000_000;
    let millis = match (from, to) {
        (None, None) => 0,
        (None, Some(_)) => LONGEST,
        (Some(_), None) => -LONGEST,
        (Some(from), Some(to)) => {
            let span = |a: Instant, b: Instant| {
                i64::try_from(b.saturating_duration_since(a).as_millis()).unwrap_or(LONGEST)
            };
            if to >= from { span(from, to) } else { -span(to, from) }
        }
    };
    low(millis.cast_unsigned())
}

/// The low 32 bits of a number, which is all that most fields have.
fn low(n: u64) -> u64 {
    n & u64::from(u32::MAX)
}
