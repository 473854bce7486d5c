//! From Markdown to HTML that is safe to show.
//!
//! The layout of the HTML (blank lines between blocks, tables row by row, XHTML ends of empty elements, quotes
//! as numbers) is that of the original.

use super::polish;
use pulldown_cmark::{Alignment, CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// How deep blocks and spans may nest; what is deeper keeps its text and loses its form. Cleaning HTML that
/// nests without end would take minutes.
const MAX_DEPTH: usize = 100;

/// Renders a document.
pub(super) fn render(source: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_SMART_PUNCTUATION;
    let mut layout = Layout::default();
    let events = Parser::new_ext(source, options).flat_map(|event| layout.event(event));
    let mut unsafe_html = String::with_capacity(source.len() * 2);
    html::push_html(&mut unsafe_html, events);
    polish::xhtml(&sanitizer().clean(&unsafe_html).to_string())
}

/// What users may write: no scripts, no styles, links of the usual schemes that search engines do not follow.
fn sanitizer() -> ammonia::Builder<'static> {
    let mut sanitizer = ammonia::Builder::default();
    sanitizer
        .link_rel(Some("nofollow"))
        .url_schemes(["mailto", "http", "https"].into())
        .add_generic_attributes(["id"]);
    sanitizer
}

/// Where in a document the events are.
#[derive(Default)]
struct Layout {
    /// Blocks and spans that are open.
    depth: usize,
    /// Whether a block has ended at the outermost level.
    after_block: bool,
    in_code: bool,
    in_link: usize,
    columns: Vec<Alignment>,
    column: usize,
    in_head: bool,
}

impl Layout {
    /// The events that stand for one event.
    fn event<'e>(&mut self, event: Event<'e>) -> Vec<Event<'e>> {
        let mut out = Vec::with_capacity(2);
        let starts = matches!(event, Event::Start(_) | Event::Rule | Event::Html(_));
        if self.depth == 0 && starts && std::mem::take(&mut self.after_block) {
            out.push(raw("\n"));
        }
        match &event {
            Event::Start(tag) => {
                self.depth += 1;
                match tag {
                    Tag::CodeBlock(_) => self.in_code = true,
                    Tag::Link { .. } | Tag::Image { .. } => self.in_link += 1,
                    _ => {}
                }
            }
            Event::End(tag) => {
                self.depth = self.depth.saturating_sub(1);
                match tag {
                    TagEnd::CodeBlock => self.in_code = false,
                    TagEnd::Link | TagEnd::Image => self.in_link = self.in_link.saturating_sub(1),
                    _ => {}
                }
            }
            _ => {}
        }
        self.after_block |= self.depth == 0 && matches!(event, Event::End(_) | Event::Rule);
        let is_too_deep = match &event {
            Event::Start(_) => self.depth > MAX_DEPTH,
            Event::End(_) => self.depth >= MAX_DEPTH,
            _ => false,
        };
        if is_too_deep {
            return out;
        }
        match event {
            Event::Start(Tag::Table(columns)) => {
                self.columns = columns;
                out.push(raw("<table>\n"));
            }
            Event::Start(Tag::TableHead) => {
                (self.in_head, self.column) = (true, 0);
                out.push(raw("<thead>\n<tr>\n"));
            }
            Event::End(TagEnd::TableHead) => {
                self.in_head = false;
                out.push(raw("</tr>\n</thead>\n\n<tbody>\n"));
            }
            Event::Start(Tag::TableRow) => {
                self.column = 0;
                out.push(raw("<tr>\n"));
            }
            Event::End(TagEnd::TableRow) => out.push(raw("</tr>\n")),
            Event::Start(Tag::TableCell) => {
                out.push(Event::Html(CowStr::from(self.cell_start())));
                self.column += 1;
            }
            Event::End(TagEnd::TableCell) => out.push(raw(if self.in_head { "</th>\n" } else { "</td>\n" })),
            Event::End(TagEnd::Table) => out.push(raw("</tbody>\n</table>\n")),
            Event::Text(text) if !self.in_code => polish::text(&text, self.in_link == 0, &mut out),
            other => out.push(other),
        }
        out
    }

    fn cell_start(&self) -> String {
        let name = if self.in_head { "th" } else { "td" };
        match self.columns.get(self.column) {
            Some(Alignment::Left) => format!("<{name} align=\"left\">"),
            Some(Alignment::Center) => format!("<{name} align=\"center\">"),
            Some(Alignment::Right) => format!("<{name} align=\"right\">"),
            Some(Alignment::None) | None => format!("<{name}>"),
        }
    }
}

fn raw(text: &'static str) -> Event<'static> {
    Event::Html(CowStr::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn markdown_1_documents() {
        for (source, want) in [
            ("# hello", "<h1>hello</h1>\n"),
            (
                "# a {#b}\ntext\nmore\n\n***\nend",
                "<h1 id=\"b\">a</h1>\n\n<p>text\nmore</p>\n\n<hr/>\n\n<p>end</p>\n",
            ),
            ("- a\n- b *c*\n", "<ul>\n<li>a</li>\n<li>b <em>c</em></li>\n</ul>\n"),
            (
                "| a | b |\n|---|--:|\n| 1 | 2 |\n",
                "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n\n<tbody>\n<tr>\n\
                 <td>1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>\n",
            ),
            ("\"a\" 'b' -- c... (c) (TM)", "<p>“a” ‘b’ – c… © ™</p>\n"),
            ("`\"x\" (c)`", "<p><code>&#34;x&#34; (c)</code></p>\n"),
            ("~~a~~", "<p><del>a</del></p>\n"),
            (
                "see http://e.org/a?b=1, <b>or</b> [http://x.org](http://y.org)",
                "<p>see <a href=\"http://e.org/a?b=1\" rel=\"nofollow\">http://e.org/a?b=1</a>, <b>or</b> \
                 <a href=\"http://y.org\" rel=\"nofollow\">http://x.org</a></p>\n",
            ),
            ("![t](/i.png)", "<p><img src=\"/i.png\" alt=\"t\"/></p>\n"),
        ] {
            assert_eq!(render(source), want, "{source}");
        }
    }

    #[test]
    fn nothing_dangerous_comes_out() {
        for source in [
            "<script>alert(1)</script>",
            "[x](javascript:alert%281%29)",
            "[x](JaVaScRiPt:x)",
            "![x](data:text/html;base64,xx)",
            "<img src=x onerror=alert(1)>",
            "<a href=\"vbscript:x\">x</a>",
            "<style>*{}</style><iframe src=/x></iframe>",
            "http://e.org/\"onclick=\"alert(1)",
            "<svg/onload=alert(1)>",
        ] {
            let html = render(source).to_lowercase();
            for bad in ["<script", "script:", "data:", "<style", "<iframe", "<svg"] {
                assert!(!html.contains(bad), "{source}: {html}");
            }
            // An attribute that runs something would stand in a tag.
            for tag in html.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
                assert!(!tag.contains(" on"), "{source}: {html}");
            }
        }
    }

    #[test]
    fn hostile_documents_take_no_long_time() {
        for piece in [
            "[", "*", "_a*", "> ", ">", "<div>", "<b>", "`", "- ", "![", "[](", "|\n|-", "http://", "\"",
            "(c)", "# ",
        ] {
            let source = piece.repeat(32768 / piece.len());
            let start = Instant::now();
            let html = render(&source);
            let spent = start.elapsed();
            assert!(spent < Duration::from_secs(10), "{piece}: {spent:?} for {} bytes", html.len());
        }
    }
}
