//! How traces go from program to program: header fields, by format (modules-traffic 8.3).

mod b3;
mod jaeger;
mod w3c;

use super::span::Context;
use bfe_http::{Header, canonical, is_token};

/// Most pairs that go along with a trace.
const MAX_BAGGAGE: usize = 64;

/// The header fields of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `X-B3-*`, as Zipkin has them.
    B3,
    /// `X-B3-*`, as Jaeger has them: ids are not padded.
    JaegerB3,
    /// `Uber-Trace-Id`, or another field.
    Jaeger {
        /// The field as it is written, canonical.
        written: String,
        /// The field as it is read, compared with names in lower case; one with capitals is never found.
        read: String,
    },
    /// `Traceparent`, and Elastic's older field.
    W3c,
}

impl Format {
    /// Jaeger's own format, in that header field; an empty name is the usual one.
    pub(super) fn jaeger(header: &str) -> Self {
        let header = if header.is_empty() { jaeger::HEADER } else { header };
        let written = canonical(header.as_bytes());
        Self::Jaeger { written: String::from_utf8_lossy(&written).into_owned(), read: header.to_owned() }
    }

    /// What a request says about its trace; `None` where it says nothing, or nonsense.
    pub(super) fn extract(&self, header: &Header) -> Option<Context> {
        match self {
            Self::B3 => b3::extract(header),
            Self::JaegerB3 => b3::extract_jaeger(header),
            Self::Jaeger { read, .. } => jaeger::extract(header, read),
            Self::W3c => w3c::extract(header),
        }
    }

    /// Tells the next program.
    pub(super) fn inject(&self, context: &Context, header: &mut Header) {
        match self {
            Self::B3 => b3::inject(context, header),
            Self::JaegerB3 => b3::inject_jaeger(context, header),
            Self::Jaeger { written, .. } => jaeger::inject(context, header, written),
            Self::W3c => w3c::inject(context, header),
        }
    }
}

/// A number of up to 16 hexadecimal digits.
fn hex(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if digits { u64::from_str_radix(text, 16).ok() } else { None }
}

/// The id of a trace, of up to 32 hexadecimal digits: its halves.
fn trace_id(text: &[u8]) -> Option<(u64, u64)> {
    if text.len() > 32 {
        return None;
    }
    match text.len().checked_sub(16).filter(|high| *high > 0) {
        None => Some((0, hex(text)?)),
        Some(high) => {
            let (high, low) = text.split_at_checked(high)?;
            Some((hex(high)?, hex(low)?))
        }
    }
}

/// Writes pairs that go along with a trace. Keys can be anything; those that make no name are left out.
fn baggage(context: &Context, header: &mut Header, prefix: &str, value: impl Fn(&[u8]) -> Vec<u8>) {
    for (key, text) in &context.baggage {
        let name = format!("{prefix}{key}");
        if is_token(name.as_bytes()) {
            header.set(canonical(name.as_bytes()).into_owned(), value(text));
        }
    }
}

