//! What mod_session_sticky asks of balancing.

/// Key of a [`StickyBackend`] in the context of a request.
pub const SESSION_STICKY_BACKEND_KEY: &str = "SessionStickyBackendKey";

/// The backend that a client's session is bound to. Balancing prefers it while it can be used (balance 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickyBackend {
    /// Sub-cluster of the backend.
    pub sub_cluster: String,
    /// Address and port of the backend, as `addr:port`.
    pub addr_info: String,
}
