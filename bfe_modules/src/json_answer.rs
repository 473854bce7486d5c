//! Answers of services that modules ask, in JSON.

use bfe_basic::conf::json;
use bfe_http::{BodyError, Response};
use bytes::Bytes;
use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;
use std::io::{self, Read};

/// Why an answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// It ends too early.
    #[error("the answer ends early: {0}")]
    Body(#[from] BodyError),
    /// It is longer than it may be.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// It says that it is compressed, and is not.
    #[error("the answer cannot be unpacked: {0}")]
    Packed(#[from] io::Error),
    /// It is not the JSON that was asked for.
    #[error("{0}")]
    Json(String),
}

/// Reads the body of an answer, unpacks it where it is compressed, and takes it for a `T`: members in any case, and
/// nothing behind the value. It may have at most `most` bytes, also once it is unpacked.
///
/// # Errors
/// See [`AnswerError`].
pub(crate) async fn read<T: DeserializeOwned>(
    response: &mut Response,
    most: usize,
) -> Result<T, AnswerError> {
    let mut text = response.body.peek(most + 1).await?;
    let is_packed = |coding: &[u8]| coding.eq_ignore_ascii_case(b"gzip");
    if text.len() <= most && response.header.get("Content-Encoding").is_some_and(is_packed) {
        let mut plain = Vec::new();
        GzDecoder::new(&text[..]).take(most as u64 + 1).read_to_end(&mut plain)?;
        text = Bytes::from(plain);
    }
    if text.len() > most {
        return Err(AnswerError::TooLong(most));
    }
    let document = json::from_slice::<T>("answer", &text).map_err(|e| AnswerError::Json(e.to_string()))?;
    let (answer, source, _) = document.into_parts();
    source.rest_error().map_or(Ok(answer), |error| Err(AnswerError::Json(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde::Deserialize;
    use std::io::Write as _;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Said {
        a: i64,
    }

    fn packed(text: &[u8]) -> Response {
        let mut coder = GzEncoder::new(Vec::new(), Compression::fast());
        coder.write_all(text).unwrap();
        let mut response = Response::with_content(200, "", coder.finish().unwrap());
        response.header.set("Content-Encoding", "GZIP");
        response
    }

    #[tokio::test]
    async fn what_is_an_answer() {
        for (text, want) in [
            (r#"{"A":7}"#, Some(7)),
            ("null ", Some(0)),
            (r#"{"a":1} x"#, None),
            (r#"{"a":"1"}"#, None),
            ("[]", None),
            ("", None),
        ] {
            let mut plain = Response::with_content(200, "", text);
            for response in [&mut plain, &mut packed(text.as_bytes())] {
                assert_eq!(read::<Said>(response, 100).await.ok().map(|said| said.a), want, "{text}");
            }
        }
        let long = format!("{{\"a\":1{}}}", " ".repeat(200));
        for mut response in [Response::with_content(200, "", long.clone()), packed(long.as_bytes())] {
            assert!(matches!(read::<Said>(&mut response, 100).await, Err(AnswerError::TooLong(100))));
            let mut again = Response::with_content(200, "", long.clone());
            assert_eq!(read::<Said>(&mut again, 300).await.unwrap(), Said { a: 1 });
        }
        let mut no_gzip = Response::with_content(200, "", "{}");
        no_gzip.header.set("Content-Encoding", "gzip");
        assert!(matches!(read::<Said>(&mut no_gzip, 100).await, Err(AnswerError::Packed(_))));
    }
}
