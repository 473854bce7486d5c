//! The model that an attempt asks for (ai-gateway 6).

use super::body::Replay;
use bfe_balance::conf::cluster_conf::AiConf;
use bfe_basic::Request;
use bfe_basic::ai::AiInfo;

/// The member of the body that names the model.
pub(super) const MEMBER: &str = "model";

/// Writes the model into the body, where it is another than the client asked for. What an attempt has written stays
/// for those after it, as does the model that they start from.
pub(super) fn apply(req: &mut Request, body: &mut Replay, attempt_model: &str, conf: Option<&AiConf>) {
    let Some(ai) = &req.ai else { return };
    let model = wanted(ai, attempt_model, conf);
    if model == ai.client_model {
        return;
    }
    if !body.set(req, MEMBER, &model) {
        log::warn!("AI gateway: the model cannot be written into a body that is an array");
        return;
    }
    unknown_length(req);
    if let Some(ai) = &mut req.ai {
        ai.target_model = model;
    }
}

/// The body goes out in chunks from now on.
pub(super) fn unknown_length(req: &mut Request) {
    req.http.content_length = -1;
    req.http.has_content_length = false;
}

/// The model: that of the attempt before or of the client, that of the rule, without the prefix, as the cluster calls
/// it.
fn wanted(ai: &AiInfo, attempt_model: &str, conf: Option<&AiConf>) -> Vec<u8> {
    let mut model: &[u8] = if ai.target_model.is_empty() { &ai.client_model } else { &ai.target_model };
    if !attempt_model.is_empty() {
        model = attempt_model.as_bytes();
    }
    let Some(conf) = conf else { return model.to_vec() };
    if conf.strip_prefix
        && !conf.match_prefix.is_empty()
        && let Some(rest) = model.strip_prefix(conf.match_prefix.as_bytes())
    {
        if rest.is_empty() {
            log::warn!("AI gateway: nothing would be left of model {:?}; it stays", conf.match_prefix);
        } else {
            model = rest;
        }
    }
    if !model.is_empty()
        && let Ok(name) = std::str::from_utf8(model)
        && let Some(mapped) = conf.model_mapping.get(name)
    {
        model = mapped.as_bytes();
    }
    model.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(client: &str, target: &str, attempt: &str, conf: Option<&AiConf>) -> String {
        let ai = AiInfo { client_model: client.into(), target_model: target.into(), ..AiInfo::default() };
        String::from_utf8(wanted(&ai, attempt, conf)).unwrap()
    }

    fn conf(prefix: &str, strip: bool, mapping: &[(&str, &str)]) -> AiConf {
        let mapping = mapping.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        AiConf {
            match_prefix: prefix.to_owned(),
            strip_prefix: strip,
            model_mapping: mapping.collect(),
            ..AiConf::default()
        }
    }

    #[test]
    fn aim_1_3_and_4_in_which_order() {
        let strip = conf("p/", true, &[("m", "mapped"), ("mapped", "twice"), ("p/x", "not stripped")]);
        for (client, target, attempt, conf, want) in [
            ("m", "m", "", None, "m"),
            ("m", "", "", None, "m"),
            ("m", "t", "", None, "t"),
            ("m", "t", "a", None, "a"),
            ("", "", "", None, ""),
            ("p/m", "p/m", "", Some(&strip), "mapped"),
            ("x", "x", "p/m", Some(&strip), "mapped"),
            ("p/x", "p/x", "", Some(&strip), "x"),
            ("p/p/m", "p/p/m", "", Some(&strip), "p/m"),
            ("P/m", "P/m", "", Some(&strip), "P/m"),
            ("p/", "p/", "", Some(&strip), "p/"),
            ("m", "mapped", "", Some(&strip), "twice"),
            ("p/m", "p/m", "", Some(&conf("p/", false, &[])), "p/m"),
            ("p/m", "p/m", "", Some(&conf("", true, &[])), "p/m"),
            ("", "", "", Some(&conf("", false, &[("", "x")])), ""),
        ] {
            assert_eq!(model(client, target, attempt, conf), want, "{client} {target} {attempt}");
        }
    }
}
