//! Checks of what `[HttpsBasic]` says about HTTP/3. The original knows none of these keys.

use super::Checker;
use crate::config::raw::RawHttpsBasic;
use crate::config::table::{Http3Conf, TlsVersion};

/// Most requests that a connection may be allowed at once: each can hold memory.
const MAX_STREAMS: u32 = 10_000;

/// Nothing is checked where HTTP/3 is not enabled.
pub(super) fn check(
    raw: &RawHttpsBasic,
    newest: TlsVersion,
    https_port: i64,
    c: &mut Checker<'_>,
) -> Option<Http3Conf> {
    if !raw.enable_http3 {
        return None;
    }
    if cfg!(not(feature = "http3")) {
        c.fault("EnableHttp3", "EnableHttp3: this program was built without the feature http3");
    }
    if newest < TlsVersion::Tls13 {
        c.fault("EnableHttp3", "EnableHttp3: HTTP/3 needs VersionTLS13 as MaxTlsVersion");
    }
    let max_streams = c.positive("Http3MaxStreams", raw.http3_max_streams);
    let max_streams = u32::try_from(max_streams).ok().filter(|max| *max <= MAX_STREAMS);
    if max_streams.is_none() {
        let max = raw.http3_max_streams;
        c.fault("Http3MaxStreams", format!("Http3MaxStreams[{max}] should be in [1, {MAX_STREAMS}]"));
    }
    let port = match raw.http3_advertised_port {
        0 => https_port,
        port => i64::from(c.port("Http3AdvertisedPort", port)),
    };
    let seconds = raw.http3_advertised_seconds;
    if seconds < 0 {
        c.fault("Http3AdvertisedSeconds", format!("Http3AdvertisedSeconds[{seconds}] should >= 0"));
    }
    Some(Http3Conf {
        max_streams: max_streams.unwrap_or_default(),
        advertisement: (seconds > 0).then(|| format!("h3=\":{port}\"; ma={seconds}")),
    })
}
