//! A load generator that keeps its pace: requests are due at fixed times, whether the answers keep up or not, and the
//! latency of a request counts from when it was due. So a stall costs all the requests that fell into it.
//!
//! A thread for each connection, no crates: `tests/bench` builds it with `rustc -O`.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer may take; and how long after the last request was due the last answer may come. A load that
/// nobody can bear has no latency.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for all threads to connect.
const AHEAD: Duration = Duration::from_millis(200);
const USAGE: &str = "usage: paced ADDRESS:PORT PATH BODY-BYTES CONNECTIONS REQUESTS/SECOND SECONDS";

type Fault = Box<dyn std::error::Error + Send + Sync>;

struct Plan {
    address: String,
    path: String,
    body: usize,
    connections: u32,
    rate: f64,
    seconds: f64,
}

fn main() -> ExitCode {
    match plan().and_then(|plan| run(&plan)) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn plan() -> Result<Plan, Fault> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, path, body, connections, rate, seconds] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let plan = Plan {
        address: address.clone(),
        path: path.clone(),
        body: body.parse()?,
        connections: connections.parse()?,
        rate: rate.parse()?,
        seconds: seconds.parse()?,
    };
    let sound = plan.connections > 0 && plan.rate > 0.0 && plan.seconds > 0.0;
    if sound { Ok(plan) } else { Err(USAGE.into()) }
}

/// Runs all connections; the result as JSON, times in microseconds.
fn run(plan: &Plan) -> Result<String, Fault> {
    let start = Instant::now() + AHEAD;
    let results = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..plan.connections).map(|index| scope.spawn(move || connection(plan, index, start))).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err("a thread panicked".into())))
            .collect::<Vec<_>>()
    });
    let mut times = Vec::new();
    for result in results {
        times.append(&mut result?);
    }
    times.sort_unstable();
    let count = times.len();
    let at = |percent: usize| times.get(count * percent / 100).copied().unwrap_or_default();
    Ok(format!(r#"{{"requests":{count},"p50":{},"p99":{}}}"#, at(50), at(99)))
}

/// One connection: its share of the requests, evenly spread between those of the others.
fn connection(plan: &Plan, index: u32, start: Instant) -> Result<Vec<u32>, Fault> {
    let mut stream = TcpStream::connect(&plan.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", plan.path, plan.address);
    let end = start + Duration::from_secs_f64(plan.seconds);
    let mut buffer = vec![0; plan.body + 8192];
    let mut times = Vec::new();
    for number in 0u32.. {
        let place = f64::from(number) * f64::from(plan.connections) + f64::from(index);
        let due = start + Duration::from_secs_f64(place / plan.rate);
        if due >= end {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(request.as_bytes())?;
        answer(&mut stream, &mut buffer, plan.body)?;
        let now = Instant::now();
        if now > end + PATIENCE {
            return Err(format!("{:.0} requests a second are too many", plan.rate).into());
        }
        times.push(u32::try_from((now - due).as_micros())?);
    }
    Ok(times)
}

/// Reads one answer, which has to be a 200 with a body of that length.
fn answer(stream: &mut TcpStream, buffer: &mut [u8], body: usize) -> Result<(), Fault> {
    let mut filled = 0;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        let count = stream.read(free).map_err(|e| format!("no answer: {e}"))?;
        if count == 0 {
            return Err("the connection was closed, or the answer is too long".into());
        }
        filled += count;
        let got = buffer.get(..filled).unwrap_or_default();
        let Some(head) = got.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        if !got.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("no 200: {}", String::from_utf8_lossy(got)).into());
        }
        match got.len().cmp(&(head + 4 + body)) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Ok(()),
            std::cmp::Ordering::Greater => return Err(format!("more than {body} bytes of body").into()),
        }
    }
}
