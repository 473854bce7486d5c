//! What is spoken inside TLS.

/// A protocol that `NextProtos` may name (tls 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `http/1.1`
    Http1,
    /// `h2`
    H2,
    /// `spdy/3.1`
    Spdy31,
    /// `stream`: raw TCP.
    Stream,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Http1, Self::H2, Self::Spdy31, Self::Stream];

    /// The name, as in ALPN.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::H2 => "h2",
            Self::Spdy31 => "spdy/3.1",
            Self::Stream => "stream",
        }
    }

    /// The protocol of that name, exactly.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == name)
    }
}
