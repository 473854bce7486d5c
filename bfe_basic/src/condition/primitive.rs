//! The 58 primitives: names, prototypes, and what they say in the manual (condition 9).

use super::ast::{Call, Kind};

/// A primitive of the language.
#[derive(Clone, Copy, Debug)]
pub struct Primitive {
    /// Name, case-sensitive.
    pub name: &'static str,
    /// Kinds of its arguments.
    pub args: &'static [Kind],
    /// Names of its arguments, for the manual.
    pub arg_names: &'static str,
    /// What it tests, for the manual.
    pub summary: &'static str,
    /// A call that builds, for the manual.
    pub example: &'static str,
}

const NONE: &[Kind] = &[];
const S: &[Kind] = &[Kind::String];
const SS: &[Kind] = &[Kind::String, Kind::String];
const SSS: &[Kind] = &[Kind::String, Kind::String, Kind::String];
const SB: &[Kind] = &[Kind::String, Kind::Bool];
const SSB: &[Kind] = &[Kind::String, Kind::String, Kind::Bool];

const fn row(
    name: &'static str,
    args: &'static [Kind],
    arg_names: &'static str,
    summary: &'static str,
    example: &'static str,
) -> Primitive {
    Primitive { name, args, arg_names, summary, example }
}

/// All primitives, in the order of the manual.
#[rustfmt::skip]
pub const PRIMITIVES: [Primitive; 58] = [
    row("default_t", NONE, "", "Always true.", "default_t()"),
    row("req_cip_trusted", NONE, "", "The peer is trusted to name the client's address.", "req_cip_trusted()"),
    row("req_proto_secure", NONE, "", "The client's connection is TLS.", "req_proto_secure()"),
    row("req_query_exist", NONE, "", "The query has at least one valid pair.", "req_query_exist()"),
    row("ses_tls_client_auth", NONE, "", "The client authenticated itself with a certificate.", "ses_tls_client_auth()"),
    row("req_host_in", S, "hosts", "The host, without port and in any case, is in the list.", r#"req_host_in("www.example.org|example.org")"#),
    row("req_host_suffix_in", S, "suffixes", "The host, in any case, ends with one of the list.", r#"req_host_suffix_in(".example.org")"#),
    row("req_host_regmatch", S, "regex", "The host matches; case counts.", r"req_host_regmatch(`^(www|m)\.example\.org$`)"),
    row("req_host_tag_in", S, "tags", "The host's tag in the host table is in the list, in any case.", r#"req_host_tag_in("tag1|tag2")"#),
    row("req_port_in", S, "ports", "The port of the `Host` field, `80` where it has none, is in the list.", r#"req_port_in("80|8080")"#),
    row("req_path_in", SB, "paths, ignore_case", "The decoded path is in the list.", r#"req_path_in("/login|/logout", false)"#),
    row("req_path_prefix_in", SB, "prefixes, ignore_case", "The decoded path begins with one of the list.", r#"req_path_prefix_in("/api/|/v1/", false)"#),
    row("req_path_suffix_in", SB, "suffixes, ignore_case", "The decoded path ends with one of the list.", r#"req_path_suffix_in(".php|.jsp", true)"#),
    row("req_path_contain", SB, "parts, ignore_case", "The decoded path contains one of the list.", r#"req_path_contain("search|find", true)"#),
    row("req_path_element_prefix_in", SB, "prefixes, ignore_case", "The decoded path begins with one of the list, whole elements only.", r#"req_path_element_prefix_in("/api/v1", false)"#),
    row("req_path_regmatch", S, "regex", "The decoded path matches.", r"req_path_regmatch(`^/user/\d+$`)"),
    row("req_url_regmatch", S, "regex", "The request target, as received with its query, matches.", r"req_url_regmatch(`^/s\?wd=`)"),
    row("req_query_key_in", S, "keys", "One of the keys is in the query.", r#"req_query_key_in("word|wd")"#),
    row("req_query_key_prefix_in", S, "prefixes", "A key of the query begins with one of the list.", r#"req_query_key_prefix_in("utm_")"#),
    row("req_query_value_in", SSB, "key, values, ignore_case", "The key's first value, empty where it is missing, is in the list.", r#"req_query_value_in("lang", "en|de", true)"#),
    row("req_query_value_prefix_in", SSB, "key, prefixes, ignore_case", "That value begins with one of the list.", r#"req_query_value_prefix_in("uid", "100|200", false)"#),
    row("req_query_value_suffix_in", SSB, "key, suffixes, ignore_case", "That value ends with one of the list.", r#"req_query_value_suffix_in("uid", "1|2", false)"#),
    row("req_query_value_contain", SSB, "key, parts, ignore_case", "That value contains one of the list.", r#"req_query_value_contain("q", "bfe", true)"#),
    row("req_query_value_regmatch", SS, "key, regex", "That value matches.", r#"req_query_value_regmatch("uid", `^\d+$`)"#),
    row("req_query_value_hash_in", SSB, "key, buckets, ignore_case", "That value falls into one of the buckets.", r#"req_query_value_hash_in("uid", "0-999|5000", true)"#),
    row("req_cookie_key_in", S, "names", "One of the cookies was sent.", r#"req_cookie_key_in("uid|session")"#),
    row("req_cookie_value_in", SSB, "name, values, ignore_case", "The cookie was sent and its value is in the list.", r#"req_cookie_value_in("beta", "yes|on", true)"#),
    row("req_cookie_value_prefix_in", SSB, "name, prefixes, ignore_case", "The cookie was sent and its value begins with one of the list.", r#"req_cookie_value_prefix_in("uid", "x", false)"#),
    row("req_cookie_value_suffix_in", SSB, "name, suffixes, ignore_case", "The cookie was sent and its value ends with one of the list.", r#"req_cookie_value_suffix_in("uid", "7", false)"#),
    row("req_cookie_value_contain", SSB, "name, parts, ignore_case", "The cookie was sent and its value contains one of the list.", r#"req_cookie_value_contain("flags", "beta", true)"#),
    row("req_cookie_value_hash_in", SSB, "name, buckets, ignore_case", "The cookie was sent and its value falls into one of the buckets.", r#"req_cookie_value_hash_in("uid", "0-99", true)"#),
    row("req_header_key_in", S, "names", "One of the header fields has a first value that is not empty.", r#"req_header_key_in("X-Debug|X-Trace")"#),
    row("req_header_value_in", SSB, "name, values, ignore_case", "The field's first value, empty where it is missing, is in the list.", r#"req_header_value_in("X-Env", "test|dev", true)"#),
    row("req_header_value_prefix_in", SSB, "name, prefixes, ignore_case", "That value begins with one of the list.", r#"req_header_value_prefix_in("Referer", "https://example.org/", true)"#),
    row("req_header_value_suffix_in", SSB, "name, suffixes, ignore_case", "That value ends with one of the list.", r#"req_header_value_suffix_in("User-Agent", "/2.0.4", false)"#),
    row("req_header_value_contain", SSB, "name, parts, ignore_case", "That value contains one of the list.", r#"req_header_value_contain("User-Agent", "Firefox|Chrome", true)"#),
    row("req_header_value_regmatch", SS, "name, regex", "That value matches.", r#"req_header_value_regmatch("Referer", `^https://[a-z]+\.example\.org/`)"#),
    row("req_header_value_hash_in", SSB, "name, buckets, ignore_case", "That value falls into one of the buckets.", r#"req_header_value_hash_in("X-Uid", "100-199", true)"#),
    row("req_ua_regmatch", S, "regex", "The `User-Agent`, empty where it is missing, matches.", "req_ua_regmatch(`(?i)bot`)"),
    row("req_method_in", S, "methods", "The method is in the list, in any case.", r#"req_method_in("GET|HEAD")"#),
    row("req_proto_match", S, "protocol", "The protocol is this one, in any case: `HTTP/1.0` or `HTTP/1.1` in the clear, else `https`, `h2`, `spdy/3.1` or `h3`. No list.", r#"req_proto_match("h2")"#),
    row("req_cip_range", SS, "first, last", "The client's address is in the range.", r#"req_cip_range("10.0.0.0", "10.255.255.255")"#),
    row("req_cip_hash_in", S, "buckets", "The client's address, as text, falls into one of the buckets.", r#"req_cip_hash_in("0-999")"#),
    row("req_vip_in", S, "addresses", "The address that the layer-4 balancer was asked for is in the list.", r#"req_vip_in("192.0.2.1|2001:db8::1")"#),
    row("req_vip_range", SS, "first, last", "That address is in the range.", r#"req_vip_range("192.0.2.0", "192.0.2.255")"#),
    row("ses_vip_range", SS, "first, last", "The same as `req_vip_range`.", r#"ses_vip_range("192.0.2.0", "192.0.2.255")"#),
    row("ses_sip_range", SS, "first, last", "The address of the connection's peer is in the range.", r#"ses_sip_range("10.0.0.0", "10.0.0.255")"#),
    row("req_tag_match", SS, "name, value", "A tag of that name, up to its first `:`, is the value. No list.", r#"req_tag_match("clientIP", "blocklist")"#),
    row("req_context_value_in", SSB, "key, values, ignore_case", "A module left text under the key, and it is in the list.", r#"req_context_value_in("mod_geo.country_iso_code", "CN|DE", false)"#),
    row("res_code_in", S, "codes", "There is a response and its status is in the list.", r#"res_code_in("404|500")"#),
    row("res_header_key_in", S, "names", "There is a response and one of its fields has a first value that is not empty.", r#"res_header_key_in("X-Cache")"#),
    row("res_header_value_in", SSB, "name, values, ignore_case", "There is a response and the field's first value, empty where it is missing, is in the list.", r#"res_header_value_in("X-Cache", "hit", true)"#),
    row("ses_tls_sni_in", S, "names", "The client asked for one of the names in the TLS handshake, in any case.", r#"ses_tls_sni_in("example.org|www.example.org")"#),
    row("ses_tls_client_ca_in", S, "names", "The client's certificate is vouched for by one of these CA sets; case counts.", r#"ses_tls_client_ca_in("ca1|ca2")"#),
    row("bfe_time_range", SS, "first, last", "Now is in the range; times are `YYYYMMDDhhmmss` and a zone letter.", r#"bfe_time_range("20250101000000Z", "20251231235959Z")"#),
    row("bfe_periodic_time_range", SSS, "first, last, period", "The time of day is in the range; times are `hhmmss` and a zone letter, the period is empty.", r#"bfe_periodic_time_range("200000H", "213000H", "")"#),
    row("req_body_json_in", SSB, "path, values, ignore_case", "The text at the path in a JSON body, empty where it is missing, is in the list.", r#"req_body_json_in("model", "gpt-4|gpt-5", true)"#),
    row("req_body_json_prefix_in", SSB, "path, prefixes, ignore_case", "That text begins with one of the list.", r#"req_body_json_prefix_in("model", "openrouter/", false)"#),
];

/// The primitive of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Primitive> {
    PRIMITIVES.iter().find(|primitive| primitive.name == name)
}

/// Checks name, number and kinds of the arguments of a call; the error has no position yet.
pub(crate) fn check(call: &Call) -> Result<(), String> {
    let name = &call.name;
    let Some(primitive) = find(name) else { return Err(format!("primitive {name} not found")) };
    let (want, got) = (primitive.args.len(), call.args.len());
    if want != got {
        return Err(format!("primitive args len error, expect {want}, got {got}"));
    }
    for (i, (want, arg)) in primitive.args.iter().zip(&call.args).enumerate() {
        let (want, got) = (want.as_str(), arg.kind().as_str());
        if want != got {
            return Err(format!("primitive {name} arg {i} expect {want}, got {got}"));
        }
    }
    Ok(())
}
