//! Text files of addresses: a line is a network (`10.0.0.0/8`), two ends of a range, or one address; `#`
//! begins a comment line. The first line may tell the version and how many entries there are:
//! `#{"version": "v1", "singleIPNum": 10, "pairIPNum": 2}`.

use super::{InsertError, IpDict, IpDictBuilder};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Lines that are longer are refused.
const MAX_LINE: usize = 64 << 10;
/// Only this much of the first line is looked at for the announcement.
const MAX_FIRST_LINE: usize = 4096;

/// Why a file was not loaded, and for which of its lines.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct LoadError {
    /// Number of the line, from 1; none for the file as a whole.
    pub line: Option<u32>,
    /// What is wrong.
    pub reason: LoadReason,
}

impl LoadError {
    fn of_line(line: usize, reason: impl Into<LoadReason>) -> Self {
        Self { line: u32::try_from(line).ok(), reason: reason.into() }
    }

    fn of_file(reason: LoadReason) -> Self {
        Self { line: None, reason }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadReason {
    /// It has the version that is in use already.
    #[error("Version no change no need update")]
    SameVersion,
    /// It could not be read.
    #[error("loadFile(): {file} {error}")]
    Read {
        /// Path of the file.
        file: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// A line is none of the forms. The announcement is missing, so that all lines were checked at once.
    #[error(
        "loadFile(): {file} checkLine(): line[{line}] err[checkLine(): err, checkSplit(): line {line} format err]"
    )]
    Unannounced {
        /// Path of the file.
        file: String,
        /// The line.
        line: String,
    },
    /// A line is none of the forms.
    #[error("loadFile(): err, checkLine(): err, checkSplit(): line {line} format err")]
    Line {
        /// The line.
        line: String,
    },
    /// A line is longer than 64 KiB.
    #[error("loadFile(): err, bufio.Scanner: token too long")]
    LongLine,
    /// An entry was refused.
    #[error("loadFile(): err, {0}")]
    Insert(#[from] InsertError),
    /// The last address of an IPv6 network begins with zeros, which the format cannot take.
    #[error("loadFile(): err, InsertPair failed: invalid endIP: {0}")]
    Network(String),
}

/// A file that has been loaded, perhaps in part.
#[derive(Debug)]
pub struct Loaded {
    /// The entries.
    pub dict: IpDict,
    /// Whether loading stopped because there are more entries than announced or allowed; the reference
    /// reports that as an error `Max line exceed`, with the dictionary so far.
    pub exceeded: bool,
}

/// Loads a file, see [`load_text`].
///
/// # Errors
/// When it cannot be read, is malformed, or has the version in use.
pub fn load_file(path: &Path, max_lines: Option<usize>, version: &str) -> Result<Loaded, LoadError> {
    let file = path.display().to_string();
    let text = std::fs::read(path)
        .map_err(|error| LoadError::of_file(LoadReason::Read { file: file.clone(), error }))?;
    load_text(&text, &file, max_lines, version)
}

/// Loads the text of a file, whose name is for error messages.
///
/// `max_lines` limits the entries: the one that exceeds it is kept, the rest is dropped. The same holds for
/// the numbers that the file announces. A `version` that is not empty and equals the file's stops the load.
///
/// # Errors
/// When a line is malformed, or the file has the version in use.
pub fn load_text(
    text: &[u8],
    file: &str,
    max_lines: Option<usize>,
    version: &str,
) -> Result<Loaded, LoadError> {
    let announced = match announcement(text) {
        Some(announced) => announced,
        None => count(text, file)?,
    };
    let (mut singles, mut ranges) = (announced.singles, announced.ranges);
    if let Some(max) = max_lines.filter(|max| singles.saturating_add(ranges) > *max) {
        (singles, ranges) = (max, max);
    }
    if !announced.version.is_empty() && announced.version == version {
        return Err(LoadError::of_file(LoadReason::SameVersion));
    }
    let mut builder = IpDictBuilder::new(singles);
    let (mut seen_singles, mut seen_ranges) = (0, 0);
    let mut exceeded = false;
    for line in lines(text) {
        let (number, line) = line?;
        match entry(&line).ok_or_else(|| LoadError::of_line(number, LoadReason::Line { line }))? {
            Entry::Single(ip) => {
                builder.insert_single(ip).map_err(|e| LoadError::of_line(number, e))?;
                seen_singles += 1;
            }
            Entry::Range(start, end) => {
                builder.insert_range(start, end).map_err(|e| LoadError::of_line(number, e))?;
                seen_ranges += 1;
            }
            Entry::BadNetwork(end) => return Err(LoadError::of_line(number, LoadReason::Network(end))),
        }
        exceeded = max_lines.is_some_and(|max| seen_singles + seen_ranges > max)
            || seen_singles > singles
            || seen_ranges > ranges;
        if exceeded {
            break;
        }
    }
    Ok(Loaded { dict: builder.build(announced.version), exceeded })
}

/// What the first line tells, or what was counted instead.
struct Announcement {
    version: String,
    singles: usize,
    ranges: usize,
}

/// Reads the announcement; `None` where there is none, or none that is complete.
fn announcement(text: &[u8]) -> Option<Announcement> {
    let line = text.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line.get(..MAX_FIRST_LINE).unwrap_or(line));
    let json = line.trim_matches([' ', '\t', '\r', '\n']).strip_prefix('#')?.trim_matches('#');
    let first = serde_json::Deserializer::from_str(json).into_iter::<Value>().next()?.ok()?;
    let object = first.as_object()?;
    let field = |name: &str| {
        object.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let number = |name: &str| usize::try_from(field(name)?.as_u64()?).ok();
    let version = field("version")?.as_str().filter(|v| !v.is_empty())?.to_owned();
    Some(Announcement { version, singles: number("singleIPNum")?, ranges: number("pairIPNum")? })
}

fn count(text: &[u8], file: &str) -> Result<Announcement, LoadError> {
    let mut counted = Announcement { version: String::new(), singles: 0, ranges: 0 };
    for line in lines(text) {
        let (number, line) = line?;
        match entry(&line) {
            Some(Entry::Single(_)) => counted.singles += 1,
            Some(Entry::Range(..) | Entry::BadNetwork(_)) => counted.ranges += 1,
            None => {
                let reason = LoadReason::Unannounced { file: file.to_owned(), line };
                return Err(LoadError::of_line(number, reason));
            }
        }
    }
    Ok(counted)
}

/// Lines with an entry, without blanks around it, and their numbers.
fn lines(text: &[u8]) -> impl Iterator<Item = Result<(usize, String), LoadError>> {
    text.split(|b| *b == b'\n').zip(1..).filter_map(|(line, number)| {
        if line.len() >= MAX_LINE {
            return Some(Err(LoadError::of_line(number, LoadReason::LongLine)));
        }
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let line = line.trim_matches([' ', '\t']);
        (!line.is_empty() && !line.starts_with('#')).then(|| Ok((number, line.to_owned())))
    })
}

enum Entry {
    Single(IpAddr),
    Range(IpAddr, IpAddr),
    /// A network with a last address that has too few bytes; its text.
    BadNetwork(String),
}

fn entry(line: &str) -> Option<Entry> {
    if let Some(network) = network(line) {
        return Some(network);
    }
    let split = |separator: char| {
        let (start, end) = line.split_once(separator).unwrap_or((line, line));
        let parse = |text: &str| text.trim_matches([' ', '\t']).parse::<IpAddr>().ok();
        Some((parse(start)?, parse(end)?))
    };
    let (start, end) = split(' ').or_else(|| split('\t'))?;
    Some(if start.to_canonical() == end.to_canonical() {
        Entry::Single(start)
    } else {
        Entry::Range(start, end)
    })
}

/// A network in CIDR form, masked to its first and last address.
fn network(line: &str) -> Option<Entry> {
    let (address, bits) = line.split_once('/')?;
    if bits.len() > 1 && bits.starts_with('0') || !bits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bits: u32 = bits.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(v4) => {
            let hosts = u32::MAX.checked_shr(bits).unwrap_or(0);
            let start = u32::from(v4) & !hosts;
            (bits <= 32).then(|| between(Ipv4Addr::from(start).into(), Ipv4Addr::from(start | hosts).into()))
        }
        IpAddr::V6(v6) => {
            let hosts = u128::MAX.checked_shr(bits).unwrap_or(0);
            let (start, end) = (u128::from(v6) & !hosts, u128::from(v6) | hosts);
            (bits <= 128).then(|| match end.leading_zeros() / 8 {
                0 => between(Ipv6Addr::from(start).into(), Ipv6Addr::from(end).into()),
                // The reference loses leading zeros of the last address. Four bytes are taken for IPv4.
                12 => Entry::Range(Ipv6Addr::from(start).into(), Ipv4Addr::from_bits(end as u32).into()),
                16 => Entry::BadNetwork("<nil>".into()),
                _ => {
                    let digits = format!("{end:x}");
                    let pad = if digits.len() % 2 == 1 { "0" } else { "" };
                    Entry::BadNetwork(format!("?{pad}{digits}"))
                }
            })
        }
    }
}

fn between(start: IpAddr, end: IpAddr) -> Entry {
    if start == end { Entry::Single(start) } else { Entry::Range(start, end) }
}
