//! Items of `NextProtos`, and which of them a connection gets to see (tls 3.3).

use crate::protocol::Protocol;
use bfe_http::url::unescape;
use std::ops::RangeInclusive;

/// How much a protocol is insisted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// May be dropped.
    Optional,
    /// Never dropped.
    Steady,
    /// Used whatever the client says.
    Mandatory,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextProto {
    pub(crate) protocol: Protocol,
    pub(crate) level: Level,
    /// Share of clients that see it, in percent.
    pub(crate) rate: u8,
    /// `SETTINGS_MAX_CONCURRENT_STREAMS` of HTTP/2.
    pub(crate) max_streams: u32,
    /// Initial window of an HTTP/2 stream, in bytes.
    pub(crate) window: u32,
    /// Version of the PROXY header towards the backend; 0 for none.
    pub(crate) proxy_protocol: u8,
}

/// A whole list, checked; the default where it is empty.
pub(crate) fn parse_list(items: &[String]) -> Result<Vec<NextProto>, (usize, String)> {
    let mut parsed = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let proto =
            parse(item).map_err(|why| (index, format!("invalid proto ({item}) in NextProtos: {why}")))?;
        if items.iter().take(index).any(|earlier| earlier == item) {
            return Err((index, format!("found duplicated proto: {item}")));
        }
        parsed.push(proto);
    }
    if parsed.iter().any(|p| p.level == Level::Mandatory) {
        if parsed.len() != 1 {
            return Err((0, "a proto with level=2 must be the only one".to_owned()));
        }
    } else if !parsed.is_empty() && parsed.iter().all(|p| p.protocol != Protocol::Http1) {
        return Err((0, "no \"http/1.1\" in nonempty NextProtos".to_owned()));
    }
    Ok(parsed)
}

fn parse(item: &str) -> Result<NextProto, String> {
    let item = item.replace(';', "&");
    let (name, params) = item.split_once('&').unwrap_or((&item, ""));
    let mut given: [(&str, Option<i64>); 5] =
        [("level", None), ("mcs", None), ("isw", None), ("rate", None), ("pp", None)];
    for pair in params.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode =
            |text: &str| unescape(text.as_bytes(), true).and_then(|t| String::from_utf8(t.into_owned()).ok());
        let (Some(key), Some(value)) = (decode(key), decode(value)) else {
            return Err(format!("invalid proto params: {params}"));
        };
        let Some((_, slot)) = given.iter_mut().find(|(known, _)| *known == key) else {
            return Err(format!("unknown param: {key}; expected level, mcs, isw, rate or pp"));
        };
        let number = value.parse().map_err(|_| format!("invalid {key}: {value}"))?;
        if slot.replace(number).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    let [level, mcs, isw, rate, pp] = given.map(|(_, value)| value);
    let level = match ranged("level", level.unwrap_or(0), 0..=2)? {
        0 => Level::Optional,
        1 => Level::Steady,
        _ => Level::Mandatory,
    };
    let max_streams = mcs.unwrap_or(200);
    if max_streams <= 0 {
        return Err("proto mcs should > 0".to_owned());
    }
    let window = ranged("isw", isw.unwrap_or(65_535), 65_535..=262_144)?;
    let rate = ranged("rate", rate.unwrap_or(100), 0..=100)?;
    if level != Level::Optional && rate != 100 {
        return Err("proto rate should be 100 if level > 0".to_owned());
    }
    if name == Protocol::Http1.as_str() && rate != 100 {
        return Err("proto rate for http/1.1 should be 100".to_owned());
    }
    let proxy_protocol = ranged("pp", pp.unwrap_or(0), 0..=2)?;
    if proxy_protocol != 0 && name != Protocol::Stream.as_str() {
        return Err("param pp is only available for stream proto".to_owned());
    }
    let protocol = Protocol::by_name(name)
        .ok_or("proto not valid or not support: expected http/1.1, h2, spdy/3.1 or stream")?;
    Ok(NextProto {
        protocol,
        level,
        rate: u8::try_from(rate).unwrap_or(100),
        max_streams: u32::try_from(max_streams).unwrap_or(u32::MAX),
        window,
        proxy_protocol: u8::try_from(proxy_protocol).unwrap_or_default(),
    })
}

fn ranged(what: &str, value: i64, range: RangeInclusive<u32>) -> Result<u32, String> {
    u32::try_from(value)
        .ok()
        .filter(|v| range.contains(v))
        .ok_or_else(|| format!("proto {what} should be [{}, {}]", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Result<Vec<NextProto>, (usize, String)> {
        parse_list(&items.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn tls_15_items() {
        let plain = NextProto {
            protocol: Protocol::H2,
            level: Level::Optional,
            rate: 100,
            max_streams: 200,
            window: 65_535,
            proxy_protocol: 0,
        };
        for (item, want) in [
            ("h2", plain.clone()),
            ("h2;", plain.clone()),
            ("h2&&", plain.clone()),
            ("h2;level=0;rate=30&mcs=100", NextProto { rate: 30, max_streams: 100, ..plain.clone() }),
            ("h2;isw=262144;level=1", NextProto { window: 262_144, level: Level::Steady, ..plain.clone() }),
            ("h2;%6cevel=%31", NextProto { level: Level::Steady, ..plain.clone() }),
            ("stream;pp=2", NextProto { protocol: Protocol::Stream, proxy_protocol: 2, ..plain }),
        ] {
            assert_eq!(parse(item), Ok(want), "{item}");
        }
        for bad in [
            "",
            "H2",
            " h2",
            "h2 ",
            "spdy/3",
            "http/1.0",
            "h2;rate=30;rate=40",
            "h2;foo=1",
            "h2; level=0",
            "h2;level",
            "h2;level=",
            "h2;level=3",
            "h2;level=-1",
            "h2;level=1;rate=50",
            "http/1.1;rate=50",
            "h2;pp=1",
            "stream;pp=3",
            "h2;isw=1000",
            "h2;isw=262145",
            "h2;mcs=0",
            "h2;mcs=-1",
            "h2;mcs=x",
            "h2;rate=101",
            "h2;rate=%zz",
            "h2;mcs=9223372036854775808",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tls_16_lists() {
        for (items, good) in [
            (&[][..], true),
            (&["http/1.1"], true),
            (&["h2"], false),
            (&["h2;level=2"], true),
            (&["h2;level=2", "http/1.1"], false),
            (&["http/1.1", "http/1.1"], false),
            (&["h2", "h2;rate=50", "http/1.1"], true),
            (&["h2;level=2", "stream;level=2"], false),
            (&["h2;level=1", "http/1.1;level=1"], true),
        ] {
            assert_eq!(list(items).is_ok(), good, "{items:?}");
        }
    }
}
