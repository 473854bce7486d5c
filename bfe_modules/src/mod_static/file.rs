//! Files: finding and opening them, on a thread where waiting for a disk holds nobody up, and reading them
//! piece by piece.

use super::mod_static_state as state;
use super::rule::Site;
use bfe_http::{BodyError, BodyStream};
use bytes::Bytes;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;
use tokio::task::JoinHandle;

/// Bytes that are read at once; files up to this size are read whole.
const PIECE: usize = 64 * 1024;

/// Why there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    NotFound,
    Forbidden,
    /// A folder, or anything else that cannot be sent.
    NotAFile,
    Other,
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A path that goes on behind a file.
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NotFound,
            ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Other,
        }
    }
}

/// A file that is open.
pub(super) struct Opened {
    /// Extension of the file that was asked for, with its dot; empty without one.
    pub(super) extension: String,
    /// `gzip` or `br`, where a compressed sibling was taken.
    pub(super) encoding: Option<&'static str>,
    /// Size on disk.
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
    pub(super) content: Content,
}

/// What is read of a file.
pub(super) enum Content {
    /// Nothing: nobody asked for it.
    None,
    /// All of it.
    Whole(Bytes),
    /// It is read while it is sent.
    Stream(FileBody),
}

/// What a request wants of a site.
pub(super) struct Wanted {
    /// Path of the request, decoded.
    pub(super) path: Bytes,
    /// Encodings that may be taken, the best first: name, and extension of the sibling.
    pub(super) encodings: Vec<(&'static str, &'static [u8])>,
    /// Whether the content is wanted too.
    pub(super) content: bool,
}

/// Opens the file that a request wants, or the site's default file. It waits for the disk.
pub(super) fn open(site: &Site, wanted: &Wanted) -> Result<Opened, OpenError> {
    let group = state::group();
    let result = open_at(site, &wanted.path, wanted);
    match result {
        Err(e @ (OpenError::NotFound | OpenError::NotAFile)) => {
            if e == OpenError::NotFound {
                group.inc(state::FILE_BROWSE_NOT_EXIST);
            }
            if site.default.is_empty() {
                return Err(e);
            }
            group.inc(state::FILE_BROWSE_FALLBACK_DEFAULT);
            open_at(site, site.default.as_bytes(), wanted)
        }
        result => result,
    }
}

fn open_at(site: &Site, path: &[u8], wanted: &Wanted) -> Result<Opened, OpenError> {
    let mut file = inside(&site.root, path);
    let mut encoding = None;
    for (name, extension) in &wanted.encodings {
        let sibling = inside(&site.root, &[path, b".", extension].concat());
        if fs::metadata(&sibling).is_ok() {
            file = sibling;
            encoding = Some(*name);
            break;
        }
    }
    // Looked at before it is opened: opening a pipe would wait for somebody to write to it.
    if !fs::metadata(&file)?.is_file() {
        return Err(OpenError::NotAFile);
    }
    let file = File::open(&file)?;
    let metadata = file.metadata()?;
    let size = metadata.len();
    let content = if !wanted.content {
        Content::None
    } else if size <= PIECE as u64 {
        let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.take(size).read_to_end(&mut whole)?;
        Content::Whole(Bytes::from(whole))
    } else {
        state::group().inc(state::FILE_CURRENT_OPENED);
        Content::Stream(FileBody { reader: Reader::Idle(Source { file, left: size }) })
    };
    Ok(Opened { extension: extension(path), encoding, size, modified: metadata.modified().ok(), content })
}

/// A path inside the root. `..` does not lead out of it; a link in the file system does.
fn inside(root: &Path, path: &[u8]) -> PathBuf {
    let mut kept: Vec<&[u8]> = Vec::new();
    for element in path.split(|b| *b == b'/') {
        match element {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            element => kept.push(element),
        }
    }
    kept.iter().fold(root.to_owned(), |path, element| path.join(OsStr::from_bytes(element)))
}

/// The last dot of the last element, and what follows it.
fn extension(path: &[u8]) -> String {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let dot = name.iter().rposition(|b| *b == b'.');
    let extension = dot.and_then(|dot| name.get(dot..)).unwrap_or_default();
    String::from_utf8_lossy(extension).into_owned()
}

/// A file and how much of it is still to be read. It counts as open until it is dropped.
struct Source {
    file: File,
    left: u64,
}

impl Drop for Source {
    fn drop(&mut self) {
        state::group().dec(state::FILE_CURRENT_OPENED);
    }
}

/// The content of a file, read while it is sent.
pub(super) struct FileBody {
    reader: Reader,
}

enum Reader {
    Idle(Source),
    Reading(JoinHandle<(Source, io::Result<Bytes>)>),
    Done,
}

fn read_piece(mut source: Source) -> (Source, io::Result<Bytes>) {
    let size = source.left.min(PIECE as u64);
    let mut piece = Vec::with_capacity(PIECE);
    let read = (&mut source.file).take(size).read_to_end(&mut piece);
    let read = read.and_then(|n| if n == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(n) });
    source.left -= read.as_ref().map_or(0, |n| *n as u64);
    (source, read.map(|_| Bytes::from(piece)))
}

impl BodyStream for FileBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match std::mem::replace(&mut self.reader, Reader::Done) {
                Reader::Idle(source) if source.left == 0 => return Poll::Ready(None),
                Reader::Idle(source) => {
                    self.reader = Reader::Reading(tokio::task::spawn_blocking(move || read_piece(source)));
                }
                Reader::Reading(mut reading) => {
                    let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
                        self.reader = Reader::Reading(reading);
                        return Poll::Pending;
                    };
                    return Poll::Ready(Some(match read {
                        Ok((source, Ok(piece))) => {
                            self.reader = Reader::Idle(source);
                            Ok(piece)
                        }
                        Ok((_, Err(e))) => Err(BodyError::Io(e)),
                        Err(e) => Err(BodyError::Io(io::Error::other(e))),
                    }));
                }
                Reader::Done => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_6_no_path_leads_out_of_the_root() {
        for (path, want) in [
            ("/a/b.txt", "/r/a/b.txt"),
            ("/../../etc/passwd", "/r/etc/passwd"),
            ("/a/../../b", "/r/b"),
            ("//a/./b/", "/r/a/b"),
            ("..", "/r"),
            ("", "/r"),
            ("/%2e%2e/x", "/r/%2e%2e/x"),
            ("/..\\x", "/r/..\\x"),
        ] {
            assert_eq!(inside(Path::new("/r"), path.as_bytes()), PathBuf::from(want), "{path}");
        }
    }

    #[test]
    fn extensions() {
        for (path, want) in
            [("/a.tar.gz", ".gz"), ("/a.d/x", ""), ("/.html", ".html"), ("/a.", "."), ("index.html", ".html")]
        {
            assert_eq!(extension(path.as_bytes()), want, "{path}");
        }
    }
}
