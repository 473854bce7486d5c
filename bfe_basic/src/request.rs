//! A request on its way through the proxy.

use crate::ai::AiInfo;
use crate::request_cache::{BodyPeek, RequestCache};
use crate::{Context, ErrorCode, Name, RequestStat, Session};
use bfe_http::{Header, Response};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

/// A condition wants to read the request body, which has not been buffered yet.
///
/// A handler hands this up with `?`; the pipeline then reads the body up to `AccessibleBodySize` and calls
/// the handler again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedBody;

/// What routing found for a request.
#[derive(Clone, Debug, Default)]
pub struct RequestRoute {
    /// Host tag of the host; empty where the product came from the vip table or is the default.
    pub host_tag: Name,
    /// Product (tenant).
    pub product: Name,
    /// Cluster.
    pub cluster: Name,
    /// Why routing failed.
    pub error: Option<&'static str>,
}

/// The backend of the last attempt.
#[derive(Clone, Debug, Default)]
pub struct BackendInfo {
    /// Cluster, once it has been looked up.
    pub cluster: Name,
    /// Sub-cluster that balancing chose; may be `GSLB_BLACKHOLE`.
    pub sub_cluster: Name,
    /// Name of the backend.
    pub name: Name,
    /// Address and port as they go into the dial.
    pub addr: Name,
}

/// Where a module wants the client to go.
#[derive(Clone, Debug, Default)]
pub struct Redirect {
    /// Target, rewritten by the rules of lifecycle 11.3 before it is sent.
    pub url: Vec<u8>,
    /// Status code.
    pub code: u16,
    /// More header fields for the answer.
    pub header: Header,
}

/// Tags that modules give a request: type to values.
pub type Tags = BTreeMap<String, Vec<String>>;

/// A request on its way through the proxy: what the client sent, and all that was found out about it.
pub struct Request {
    /// Connection it came on.
    pub session: Rc<Session>,
    /// The client's request; what modules change in it goes to the backend.
    pub http: bfe_http::Request,
    /// The answer, while there is one (lifecycle 2.1).
    pub response: Option<Response>,
    /// Peer, by the PROXY header where there is one.
    pub remote_addr: Option<SocketAddr>,
    /// The client as far as trusted headers tell (lifecycle 7.2). IPv4 is kept in its own form; whether its
    /// bytes are hashed as 4 or as 16 is told by `client_ip_mapped`.
    pub client_addr: Option<SocketAddr>,
    /// Whether the address of an IPv4 client counts as 16 bytes where bytes count (balance 4).
    pub client_ip_mapped: bool,
    /// Given by mod_logid.
    pub log_id: String,
    /// What routing found.
    pub route: RequestRoute,
    /// Tags that modules gave.
    pub tags: Tags,
    /// Backend of the last attempt.
    pub backend: BackendInfo,
    /// Redirect that a module asked for.
    pub redirect: Redirect,
    /// What went wrong, if anything.
    pub error_code: Option<ErrorCode>,
    /// More about it.
    pub error_msg: String,
    /// Times and sizes.
    pub stat: RequestStat,
    /// Attempts that failed.
    pub retry_time: u32,
    /// Whether the client asked for an event stream.
    pub is_sse: bool,
    /// 500 or the code of a redirect where the pipeline answered itself; else 0 (lifecycle 2.2).
    pub bfe_status_code: u16,
    /// What the AI gateway knows; `None` where it is off.
    pub ai: Option<Box<AiInfo>>,
    /// What modules leave here.
    pub context: Context,
    /// The start of the request body, once a condition has asked for it.
    pub body_peek: BodyPeek,
    /// Query, cookies and texts of a JSON body, once somebody has asked for them.
    pub(crate) cache: RequestCache,
}

impl Request {
    /// A request that has just been read.
    #[must_use]
    pub fn new(session: Rc<Session>, http: bfe_http::Request) -> Self {
        Self {
            remote_addr: session.remote_addr,
            client_addr: session.remote_addr,
            client_ip_mapped: true,
            session,
            http,
            response: None,
            log_id: String::new(),
            route: RequestRoute::default(),
            tags: Tags::new(),
            backend: BackendInfo::default(),
            redirect: Redirect::default(),
            error_code: None,
            error_msg: String::new(),
            stat: RequestStat::default(),
            retry_time: 0,
            is_sse: false,
            bfe_status_code: 0,
            ai: None,
            context: Context::default(),
            body_peek: BodyPeek::Unread,
            cache: RequestCache::default(),
        }
    }

    /// The protocol as logs and conditions name it: of the session on TLS, else the version of the request.
    #[must_use]
    pub fn protocol(&self) -> &[u8] {
        if self.session.is_secure { self.session.proto.get().as_str().as_bytes() } else { &self.http.proto }
    }

    /// Notes what went wrong.
    pub fn set_error(&mut self, code: ErrorCode, message: impl Into<String>) {
        self.error_code = Some(code);
        self.error_msg = message.into();
    }
}
