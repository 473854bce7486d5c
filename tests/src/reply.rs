//! What a scripted backend does with a request.

use std::time::Duration;

/// One thing that a backend does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes in pieces of that size, with a pause between two.
    Dribble(Vec<u8>, usize, Duration),
    /// Waits that long.
    Pause(Duration),
    /// Does nothing until the proxy closes, or the backend is dropped.
    Stall,
    /// Waits until [`crate::Backend::release`].
    Hold,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
}

/// What a backend does with a request, step by step; then it waits for the next one.
#[derive(Clone, Debug, Default)]
pub struct Reply(pub(crate) Vec<Step>);

impl Reply {
    /// Nothing yet; add steps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These bytes.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::new().send(bytes)
    }

    /// 200 and that body.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Self::bytes([head.as_bytes(), body].concat())
    }

    /// One more step.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Then these bytes.
    #[must_use]
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Send(bytes.as_ref().to_vec()))
    }

    /// Then waits for [`crate::Backend::release`].
    #[must_use]
    pub fn hold(self) -> Self {
        self.then(Step::Hold)
    }

    /// Then nothing any more.
    #[must_use]
    pub fn stall(self) -> Self {
        self.then(Step::Stall)
    }

    /// Then closes.
    #[must_use]
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Then resets.
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }
}