/// The id of a trace, padded: 16 digits, or 32.
fn padded(context: &Context) -> String {
    if context.trace_high == 0 {
        format!("{:016x}", context.trace_low)
    } else {
        format!("{:016x}{:016x}", context.trace_high, context.trace_low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn header(fields: &[(&str, &str)]) -> Header {
        let mut header = Header::new();
        for (name, value) in fields {
            let name = canonical(name.as_bytes()).into_owned();
            header.add(name, value.as_bytes().to_vec());
        }
        header
    }

    /// What is written for a context, by name.
    pub(super) fn written(format: &Format, context: &Context) -> Vec<String> {
        let mut header = Header::new();
        format.inject(context, &mut header);
        let mut fields = crate::testing::fields(&header);
        fields.sort();
        fields
    }

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn known() -> Context {
        Context {
            trace_high: 0x0af7_6519_16cd_43dd,
            trace_low: 0x8448_eb21_1c80_319c,
            span: 0xb7ad_6b71_6920_3331,
            sampled: Some(true),
            flags: 1,
            ..Context::default()
        }
    }

    #[test]
    fn trace_5_zipkin() {
        let read = |fields: &[(&str, &str)]| Format::B3.extract(&header(fields));
        let ids = [("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN)];
        let with = |more: &[(&'static str, &'static str)]| [&ids[..], more].concat();
        let of = |sampled, debug| Some(Context { sampled, debug, flags: 0, ..known() });
        assert_eq!(read(&with(&[("X-B3-Sampled", "1")])), of(Some(true), false));
        assert_eq!(read(&with(&[("X-B3-Sampled", "false")])), of(Some(false), false));
        assert_eq!(read(&with(&[])), of(None, false));
        assert_eq!(read(&with(&[("X-B3-Flags", "1")])), of(None, true));
        let narrow = read(&[("X-B3-TraceId", "463ac35c9f6413ad"), ("X-B3-SpanId", SPAN)]).unwrap();
        assert_eq!((narrow.trace_high, narrow.trace_low), (0, 0x463a_c35c_9f64_13ad));
        let decided = Some(Context { sampled: Some(false), ..Context::default() });
        assert_eq!(read(&[("X-B3-Sampled", "0")]), decided);
        assert_eq!(read(&[("b3", "0")]), decided);
        for bad in [
            &[("X-B3-TraceId", "xyz"), ("X-B3-SpanId", SPAN)][..],
            &ids[..1],
            &ids[1..],
            &with(&[("X-B3-Sampled", "maybe")]),
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        // The single field loses a bit of the trace's id, as in the reference.
        let single = format!("{TRACE}-{SPAN}-1");
        let low = 0x0448_eb21_1c80_319c;
        assert_eq!(read(&[("b3", &single)]), Some(Context { trace_low: low, flags: 0, ..known() }));

        let child = Context { parent: 7, ..known() };
        assert_eq!(
            written(&Format::B3, &child),
            [
                "X-B3-Parentspanid: 0000000000000007",
                "X-B3-Sampled: 1",
                &format!("X-B3-Spanid: {SPAN}"),
                &format!("X-B3-Traceid: {TRACE}")
            ]
        );
        let debug = Context { debug: true, ..known() };
        assert_eq!(written(&Format::B3, &debug)[0], "X-B3-Flags: 1");
    }

    #[test]
    fn trace_4_jaeger_with_b3() {
        let read = |fields: &[(&str, &str)]| Format::JaegerB3.extract(&header(fields));
        let ids = [("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN)];
        let with = |more: &[(&'static str, &'static str)]| [&ids[..], more].concat();
        for (more, sampled) in [
            (&[("X-B3-Sampled", "1")][..], true),
            (&[("X-B3-Sampled", "0")], false),
            (&[("X-B3-Flags", "1")], false),
            (&[], false),
        ] {
            let want = Context { sampled: Some(sampled), flags: 0, ..known() };
            assert_eq!(read(&with(more)), Some(want), "{more:?}");
        }
        assert_eq!(read(&[("b3", "0")]), None);
        assert_eq!(read(&[("X-B3-TraceId", "xyz"), ids[1]]), None);
        let baggage = read(&with(&[("Baggage-K", "v")])).unwrap();
        assert_eq!(baggage.baggage, [("k".to_owned(), b"v".to_vec())]);
        let child = Context { parent: 7, sampled: Some(false), ..baggage };
        assert_eq!(
            written(&Format::JaegerB3, &child),
            [
                "Baggage-K: v",
                "X-B3-Parentspanid: 7",
                "X-B3-Sampled: 0",
                &format!("X-B3-Spanid: {SPAN}"),
                "X-B3-Traceid: af7651916cd43dd8448eb211c80319c"
            ]
        );
    }

    #[test]
    fn trace_3_jaeger() {
        let format = Format::jaeger("");
        let read = |name: &str, value: &str| format.extract(&header(&[(name, value)]));
        let of = |sampled| Some(Context { sampled: Some(sampled), flags: 0, ..known() });
        assert_eq!(read("Uber-Trace-Id", &format!("{TRACE}:{SPAN}:0:1")), of(true));
        assert_eq!(read("uber-trace-id", &format!("{TRACE}%3A{SPAN}%3A0%3A0")), of(false));
        for bad in ["a:b", "x:1:0:1", &format!("{TRACE}0:{SPAN}:0:1"), "1:1:0:300", "0:0:0:1"] {
            assert_eq!(read("Uber-Trace-Id", bad), None, "{bad}");
        }
        let debug = Some(Context { debug_id: Some("d1".into()), ..Context::default() });
        assert_eq!(read("jaeger-debug-id", "d1"), debug);
        let all = header(&[
            ("uber-trace-id", &format!("{TRACE}:{SPAN}:0:3")),
            ("uberctx-user", "a%20b"),
            ("jaeger-baggage", "k1=v1, k2=v2"),
        ]);
        let all = format.extract(&all).unwrap();
        let pair = |k: &str, v: &str| (k.to_owned(), v.as_bytes().to_vec());
        assert_eq!(all.baggage, [pair("user", "a b"), pair("k1", "v1"), pair("k2", "v2")]);
        assert!(all.debug);
        assert_eq!(
            written(&format, &Context { parent: 7, ..all }),
            [
                &format!("Uber-Trace-Id: {TRACE}:{SPAN}:0000000000000007:3"),
                "Uberctx-K1: v1",
                "Uberctx-K2: v2",
                "Uberctx-User: a+b"
            ]
        );
        // Keys that would end the line they stand in.
        let evil = header(&[("jaeger-baggage", "a%0d%0aX%3A%20y=1,b%20c=2,b%3ac=3,ok=%0d%0aZ")]);
        let evil = Context { span: 1, trace_low: 1, ..format.extract(&evil).unwrap() };
        let fields = written(&format, &evil);
        assert_eq!(fields[1..], ["Uberctx-Ok: Z"], "{fields:?}");
        let many = "k=v,".repeat(100_000);
        let many = format.extract(&header(&[("jaeger-baggage", &many), ("uberctx-k", "v")])).unwrap();
        assert_eq!(many.baggage.len(), MAX_BAGGAGE);
        // A configured name with capitals is written, and never found.
        let other = Format::jaeger("X-Trace-Me");
        let value = format!("{TRACE}:{SPAN}:0:1");
        assert_eq!(other.extract(&header(&[("X-Trace-Me", &value)])), None);
        assert_eq!(Format::jaeger("x-trace-me").extract(&header(&[("X-Trace-Me", &value)])), of(true));
        assert_eq!(written(&other, &known()), [format!("X-Trace-Me: {TRACE}:{SPAN}:0000000000000000:1")]);
    }

    #[test]
    fn elastic() {
        let read = |fields: &[(&str, &str)]| Format::W3c.extract(&header(fields));
        let parent = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(read(&[("traceparent", &parent)]), Some(known()));
        assert_eq!(read(&[("Elastic-Apm-Traceparent", &parent)]), Some(known()));
        let unsampled =
            read(&[("traceparent", &parent.replace("-01", "-00")), ("tracestate", "a=b,es=s:0.5")]);
        let unsampled = unsampled.unwrap();
        assert_eq!((unsampled.sampled, unsampled.state.as_slice()), (Some(false), &b"a=b,es=s:0.5"[..]));
        for bad in [
            format!("00-{TRACE}-01"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("{parent}-x"),
        ] {
            assert_eq!(read(&[("traceparent", &bad)]), None, "{bad}");
        }
        // The first span of a trace says what share of all it stands for.
        let fields = |more: &str| {
            let all = format!("Elastic-Apm-Traceparent: {parent}|Traceparent: {parent}{more}");
            all.split('|').map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(written(&Format::W3c, &known()), fields("|Tracestate: es=s:1"));
        let child = Context { parent: 7, ..known() };
        assert_eq!(written(&Format::W3c, &child), fields(""));
        let child = Context { state: b"a=b".to_vec(), ..child };
        assert_eq!(written(&Format::W3c, &child), fields("|Tracestate: a=b"));
    }
}
