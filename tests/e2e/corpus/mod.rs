//! Raw HTTP/1 messages and what becomes of them: `tests/corpus/`, in the format told in its README.

mod lenient;
mod requests;
mod responses;
mod text;
