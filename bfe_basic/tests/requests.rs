//! What conditions and actions see of each other's work on one request.

#[cfg(test)]
mod tests {
    use bfe_basic::action::Action;
    use bfe_basic::condition::Condition;
    use bfe_basic::{BodyPeek, NeedBody, Request, Session};
    use bfe_http::Body;
    use bytes::Bytes;
    use std::rc::Rc;

    fn request(target: &str) -> Request {
        let http = bfe_http::Request::new("POST", target, "example.org").unwrap();
        Request::new(Rc::new(Session::default()), http)
    }

    fn matches(req: &Request, expression: &str) -> Result<bool, NeedBody> {
        Condition::build(expression).unwrap().matches(req)
    }

    #[test]
    fn act_42_conditions_see_the_edited_query_and_the_original_target() {
        let mut req = request("/?a=1&b=2");
        Action::new("QUERY_RENAME", &["a", "c"]).unwrap().run(&mut req).unwrap();
        assert_eq!(matches(&req, "req_query_value_in(\"c\", \"1\", false)"), Ok(true));
        assert_eq!(matches(&req, "req_query_key_in(\"a\")"), Ok(false));
        assert_eq!(matches(&req, r"req_url_regmatch(`\?a=1&b=2$`)"), Ok(true));
        // Nothing but query actions changes what has been parsed.
        req.http.url.raw_query = Bytes::from_static(b"z=1");
        assert_eq!(matches(&req, "req_query_key_in(\"z\")"), Ok(false));
    }

    #[test]
    fn act_43_later_actions_see_earlier_ones() {
        let mut req = request("/host.org/a%2Fb?x=1");
        Action::new("HOST_SET_FROM_PATH_PREFIX", &[]).unwrap().run(&mut req).unwrap();
        Action::new("PATH_PREFIX_TRIM", &["/a"]).unwrap().run(&mut req).unwrap();
        assert_eq!(matches(&req, "req_host_in(\"HOST.org\") && req_path_in(\"/b\", false)"), Ok(true));
        assert_eq!(req.http.url.request_uri().as_ref(), b"/b?x=1");
    }

    #[test]
    fn cookies_that_a_module_sets_are_seen_though_the_header_has_been_read() {
        let mut req = request("/");
        assert_eq!(matches(&req, "req_cookie_key_in(\"uid\")"), Ok(false));
        req.edit_cookies(|cookies| cookies.set(b"uid", b"7"));
        assert_eq!(matches(&req, "req_cookie_value_in(\"uid\", \"7\", false)"), Ok(true));
        req.http.header.add("Cookie", "late=1");
        assert_eq!(matches(&req, "req_cookie_key_in(\"late\")"), Ok(false));
    }

    #[test]
    fn cond_25_a_body_is_asked_for_only_where_it_can_decide() {
        let mut req = request("/a");
        req.http.body = Body::Full(Bytes::from_static(b"{\"m\":\"x\"}"));
        let json = "req_body_json_in(\"m\", \"x\", false)";
        for (expression, want) in [
            (format!("req_path_in(\"/b\", false) && {json}"), Ok(false)),
            (format!("req_path_in(\"/a\", false) || {json}"), Ok(true)),
            (format!("req_path_in(\"/a\", false) && {json}"), Err(NeedBody)),
            (format!("!{json}"), Err(NeedBody)),
        ] {
            assert_eq!(matches(&req, &expression), want, "{expression}");
        }
        req.body_peek = BodyPeek::Read(Bytes::from_static(b"{\"m\":\"x\"}"));
        assert_eq!(matches(&req, json), Ok(true));
    }

    #[test]
    fn cond_60_without_a_body_nothing_is_asked_for() {
        assert_eq!(matches(&request("/"), "req_body_json_in(\"m\", \"\", false)"), Ok(true));
    }

    #[test]
    fn cond_61_texts_are_looked_up_once_and_can_be_read_from_the_context() {
        let mut req = request("/");
        let context = "req_context_value_in(\"jsoncache.m\", \"x\", false)";
        req.body_peek = BodyPeek::Read(Bytes::from_static(b"{\"m\":\"x\"}"));
        assert_eq!(matches(&req, context), Ok(false));
        assert_eq!(matches(&req, "req_body_json_in(\"m\", \"y\", false)"), Ok(false));
        assert_eq!(matches(&req, context), Ok(true));
        // What a module puts there goes first.
        req.context.set_text("jsoncache.m", "z");
        assert_eq!(matches(&req, "req_body_json_in(\"m\", \"z\", false)"), Ok(true));
        assert_eq!(matches(&req, context), Ok(false));
    }

    #[test]
    fn cond_62_a_body_that_cannot_be_read_fails_once() {
        let mut req = request("/");
        req.body_peek = BodyPeek::Failed;
        let empty = "req_body_json_in(\"m\", \"\", false)";
        assert_eq!(matches(&req, empty), Ok(false));
        assert_eq!(matches(&req, empty), Ok(true));
    }

    #[test]
    fn cond_27_a_session_alone() {
        let session = Session { is_secure: true, ..Session::default() };
        session.trust_source.set(true);
        for (expression, want) in [
            ("default_t()", true),
            ("req_cip_trusted() && req_proto_secure()", true),
            ("req_query_exist()", false),
            ("!req_method_in(\"GET\")", true),
            ("req_body_json_in(\"a\", \"\", false)", false),
        ] {
            let condition = Condition::build(expression).unwrap();
            assert_eq!(condition.matches_session(&session), want, "{expression}");
        }
    }
}
