//! Jaeger's remote sampling: a server says which new traces are reported, and is asked again each minute.

use super::export::Target;
use super::sampler::{Operation, Sampler};
use arc_swap::ArcSwap;
use bfe_http::url::escape_query;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

/// How often the server is asked.
const REFRESH: Duration = Duration::from_secs(60);
/// Operations that are told apart beside those that the server names.
const MAX_OPERATIONS: usize = 2000;
const DEFAULT_URL: &str = "http://localhost:5778/sampling";

/// What a sampling server says.
#[derive(Debug)]
pub(super) struct Remote {
    strategy: ArcSwap<Strategy>,
    url: String,
    target: Result<Target, &'static str>,
}

#[derive(Debug)]
enum Strategy {
    /// The same for all operations.
    One(Sampler),
    ByOperation(Operations),
}

/// A share of each operation, and at least so many in a second.
#[derive(Debug)]
struct Operations {
    known: Mutex<HashMap<Vec<u8>, Arc<Guaranteed>>>,
    /// How many may become known.
    most: usize,
    share: f64,
    per_second: f64,
    /// Those that are too many to be told apart.
    others: Sampler,
}

#[derive(Debug)]
struct Guaranteed {
    share: Sampler,
    at_least: Sampler,
}

/// The server's answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    probabilistic_sampling: Option<Probabilistic>,
    rate_limiting_sampling: Option<RateLimiting>,
    operation_sampling: Option<OperationSampling>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Probabilistic {
    sampling_rate: f64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RateLimiting {
    max_traces_per_second: f64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct OperationSampling {
    default_sampling_probability: f64,
    default_lower_bound_traces_per_second: f64,
    per_operation_strategies: Option<Vec<OneOperation>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct OneOperation {
    operation: String,
    probabilistic_sampling: Option<Probabilistic>,
}

// === impl Remote ===

impl Remote {
    /// Until the server at `url` has said something about `service`, `first` decides.
    pub(super) fn new(first: Sampler, url: &str, service: &str) -> Arc<Self> {
        let url = if url.is_empty() { DEFAULT_URL } else { url };
        let service = String::from_utf8_lossy(&escape_query(service.as_bytes())).into_owned();
        let target = Target::parse(&format!("{url}?service={service}"), None);
        let strategy = ArcSwap::from_pointee(Strategy::One(first));
        Arc::new(Self { strategy, url: url.to_owned(), target })
    }

    /// Starts the thread that asks. A server that is none is told to the server log, and nobody is asked.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        if let Err(reason) = &self.target {
            log::warn!("mod_trace: {:?}: {reason}; no sampling server is asked", self.url);
            return Ok(());
        }
        let remote = Arc::clone(self);
        thread::Builder::new().name("trace-sampling".into()).spawn(move || remote.run()).map(drop)
    }

    fn run(&self) {
        let (mut last, mut is_failing) = (Vec::new(), false);
        loop {
            let result = self.refresh(&mut last);
            match &result {
                Ok(()) if is_failing => log::info!("mod_trace: {}: answers again", self.url),
                Err(reason) if !is_failing => {
                    log::warn!("mod_trace: {}: {reason}; sampling stays as it is", self.url);
                }
                _ => {}
            }
            is_failing = result.is_err();
            thread::sleep(REFRESH);
        }
    }

    /// Asks. The same answer as the `last` time changes nothing: what has been saved up stays.
    fn refresh(&self, last: &mut Vec<u8>) -> Result<(), String> {
        let target = self.target.as_ref().map_err(|e| (*e).to_owned())?;
        let answer = target.get().map_err(|e| e.to_string())?;
        if answer != *last {
            self.strategy.store(Arc::new(Strategy::read(&answer)?));
            *last = answer;
        }
        Ok(())
    }

    /// Whether a new trace is reported; `id` is a random number.
    pub(super) fn decide(&self, id: u64, operation: Operation<'_>) -> bool {
        match &**self.strategy.load() {
            Strategy::One(sampler) => sampler.decide(id, operation),
            Strategy::ByOperation(operations) => operations.decide(id, operation),
        }
    }
}

// === impl Strategy ===

impl Strategy {
    /// Reads an answer. Of several strategies the finest counts.
    fn read(answer: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(answer).map_err(|e| format!("its answer: {e}"))?;
        if let Some(operations) = answer.operation_sampling {
            return Operations::new(operations).map(Self::ByOperation);
        }
        if let Some(probabilistic) = answer.probabilistic_sampling {
            return share(probabilistic.sampling_rate).map(Self::One);
        }
        let rate = answer.rate_limiting_sampling.ok_or("its answer has no strategy that is known")?;
        Ok(Self::One(Sampler::rate_limiting(rate.max_traces_per_second)))
    }
}

fn share(share: f64) -> Result<Sampler, String> {
    if (0.0..=1.0).contains(&share) {
        return Ok(Sampler::share(share));
    }
    Err(format!("its answer: {share} is not between 0 and 1"))
}

// === impl Operations ===

impl Operations {
    fn new(said: OperationSampling) -> Result<Self, String> {
        let per_second = said.default_lower_bound_traces_per_second;
        let mut known = HashMap::new();
        for one in said.per_operation_strategies.unwrap_or_default() {
            let Some(probabilistic) = one.probabilistic_sampling else { continue };
            known.insert(
                one.operation.into_bytes(),
                Guaranteed::new(probabilistic.sampling_rate, per_second)?,
            );
        }
        let (share_of_others, most) = (said.default_sampling_probability, known.len().max(MAX_OPERATIONS));
        let others = share(share_of_others)?;
        Ok(Self { known: Mutex::new(known), most, share: share_of_others, per_second, others })
    }

    fn decide(&self, id: u64, operation: Operation<'_>) -> bool {
        match self.of(operation.name()) {
            Some(one) => one.decide(id, operation),
            None => self.others.decide(id, operation),
        }
    }

    fn of(&self, name: Vec<u8>) -> Option<Arc<Guaranteed>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = known.get(&name) {
            return Some(Arc::clone(one));
        }
        if known.len() >= self.most {
            return None;
        }
        let one = Guaranteed::new(self.share, self.per_second).ok()?;
        known.insert(name, Arc::clone(&one));
        Some(one)
    }
}

