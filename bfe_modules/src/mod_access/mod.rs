//! # mod_access: a log line for each request and each connection
//!
//! **What it does.** Writes a line from a template when a request is over, and one from another template when
//! a connection ends. Traffic never waits for the disk: lines that cannot be written in time are dropped and
//! counted.
//!
//! **`mod_access/mod_access.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Log.LogPrefix` | – | the file is `LogPrefix.log`; required without `LogFile` |
//! | `Log.LogDir` | – | folder, made where missing; required without `LogFile` |
//! | `Log.RotateWhen` | – | when the file is put aside as `LogPrefix.log.TIME`: `M`, `H`, `D` (a minute, hour or day after it was opened), `NEXTHOUR`, `MIDNIGHT` |
//! | `Log.BackupCount` | – | how many such files are kept, at least 1 |
//! | `Log.LogFile` | – | one file for ever instead, for example `/dev/stdout`; none of the keys above then |
//! | `Log.Format` | `text` | `text` or `json` |
//! | `Template.RequestTemplate` | – | required; `COMMON` and `COMBINED` stand for the formats of that name |
//! | `Template.SessionTemplate` | – | required |
//!
//! Paths are relative to the configuration root.
//!
//! **Templates.** `$name` is an item, and so is `${KEY}name` for `req_header`, `req_cookie`, `res_header` and
//! `res_cookie`; everything else stands for itself. A value that is not there is `-`.
//!
//! | items of requests | |
//! |---|---|
//! | `time` (in both) | local time, `2006-01-02 15:04:05` |
//! | `request_time` | when the request began, `[02/Jan/2006:15:04:05 -0700]` |
//! | `request_line`, `req_uri`, `host`, `url` | as received; host and url as they are now: after forwarding the url is that of the backend |
//! | `req_header`, `req_cookie` | the first of that name |
//! | `req_body_len`, `req_nth`, `log_id` | bytes of the body (0 if chunked); number on its connection; by mod_logid |
//! | `remote_addr`, `server_addr`, `vip`, `is_trust_clientip` | peer; the proxy's end; by the PROXY header; by mod_trust_clientip |
//! | `product`, `cluster_name`, `subcluster`, `backend` | where it went; backend is `cluster,subcluster,addr,name` |
//! | `status_code`, `res_proto`, `res_len`, `res_body_len` | response; `-` for redirects and closed connections |
//! | `res_header`, `res_cookie` | all values of that field (written in its canonical case), joined by commas; first cookie of that name |
//! | `redirect`, `error`, `retry_num` | `url,code`; `CODE` or `CODE,message`; failed attempts |
//! | `all_time`, `read_req_duration`, `proxy_delay`, `cluster_duration`, `connect_time`, `last_backend_duration`, `write_serve_time`, `readwrite_serve_time`, `response_duration`, `since_ses_start_time` | milliseconds |
//!
//! | items of sessions | |
//! |---|---|
//! | `ses_clientip` | address and port of the peer |
//! | `ses_start_time`, `ses_end_time`, `ses_overhead` | times and duration in Go's notation |
//! | `ses_error`, `ses_keepalive_num`, `ses_is_secure`, `ses_use100` | why it ended; requests; TLS; `100-continue` |
//! | `ses_tls_client_random`, `ses_tls_server_random` | hexadecimal |
//! | `ses_read_total`, `ses_write_total` | 0 |
//!
//! **What cannot be forged.** Control characters in values (other than tab) are written as `\x0A`. Where an
//! item stands between double quotes, `"` and `\` in its value are written as `\x22` and `\x5C`.
//!
//! **JSON.** With `Format = json` a line is an object. Its first member is `"type"`: `"request"` or
//! `"session"`; then the items of the template in their order, under their names, what is between them being
//! left out. An item with a key has the key in its name, with `_` for what is no letter or digit:
//! `req_header_user_agent` (lower case), `req_cookie_Uid`. Counts and durations are numbers (milliseconds),
//! yes and no are booleans, times are RFC 3339 with milliseconds, everything else is a string; what is not
//! there is `null`. Bytes that are not UTF-8 become U+FFFD.
//!
//! ```ini
//! [Log]
//! LogFile = /dev/stdout
//! Format = json
//! [Template]
//! RequestTemplate = "$time $remote_addr $request_line $status_code ${User-Agent}req_header $all_time $error"
//! SessionTemplate = "$time $ses_clientip $ses_overhead $ses_error"
//! ```
//!
//! **Monitor.** `/metrics` has `log_file_RECORDS_WRITTEN`, `log_file_RECORDS_DROPPED` (too many waited) and
//! `log_file_RECORDS_FAILED` (disk full, for example), over all log files of modules.
//!
//! Realises modules-traffic 1.

mod clock;
mod conf;
mod item;
mod output;
mod request;
mod session;
mod template;
#[cfg(test)]
mod tests;

use bfe_module::log_file::{self, LogFile};
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, WebHandlers};
use conf::Conf;
use request::RequestFacts;
use session::SessionFacts;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_access";
/// What the buffer of a worker may keep between two lines.
const KEPT_BYTES: usize = 64 * 1024;

/// The module.
pub struct ModuleAccess;

/// What the handlers share.
struct AccessLog {
    conf: Conf,
    file: LogFile,
}

thread_local! {
    /// Where lines are made.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Module for ModuleAccess {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        clock::start();
        let conf = conf::load(conf_root)?;
        let file = LogFile::open(&conf.target)?;
        log_file::register_metrics(web_handlers);
        let log = Arc::new(AccessLog { conf, file });
        let of_session = Arc::clone(&log);
        callbacks.add_request_finish_filter("mod_access.request_log", move |req, res| {
            log.write(|conf, line| conf.request.render(conf.form, line, &RequestFacts::new(req, res)));
            HandlerResult::GoOn
        });
        callbacks.add_session_filter(Point::HandleFinish, "mod_access.session_log", move |session| {
            of_session.write(|conf, line| conf.session.render(conf.form, line, &SessionFacts(session)));
            HandlerResult::GoOn
        })?;
        Ok(())
    }
}

impl AccessLog {
    /// Makes a line in the buffer of this thread, and hands it to the file.
    fn write(&self, make: impl FnOnce(&Conf, &mut Vec<u8>)) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            make(&self.conf, line);
            self.file.write(line);
            line.shrink_to(KEPT_BYTES);
        });
    }
}
