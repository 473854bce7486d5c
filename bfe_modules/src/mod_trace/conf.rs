//! `mod_trace.conf`.

use super::export::Destination;
use super::propagate::Format;
use super::remote::Remote;
use super::sampler::Sampler;
use crate::module_conf;
use bfe_basic::conf::ini::{self, Ini, Section};
use bfe_basic::conf::{ConfErrors, Faults};
use std::path::{Path, PathBuf};

/// The checked configuration.
pub(super) struct Conf {
    pub(super) data_path: PathBuf,
    pub(super) service_name: String,
    pub(super) format: Format,
    /// Whether new traces have ids of 128 bits.
    pub(super) wide_ids: bool,
    pub(super) sampler: Sampler,
    pub(super) destination: Destination,
}

#[derive(Default)]
struct Zipkin {
    endpoint: String,
    same_span: bool,
    wide_ids: bool,
    rate: String,
}

#[derive(Default)]
struct Jaeger {
    sampling_server: String,
    sampling_type: String,
    sampling_param: String,
    agent: String,
    propagation: String,
    wide_ids: bool,
    header: String,
    collector: String,
    user: String,
    password: String,
}

#[derive(Default)]
struct Elastic {
    server: String,
    token: String,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut data_path, mut service_name, mut agent) = (String::new(), String::new(), String::new());
    let (mut debug, mut otlp) = (false, String::new());
    // Numbers are 0 without their key; with the key and nothing behind it they are none.
    let mut zipkin = Zipkin { rate: "0".to_owned(), ..Zipkin::default() };
    let mut jaeger = Jaeger { sampling_param: "0".to_owned(), ..Jaeger::default() };
    let mut elastic = Elastic::default();
    let ini = ini::read_file(
        &module_conf::file(conf_root, "mod_trace"),
        &mut [
            Section::new("Basic")
                .string("DataPath", &mut data_path)
                .string("ServiceName", &mut service_name)
                .string("TraceAgent", &mut agent),
            Section::new("Log").bool("OpenDebug", &mut debug),
            Section::new("Otlp").string("Endpoint", &mut otlp),
            Section::new("Zipkin")
                .string("HTTPEndpoint", &mut zipkin.endpoint)
                .bool("SameSpan", &mut zipkin.same_span)
                .bool("ID128Bit", &mut zipkin.wide_ids)
                .string("SampleRate", &mut zipkin.rate),
            Section::new("Jaeger")
                .string("SamplingServerURL", &mut jaeger.sampling_server)
                .string("SamplingType", &mut jaeger.sampling_type)
                .string("SamplingParam", &mut jaeger.sampling_param)
                .string("LocalAgentHostPort", &mut jaeger.agent)
                .string("Propagation", &mut jaeger.propagation)
                .bool("Gen128Bit", &mut jaeger.wide_ids)
                .string("TraceContextHeaderName", &mut jaeger.header)
                .string("CollectorEndpoint", &mut jaeger.collector)
                .string("CollectorUser", &mut jaeger.user)
                .string("CollectorPassword", &mut jaeger.password),
            Section::new("Elastic")
                .string("ServerURL", &mut elastic.server)
                .string("SecretToken", &mut elastic.token),
        ],
    )?;
    let mut faults = Faults::new();
    // Numbers are checked whichever agent is used: the file has to have the right types.
    let rate = number(&ini, &mut faults, "Zipkin", "SampleRate", &zipkin.rate);
    let param = number(&ini, &mut faults, "Jaeger", "SamplingParam", &jaeger.sampling_param);
    let agent = match agent.as_str() {
        "" => Err(ini.error("Basic", "TraceAgent", "TraceAgent not set")),
        "zipkin" => of_zipkin(&ini, &zipkin, rate),
        "jaeger" => of_jaeger(&ini, &jaeger, param, &service_name),
        "elastic" => Ok(of_elastic(&elastic)),
        other => {
            let reason = format!("{other} is not supported, expected zipkin, jaeger or elastic");
            Err(ini.error("Basic", "TraceAgent", reason))
        }
    };
    match (faults.into_result(), agent) {
        (Err(errors), _) => Err(errors),
        (Ok(()), Err(error)) => Err(error.into()),
        (Ok(()), Ok(agent)) => Ok(Conf {
            data_path: module_conf::resolve(conf_root, &data_path, "mod_trace/trace_rule.data"),
            service_name,
            format: agent.format,
            wide_ids: agent.wide_ids,
            sampler: agent.sampler,
            destination: if otlp.is_empty() { agent.destination } else { Destination::otlp(&otlp, None) },
        }),
    }
}

