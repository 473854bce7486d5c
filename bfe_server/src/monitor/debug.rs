//! `/debug`: what Go's profiling pages offer, as far as it means something here (monitor 7).
//!
//! A CPU profile comes in the format of pprof, with function names, so that `go tool pprof` and flame graph
//! tools read it as it is:
//!
//! ```text
//! curl -o cpu.pb.gz 'localhost:8421/debug/pprof/profile?seconds=10'
//! ```

use super::answer::Answer;
use bfe_module::Query;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::{Method, StatusCode};
use pprof::protos::Message as _;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;
use tokio::sync::Mutex;

/// Samples a second. Not a divisor of anything that happens at regular times.
const FREQUENCY: i32 = 99;
/// Seconds of a profile: by default, at most.
const SECONDS: (u64, u64) = (30, 300);
/// One profile at a time.
static PROFILING: Mutex<()> = Mutex::const_new(());

/// The names under `/debug`.
pub(super) const NAMES: [&str; 5] = ["cmdline", "pprof", "profile", "symbol", "trace"];
/// The names under `/debug/pprof/`, and what they are.
const PPROF: [(&str, &str); 3] = [
    ("cmdline", "The arguments that the process was started with"),
    ("profile", "CPU profile in the format of pprof; seconds=N for a duration other than 30 s"),
    ("symbol", "Profiles name their functions themselves; there is nothing to look up"),
];

/// Answers `/debug/NAME`; `None` for an unknown name.
pub(super) async fn answer(name: &str, query: &Query) -> Option<Answer> {
    Some(match name.strip_prefix("pprof/").unwrap_or(name) {
        "cmdline" => plain(command_line()),
        // Go's own tool asks this before it sends addresses.
        "symbol" => plain("num_symbols: 1\n".into()),
        "profile" => profile(query).await,
        "trace" => refuse(StatusCode::NOT_IMPLEMENTED, "there are no execution traces, only profiles"),
        "pprof" if name == "pprof" => Answer::redirect("/debug/pprof/", &Method::GET),
        "" if name == "pprof/" => Answer::html(index()),
        _ if name.starts_with("pprof/") => refuse(StatusCode::NOT_FOUND, "Unknown profile"),
        _ => return None,
    })
}

fn plain(text: Vec<u8>) -> Answer {
    Answer::new("text/plain; charset=utf-8", text).field("x-content-type-options", "nosniff")
}

/// An error as Go's pages tell it.
fn refuse(status: StatusCode, why: &str) -> Answer {
    plain(format!("{why}\n").into_bytes()).status(status).field("x-go-pprof", "1")
}

fn command_line() -> Vec<u8> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let arguments: Vec<_> = arguments.iter().map(|a| a.as_bytes()).collect();
    arguments.join(&0)
}

fn index() -> String {
    let mut page = String::from("<html>\n<head>\n<title>/debug/pprof/</title>\n</head>\n<body>\n");
    for (name, what) in PPROF {
        // Writing to memory cannot fail.
        let _ = writeln!(page, "<p><a href=\"{name}\">{name}</a>: {what}</p>");
    }
    page.push_str("</body></html>");
    page
}

async fn profile(query: &Query) -> Answer {
    let seconds = query.get("seconds").and_then(|s| s.parse().ok()).filter(|s| *s > 0).unwrap_or(SECONDS.0);
    if seconds > SECONDS.1 {
        return refuse(StatusCode::BAD_REQUEST, "profile duration exceeds 300 seconds");
    }
    let taken = match PROFILING.try_lock() {
        Ok(_one) => cpu_profile(Duration::from_secs(seconds)).await,
        Err(_) => Err("Could not enable CPU profiling: cpu profiling already in use".to_owned()),
    };
    match taken {
        Ok(bytes) => Answer::new("application/octet-stream", bytes)
            .field("content-disposition", "attachment; filename=\"profile\"")
            .field("x-content-type-options", "nosniff"),
        Err(why) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}

/// Samples all threads for that long.
async fn cpu_profile(duration: Duration) -> Result<Vec<u8>, String> {
    // Where the unwinder cannot go is not sampled: it might wait for a lock that the thread itself holds.
    let guard = pprof::ProfilerGuardBuilder::default()
        .frequency(FREQUENCY)
        .blocklist(&["libc", "libgcc", "pthread", "vdso"])
        .build()
        .map_err(|e| e.to_string())?;
    log::info!("CPU profile of {duration:?} begins");
    tokio::time::sleep(duration).await;
    // Names are looked up in the debug information, which takes its time.
    let encoded = tokio::task::spawn_blocking(move || {
        let report = guard.report().frames_post_processor(without_sampler).build();
        let report = report.map_err(|e| e.to_string())?;
        drop(guard);
        let profile = report.pprof().map_err(|e| e.to_string())?;
        let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
        let bytes = profile.encode_to_vec();
        zipped.write_all(&bytes).and_then(|()| zipped.finish()).map_err(|e| e.to_string())
    });
    encoded.await.unwrap_or_else(|e| Err(e.to_string()))
}

/// Takes away the frames of the sampler itself: they stand first, and are no part of what was sampled.
fn without_sampler(frames: &mut pprof::Frames) {
    let of_sampler = |frame: &Vec<pprof::Symbol>| frame.iter().any(|s| s.name().contains("pprof::"));
    if let Some(last) = frames.frames.iter().rposition(of_sampler) {
        frames.frames.drain(..=last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_profile_names_functions_and_there_is_one_at_a_time() {
        let query = Query::parse("seconds=1");
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let busy = std::thread::spawn(move || {
            let mut spent = 0u64;
            while !seen.load(Relaxed) {
                for i in 0..10_000u64 {
                    spent = std::hint::black_box(spent.wrapping_mul(31).wrapping_add(i));
                }
            }
            spent
        });
        let first = tokio::spawn(async { cpu_profile(Duration::from_secs(1)).await });
        let held = PROFILING.lock().await;
        let second = answer("pprof/profile", &query).await.unwrap().into_response();
        assert_eq!(second.status(), StatusCode::INTERNAL_SERVER_ERROR);
        drop(held);
        let mut zipped = first.await.unwrap().unwrap();
        let profile = loop {
            let mut bytes = Vec::new();
            flate2::read::GzDecoder::new(zipped.as_slice()).read_to_end(&mut bytes).unwrap();
            let profile = pprof::protos::Profile::decode(bytes.as_slice()).unwrap();
            // On a machine that is busy with other things a second may give us nothing.
            if !profile.sample.is_empty() {
                break profile;
            }
            zipped = cpu_profile(Duration::from_secs(1)).await.unwrap();
        };
        over.store(true, Relaxed);
        busy.join().unwrap();
        assert!(profile.string_table.iter().any(|s| s.contains("bfe_server")), "no names");
        assert!(!profile.string_table.iter().any(|s| s.contains("pprof::")), "the sampler");
    }

    #[tokio::test]
    async fn mon_47_pages_and_refusals() {
        for (name, query, status) in [
            ("cmdline", "", Some(200)),
            ("pprof", "", Some(301)),
            ("pprof/", "", Some(200)),
            ("pprof/symbol", "", Some(200)),
            ("pprof/heap", "", Some(404)),
            ("trace", "", Some(501)),
            ("profile", "seconds=301", Some(400)),
            ("nope", "", None),
            ("?", "", None),
        ] {
            let got = answer(name, &Query::parse(query)).await.map(|a| a.into_response().status().as_u16());
            assert_eq!(got, status, "{name}?{query}");
        }
    }
}
