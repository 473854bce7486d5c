//! `secure_link.data`: one rule, and how a request is checked by it.

use crate::rule_file::walk::Conditional;
use crate::rule_file::{RawRule, RuleFault, RuleIndex, condition};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bfe_basic::Request;
use bfe_basic::condition::Condition;
use bfe_basic::json_path;
use md5::{Digest, Md5};
use serde::Deserialize;

/// The query key of the checksum where a rule names none.
const CHECKSUM_KEY: &str = "md5";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawLinkRule {
    cond: Option<String>,
    checksum_key: Option<String>,
    expires_key: Option<String>,
    expression_nodes: Option<Vec<RawNode>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawNode {
    r#type: Option<String>,
    param: Option<String>,
}

/// A rule.
pub(super) struct LinkRule {
    condition: Condition,
    checksum_key: Box<str>,
    expires_key: Option<Box<str>>,
    nodes: Vec<Node>,
}

/// A part of what is summed up.
#[derive(Debug)]
enum Node {
    Label(Box<str>),
    Query(Box<str>),
    /// With the name in canonical form.
    Header(Box<str>),
    Host,
    Uri,
    RemoteAddr,
}

/// Why a request does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    WithoutExpires,
    InvalidExpires,
    Expired,
    WithoutChecksum,
    InvalidChecksum,
}

impl RawRule for RawLinkRule {
    type Rule = LinkRule;

    fn check(self) -> Result<LinkRule, RuleFault> {
        let condition = condition(self.cond)?;
        let wrong = |field: &str, reason: &str| RuleFault::new(json_path![field], reason);
        let checksum_key = self.checksum_key.unwrap_or_else(|| CHECKSUM_KEY.to_owned());
        if checksum_key.is_empty() {
            return Err(wrong("ChecksumKey", "bad ChecksumKey node: empty string"));
        }
        let raw =
            self.expression_nodes.ok_or_else(|| wrong("ExpressionNodes", "bad SecureLink node: missing"))?;
        let mut nodes = Vec::with_capacity(raw.len());
        for (index, node) in raw.into_iter().enumerate() {
            let kind = node.r#type.unwrap_or_default();
            nodes.push(Node::new(&kind, node.param.unwrap_or_default()).ok_or_else(|| {
                let reason =
                    format!("bad node type: {kind}, expected label, query, header, host, uri or remote_addr");
                RuleFault::new(json_path!["ExpressionNodes", index, "Type"], reason)
            })?);
        }
        let expires_key = self.expires_key.filter(|key| !key.is_empty()).map(String::into_boxed_str);
        Ok(LinkRule { condition, checksum_key: checksum_key.into(), expires_key, nodes })
    }

    fn index(rules: &[LinkRule]) -> Option<RuleIndex> {
        RuleIndex::new(rules.iter().map(Conditional::condition))
    }
}

impl Conditional for LinkRule {
    fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl Node {
    fn new(kind: &str, param: String) -> Option<Self> {
        Some(match kind.to_lowercase().as_str() {
            "label" => Self::Label(param.into()),
            "query" => Self::Query(param.into()),
            "header" => {
                let name = bfe_http::canonical(param.as_bytes());
                Self::Header(String::from_utf8_lossy(&name).into())
            }
            "host" => Self::Host,
            "uri" => Self::Uri,
            "remote_addr" => Self::RemoteAddr,
            _ => return None,
        })
    }

    fn add_to(&self, sum: &mut Md5, req: &Request) {
        match self {
            Self::Label(text) => sum.update(text.as_bytes()),
            Self::Query(key) => sum.update(req.query().get(key.as_bytes()).unwrap_or_default()),
            Self::Header(name) => sum.update(req.http.header.get(name).unwrap_or_default()),
            Self::Host => sum.update(&req.http.host),
            Self::Uri => sum.update(&req.http.request_uri),
            Self::RemoteAddr => {
                if let Some(addr) = req.remote_addr {
                    sum.update(std::net::SocketAddr::new(addr.ip().to_canonical(), addr.port()).to_string());
                }
            }
        }
    }
}

impl LinkRule {
    /// Checks a request at a time, in seconds since 1970.
    pub(super) fn check(&self, req: &Request, now: i64) -> Result<(), Fault> {
        let value = |key: &str| req.query().get(key.as_bytes()).filter(|value| !value.is_empty());
        if let Some(key) = &self.expires_key {
            let expires = value(key).ok_or(Fault::WithoutExpires)?;
            let expires = str::from_utf8(expires).ok().and_then(|text| text.parse::<i64>().ok());
            if now > expires.ok_or(Fault::InvalidExpires)? {
                return Err(Fault::Expired);
            }
        }
        let checksum = value(&self.checksum_key).ok_or(Fault::WithoutChecksum)?;
        let wanted = self.checksum(req);
        verify_slices_are_equal(checksum, wanted.as_bytes()).map_err(|_| Fault::InvalidChecksum)
    }

    fn checksum(&self, req: &Request) -> String {
        let mut sum = Md5::new();
        for node in &self.nodes {
            node.add_to(&mut sum, req);
        }
        URL_SAFE_NO_PAD.encode(sum.finalize())
    }
}
