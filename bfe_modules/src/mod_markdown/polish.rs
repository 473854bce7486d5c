//! Small changes of text and of HTML.

use pulldown_cmark::{CowStr, Event, LinkType, Tag, TagEnd};

const SIGNS: [(&str, &str); 3] = [("(c)", "©"), ("(r)", "®"), ("(tm)", "™")];
const SCHEMES: [&str; 3] = ["http://", "https://", "ftp://"];

/// Text, with signs in place of `(c)` and the like, and links where there are addresses, if `links`.
pub(super) fn text<'e>(text: &str, links: bool, out: &mut Vec<Event<'e>>) {
    let mut rest = text;
    while let Some((at, url)) = if links { find_url(rest) } else { None } {
        let (before, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + url.len()..));
        if !before.is_empty() {
            out.push(Event::Text(with_signs(before)));
        }
        let link = Tag::Link {
            link_type: LinkType::Autolink,
            dest_url: CowStr::from(url.to_owned()),
            title: CowStr::Borrowed(""),
            id: CowStr::Borrowed(""),
        };
        out.push(Event::Start(link));
        out.push(Event::Text(CowStr::from(url.to_owned())));
        out.push(Event::End(TagEnd::Link));
        rest = after.unwrap_or_default();
    }
    if !rest.is_empty() {
        out.push(Event::Text(with_signs(rest)));
    }
}

fn with_signs<'e>(text: &str) -> CowStr<'e> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('(') {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let sign = SIGNS
            .iter()
            .find(|(name, _)| from.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        let (sign, length) = sign.map_or(("(", 1), |(name, sign)| (*sign, name.len()));
        out.push_str(sign);
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    CowStr::from(out)
}

/// The first address in a text, and where it is.
fn find_url(text: &str) -> Option<(usize, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find("://")?;
        let before = text.get(..at)?;
        let scheme =
            SCHEMES.iter().find(|scheme| before.to_ascii_lowercase_ends_with(scheme.trim_end_matches("://")));
        if let Some(scheme) = scheme {
            let start = at + 3 - scheme.len();
            let is_free = !text.get(..start)?.ends_with(|c: char| c.is_alphanumeric());
            let url = text.get(start..)?;
            let end = url.find(|c: char| c.is_whitespace() || c == '<').unwrap_or(url.len());
            let url = url.get(..end)?.trim_end_matches(['.', ',', ':', ';', '!', '?', ')', '"', '\'']);
            if is_free && url.len() > scheme.len() {
                return Some((start, url));
            }
        }
        from = at + 3;
    }
}

trait EndsWith {
    fn to_ascii_lowercase_ends_with(&self, end: &str) -> bool;
}

impl EndsWith for str {
    /// Whether text ends so, in any case.
    fn to_ascii_lowercase_ends_with(&self, end: &str) -> bool {
        let start = self.len().checked_sub(end.len());
        start.and_then(|start| self.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    }
}

/// HTML with `/` at the end of empty elements, and quotes in text as numbers.
pub(super) fn xhtml(html: &str) -> String {
    const EMPTY: [&str; 3] = ["hr", "br", "img"];
    let mut out = String::with_capacity(html.len() + html.len() / 8);
    // What is open: nothing, a tag, or a value in a tag.
    let (mut in_tag, mut in_value, mut tag_start) = (false, false, 0);
    for (at, c) in html.char_indices() {
        match c {
            '<' if !in_tag => {
                (in_tag, tag_start) = (true, at + 1);
                out.push(c);
            }
            '"' if in_tag => {
                in_value = !in_value;
                out.push(c);
            }
            '>' if in_tag && !in_value => {
                in_tag = false;
                let tag = html.get(tag_start..at).unwrap_or_default();
                if EMPTY.contains(&tag.split(' ').next().unwrap_or_default()) {
                    out.push('/');
                }
                out.push(c);
            }
            '"' => out.push_str("&#34;"),
            '\'' if !in_tag => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, want) in [
            ("a http://e.org/x. b", Some((2, "http://e.org/x"))),
            ("(HTTPS://e.org)", Some((1, "HTTPS://e.org"))),
            ("xhttp://e.org ftp://f", Some((14, "ftp://f"))),
            ("http:// x", None),
            ("a://b", None),
            ("é://", None),
            ("", None),
        ] {
            assert_eq!(find_url(text), want, "{text}");
        }
    }

    #[test]
    fn empty_elements_and_quotes() {
        assert_eq!(
            xhtml("<p>\"a'<br><img alt=\"a>'b\"><hr></p>"),
            "<p>&#34;a&#39;<br/><img alt=\"a>'b\"/><hr/></p>"
        );
    }
}
