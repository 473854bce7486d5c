//! Calls to prepared primitives: the checks of argument values happen here (condition 1, step 6).

use super::address::{self, RangeSet};
use super::ast::{Call, Literal};
use super::hash::BucketSet;
use super::matcher::{Matcher, PrefixSet, members};
use super::prepared::{ExactKeys, Test};
use super::regex::Pattern;
use super::source::{Address, Source};
use super::time;

/// Makes a call ready. Its name and the kinds of its arguments have been checked.
pub(crate) fn build(call: &Call) -> Result<Test, String> {
    let text = |i: usize| match call.args.get(i) {
        Some(Literal::Text { value, .. }) => value.as_str(),
        _ => "",
    };
    let flag = |i: usize| matches!(call.args.get(i), Some(Literal::Bool(true)));
    let regex = |i: usize| Pattern::new(text(i)).map(Matcher::Regex);
    let hash = |i: usize, fold: bool| {
        BucketSet::parse(text(i)).map(if fold { Matcher::LowerHash } else { Matcher::Hash })
    };
    let key = || text(0).as_bytes().into();
    let header = || Source::Header(canonical(text(0)));
    let range =
        |which| Ok(Test::AddressIn(which, RangeSet::new(vec![address::parse_range(text(0), text(1))?])));

    let (source, matcher) = match call.name.as_str() {
        "default_t" => return Ok(Test::Always),
        "req_cip_trusted" => return Ok(Test::CipTrusted),
        "req_proto_secure" => return Ok(Test::ProtoSecure),
        "req_query_exist" => return Ok(Test::QueryExist),
        "ses_tls_client_auth" => return Ok(Test::TlsClientAuth),

        "req_host_in" => (Source::Host, host_matcher(text(0))?),
        "req_host_suffix_in" => (Source::Host, Matcher::suffix(text(0), true)),
        "req_host_regmatch" => (Source::Host, regex(0)?),
        "req_host_tag_in" => (Source::HostTag, Matcher::exact(text(0), true)),
        "req_port_in" => (Source::Port, Matcher::exact(text(0), false)),

        "req_path_in" => (Source::Path, Matcher::exact(text(0), flag(1))),
        "req_path_prefix_in" => (Source::Path, Matcher::prefix(text(0), flag(1))),
        "req_path_suffix_in" => (Source::Path, Matcher::suffix(text(0), flag(1))),
        "req_path_contain" => (Source::Path, Matcher::contain(text(0), flag(1))),
        "req_path_element_prefix_in" => (Source::Path, Matcher::element_prefix(text(0), flag(1))),
        "req_path_regmatch" => (Source::Path, regex(0)?),
        "req_url_regmatch" => (Source::Url, regex(0)?),

        "req_query_key_in" => return Ok(Test::QueryKey(ExactKeys::new(members(text(0))))),
        "req_query_key_prefix_in" => {
            let prefixes = members(text(0)).map(|m| m.as_bytes().into()).collect();
            return Ok(Test::QueryKeyPrefix(PrefixSet::new(prefixes)));
        }
        "req_query_value_in" => (Source::Query(key()), Matcher::exact(text(1), flag(2))),
        "req_query_value_prefix_in" => (Source::Query(key()), Matcher::prefix(text(1), flag(2))),
        "req_query_value_suffix_in" => (Source::Query(key()), Matcher::suffix(text(1), flag(2))),
        "req_query_value_contain" => (Source::Query(key()), Matcher::contain(text(1), flag(2))),
        "req_query_value_regmatch" => (Source::Query(key()), regex(1)?),
        "req_query_value_hash_in" => (Source::Query(key()), hash(1, flag(2))?),

        "req_cookie_key_in" => return Ok(Test::CookieKey(ExactKeys::new(members(text(0))))),
        "req_cookie_value_in" => (Source::Cookie(key()), Matcher::exact(text(1), flag(2))),
        "req_cookie_value_prefix_in" => (Source::Cookie(key()), Matcher::prefix(text(1), flag(2))),
        "req_cookie_value_suffix_in" => (Source::Cookie(key()), Matcher::suffix(text(1), flag(2))),
        "req_cookie_value_contain" => (Source::Cookie(key()), Matcher::contain(text(1), flag(2))),
        "req_cookie_value_hash_in" => (Source::Cookie(key()), hash(1, flag(2))?),

        "req_header_key_in" => return Ok(Test::HeaderKey(members(text(0)).map(canonical).collect())),
        "req_header_value_in" => (header(), Matcher::exact(text(1), flag(2))),
        "req_header_value_prefix_in" => (header(), Matcher::prefix(text(1), flag(2))),
        "req_header_value_suffix_in" => (header(), Matcher::suffix(text(1), flag(2))),
        "req_header_value_contain" => (header(), Matcher::contain(text(1), flag(2))),
        "req_header_value_regmatch" => (header(), regex(1)?),
        "req_header_value_hash_in" => (header(), hash(1, flag(2))?),
        "req_ua_regmatch" => (Source::Header("User-Agent".into()), regex(0)?),

        "req_method_in" => (Source::Method, Matcher::exact(text(0), true)),
        "req_proto_match" => (Source::Protocol, Matcher::exact_one(text(0))),

        "req_cip_range" => return range(Address::Client),
        "req_cip_hash_in" => return BucketSet::parse(text(0)).map(Test::ClientHash),
        "req_vip_in" => {
            let one = |m| address::parse(m).map(|ip| (ip, ip));
            let ranges = members(text(0)).map(one).collect::<Result<_, _>>()?;
            return Ok(Test::AddressIn(Address::Vip, RangeSet::new(ranges)));
        }
        "req_vip_range" | "ses_vip_range" => return range(Address::Vip),
        "ses_sip_range" => return range(Address::Socket),

        "req_tag_match" => return Ok(Test::Tag(text(0).into(), text(1).into())),
        "req_context_value_in" => (Source::Context(text(0).into()), Matcher::exact(text(1), flag(2))),

        "res_code_in" => (Source::ResponseCode, Matcher::exact(text(0), false)),
        "res_header_key_in" => {
            return Ok(Test::ResponseHeaderKey(members(text(0)).map(canonical).collect()));
        }
        "res_header_value_in" => {
            (Source::ResponseHeader(canonical(text(0))), Matcher::exact(text(1), flag(2)))
        }

        "ses_tls_sni_in" => (Source::Sni, Matcher::exact(text(0), true)),
        "ses_tls_client_ca_in" => (Source::ClientCa, Matcher::exact(text(0), false)),

        "bfe_time_range" => return time_range(text(0), text(1)),
        "bfe_periodic_time_range" => return daily_range(text(0), text(1), text(2)),

        "req_body_json_in" => (Source::BodyJson(text(0).into()), Matcher::exact(text(1), flag(2))),
        "req_body_json_prefix_in" => (Source::BodyJson(text(0).into()), Matcher::prefix(text(1), flag(2))),

        name => return Err(format!("unsupported primitive {name}")),
    };
    Ok(Test::Value(source, matcher))
}