/// What an agent's section says.
struct Agent {
    format: Format,
    wide_ids: bool,
    sampler: Sampler,
    destination: Destination,
}

fn number(ini: &Ini, faults: &mut Faults, section: &'static str, key: &'static str, text: &str) -> f64 {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number,
        _ => {
            faults.push(ini.error(section, key, format!("{text:?} is not a number")));
            0.0
        }
    }
}

fn of_zipkin(ini: &Ini, zipkin: &Zipkin, rate: f64) -> Result<Agent, bfe_basic::conf::ConfError> {
    let sampler = if rate == 0.0 {
        Sampler::Never
    } else if rate == 1.0 {
        Sampler::Always
    } else if (0.0001..1.0).contains(&rate) {
        Sampler::share(rate)
    } else {
        let reason = format!("{rate} is neither 0 nor between 0.0001 and 1");
        return Err(ini.error("Zipkin", "SampleRate", reason));
    };
    // Spans of servers could share the client's id, but these have no kind: SameSpan changes nothing.
    let _ = zipkin.same_span;
    Ok(Agent {
        format: Format::B3,
        wide_ids: zipkin.wide_ids,
        sampler,
        destination: Destination::zipkin(&zipkin.endpoint),
    })
}

fn of_jaeger(
    ini: &Ini,
    jaeger: &Jaeger,
    param: f64,
    service_name: &str,
) -> Result<Agent, bfe_basic::conf::ConfError> {
    let error = |key, reason: String| Err(ini.error("Jaeger", key, reason));
    if service_name.is_empty() {
        return Err(ini.error("Basic", "ServiceName", "no service name provided"));
    }
    if !jaeger.header.is_empty() && !bfe_http::is_token(jaeger.header.as_bytes()) {
        return error("TraceContextHeaderName", format!("{:?} is no name of a header field", jaeger.header));
    }
    let format = match jaeger.propagation.as_str() {
        "" | "jaeger" => Format::jaeger(&jaeger.header),
        "b3" => Format::JaegerB3,
        other => {
            let reason = format!("unknown propagation format: {other}, expected jaeger or b3");
            return error("Propagation", reason);
        }
    };
    if jaeger.collector.is_empty() && !jaeger.agent.is_empty() && !jaeger.agent.contains(':') {
        return error("LocalAgentHostPort", format!("address {}: missing port in address", jaeger.agent));
    }
    let sampling = jaeger.sampling_type.to_ascii_lowercase();
    let sampler = match sampling.as_str() {
        "const" if param == 0.0 => Sampler::Never,
        "const" => Sampler::Always,
        "ratelimiting" => Sampler::rate_limiting(param),
        "probabilistic" | "remote" | "" => {
            if !(0.0..=1.0).contains(&param) {
                return error("SamplingParam", format!("{param} is not between 0 and 1"));
            }
            let share = Sampler::share(param);
            if sampling == "probabilistic" {
                share
            } else {
                Sampler::Remote(Remote::new(share, &jaeger.sampling_server, service_name))
            }
        }
        _ => return error("SamplingType", format!("unknown sampler type {:?}", jaeger.sampling_type)),
    };
    Ok(Agent {
        format,
        wide_ids: jaeger.wide_ids,
        sampler,
        destination: Destination::jaeger(&jaeger.collector, &jaeger.agent, &jaeger.user, &jaeger.password),
    })
}

fn of_elastic(elastic: &Elastic) -> Agent {
    Agent {
        format: Format::W3c,
        wide_ids: true,
        sampler: Sampler::Always,
        destination: Destination::elastic(&elastic.server, &elastic.token),
    }
}
