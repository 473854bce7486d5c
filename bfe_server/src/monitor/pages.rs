//! The plain HTML pages that list what there is (monitor 1.1).

use jiff::Zoned;
use std::fmt::Write;

/// What all pages show.
pub(crate) struct Site {
    started: String,
}

impl Site {
    pub(super) fn new() -> Self {
        Self { started: Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string() }
    }

    /// `/`
    pub(super) fn index(&self) -> String {
        let links = ["monitor", "reload", "debug"].map(|s| (format!("/{s}"), s));
        self.page("Welcome to bfe", links.iter().map(|(to, text)| (to.as_str(), *text)))
    }

    /// `/monitor`, `/reload` or `/debug`.
    pub(super) fn section<N: AsRef<str>>(&self, section: &str, names: impl IntoIterator<Item = N>) -> String {
        let links: Vec<_> = names.into_iter().map(|n| (format!("/{section}/{}", n.as_ref()), n)).collect();
        let title = format!("{section} manual for bfe");
        self.page(&title, links.iter().map(|(to, text)| (to.as_str(), text.as_ref())))
    }

    fn page<'a>(&self, title: &str, links: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let mut page = format!(
            "<html>\n<body>\n<p>{title}</p>\n<p>version: {}</p>\n<p>start_at: {}</p>\n",
            crate::VERSION,
            self.started
        );
        for (to, text) in links {
            // Writing to memory cannot fail.
            let _ = writeln!(page, "<p><a href=\"{to}\">{text}</a></p>");
        }
        page.push_str("</body></html>");
        page
    }
}