impl Guaranteed {
    fn new(of_all: f64, per_second: f64) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self { share: share(of_all)?, at_least: Sampler::rate_limiting(per_second) }))
    }

    /// What the share takes counts towards what there has to be at least.
    fn decide(&self, id: u64, operation: Operation<'_>) -> bool {
        let at_least = self.at_least.decide(id, operation);
        self.share.decide(id, operation) || at_least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    const LATE: u64 = u64::MAX;

    fn operation(path: &str) -> Operation<'_> {
        Operation { host: b"h", path: path.as_bytes() }
    }

    fn of(answer: &str) -> Result<Remote, String> {
        let strategy = ArcSwap::from_pointee(Strategy::read(answer.as_bytes())?);
        Ok(Remote { strategy, url: String::new(), target: Err("") })
    }

    #[test]
    fn trace_8_answers_of_a_sampling_server() {
        let all =
            of(r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1}}"#).unwrap();
        assert!(all.decide(LATE, operation("/a")));
        let none = of(r#"{"strategyType":0,"probabilisticSampling":{"samplingRate":0}}"#).unwrap();
        assert!(!none.decide(LATE, operation("/a")));
        let two = of(r#"{"rateLimitingSampling":{"maxTracesPerSecond":2}}"#).unwrap();
        assert_eq!([(); 3].map(|()| two.decide(0, operation("/a"))), [true, true, false]);
        for (answer, want) in [
            ("", "EOF"),
            ("{}", "no strategy"),
            (r#"{"probabilisticSampling":{"samplingRate":2}}"#, "2 is not between 0 and 1"),
            (r#"{"operationSampling":{"defaultSamplingProbability":-1}}"#, "-1 is not"),
        ] {
            let error = of(answer).unwrap_err();
            assert!(error.contains(want), "{answer}: {error}");
        }
    }

    #[test]
    fn trace_8_operations_have_shares_of_their_own() {
        let remote = of(r#"{"probabilisticSampling":{"samplingRate":1},"operationSampling":{
            "defaultSamplingProbability":0,"defaultLowerBoundTracesPerSecond":0.001,"perOperationStrategies":[
                {"operation":"h/all","probabilisticSampling":{"samplingRate":1}},{"operation":"h/odd"}]}}"#)
        .unwrap();
        let decide = |path: &str| remote.decide(LATE, operation(path));
        assert_eq!(["/all", "/all", "/all"].map(decide), [true; 3]);
        assert_eq!(["/a", "/a", "/b", "/odd"].map(decide), [true, false, true, true], "one each at least");
        for i in 0..2 * MAX_OPERATIONS {
            decide(&format!("/{i}"));
        }
        assert!(!decide("/one more"));
        let Strategy::ByOperation(operations) = &**remote.strategy.load() else { panic!() };
        assert_eq!(operations.known.lock().unwrap().len(), MAX_OPERATIONS);
    }

    #[test]
    fn trace_8_a_sampling_server_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/sampling", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let answers = [
                "HTTP/1.0 500 No\r\n\r\n",
                "HTTP/1.0 200 OK\r\n\r\n{\"probabilisticSampling\":{\"samplingRate\":1}}\n",
                "HTTP/1.0 200 OK\r\n\r\n[]",
            ];
            answers.map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut head, mut piece) = (Vec::new(), [0; 512]);
                while !head.ends_with(b"\r\n\r\n") {
                    let n = stream.read(&mut piece).unwrap();
                    head.extend_from_slice(&piece[..n]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8(head).unwrap().lines().next().unwrap().to_owned()
            })
        });
        let remote = Remote::new(Sampler::Never, &url, "a b&c");
        let mut last = Vec::new();
        assert!(remote.refresh(&mut last).unwrap_err().contains("500"));
        assert!(!remote.decide(LATE, operation("/a")));
        assert_eq!(remote.refresh(&mut last), Ok(()));
        assert!(remote.decide(LATE, operation("/a")));
        assert!(remote.refresh(&mut last).unwrap_err().contains("its answer"));
        assert!(remote.decide(LATE, operation("/a")), "a wrong answer changes nothing");
        assert_eq!(server.join().unwrap(), ["GET /sampling?service=a+b%26c HTTP/1.0"; 3]);
    }
}