fn canonical(name: &str) -> Box<str> {
    String::from_utf8_lossy(&bfe_http::canonical(name.as_bytes())).into()
}

fn host_matcher(list: &str) -> Result<Matcher, String> {
    match members(list).find(|host| host.contains(':')) {
        Some(host) => Err(format!("port should not be included in host({host})")),
        None => Ok(Matcher::exact(list, true)),
    }
}

fn time_range(first: &str, last: &str) -> Result<Test, String> {
    let start = time::parse_time(first).map_err(|e| format!("startTime format invalid, err:{e}"))?;
    let end = time::parse_time(last).map_err(|e| format!("endTime format invalid, err:{e}"))?;
    if start > end {
        return Err(format!("startTime[{first}] must <= endTime[{last}]"));
    }
    Ok(Test::Time { start, end })
}

fn daily_range(first: &str, last: &str, period: &str) -> Result<Test, String> {
    if !period.is_empty() {
        return Err("periodStr is not supported, should not be set!".into());
    }
    let (start, offset) =
        time::parse_time_of_day(first).map_err(|e| format!("startTime format invalid, err:{e}"))?;
    let (end, end_offset) =
        time::parse_time_of_day(last).map_err(|e| format!("endTime format invalid, err:{e}"))?;
    if start > end {
        return Err(format!("startTime[{first}] must <= endTime[{last}]"));
    }
    if offset != end_offset {
        return Err("timezone of startime and endtime should be same!".into());
    }
    Ok(Test::Daily { start, end, offset })
}
