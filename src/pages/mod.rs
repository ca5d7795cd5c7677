//! Web pages for people: what every page of both listeners looks like.
//!
//! Invariant: pure. A page loads nothing from anywhere: its style and its script are in it, and its Content-Security-Policy
//! allows these two by their hashes and nothing else. Text gets into a page by [`Html::text`], which escapes it.

pub mod negotiation;
mod problem;

pub use problem::{explanation, problem_or_json};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rouille::Response;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// The icon, as SVG. It is in each page, so that browsers do not ask for it.
pub const FAVICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" \
                           rx=\"7\" fill=\"#0b57a4\"/><circle cx=\"16\" cy=\"12.5\" r=\"5\" fill=\"#fff\"/><path d=\"M6 27c1-6 \
                           5-8.500 10-8.500s9 2.500 10 8.500z\" fill=\"#fff\"/></svg>";

/// What pages tell the pages to which they link of themselves: nothing.
pub const REFERRER_POLICY: &str = "no-referrer";

/// The media type of a page.
pub const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// One page.
pub struct Page<'a> {
    /// What a tab of the browser shows.
    pub title: &'a str,
    /// The path of the page that the name of the program leads to.
    pub home: &'a str,
    /// The links in its header: the path and the words.
    pub links: &'a [(&'a str, &'a str)],
    /// What is in it.
    pub body: Html,
    /// What runs in it, if anything does.
    pub script: Option<&'a str>,
}

impl Page<'_> {
    /// Returns its text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut html = Html::new();
        html.markup("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
            .markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
            .text(self.title)
            .markup("</title>\n<link rel=\"icon\" href=\"data:image/svg+xml;base64,")
            .markup(&STANDARD.encode(FAVICON))
            .markup("\">\n<style>")
            .markup(STYLE)
            .markup("</style>\n</head>\n<body>\n<header><a class=\"name\" href=\"")
            .text(self.home)
            .markup("\">userprofiles</a>");
        for (path, words) in self.links {
            html.markup("<a href=\"").text(path).markup("\">").text(words).markup("</a>");
        }
        html.markup("</header>\n<main>\n").markup(&self.body.0).markup("</main>\n");
        if let Some(script) = self.script {
            html.markup("<script>").markup(script).markup("</script>\n");
        }
        html.markup("</body>\n</html>\n");
        html.0
    }

    /// Returns its Content-Security-Policy (W3C CSP Level 3, §2.3.1: sources by hash).
    #[must_use]
    pub fn policy(&self) -> String {
        let mut policy = format!(
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src data:; style-src {}",
            hash_source(STYLE)
        );
        if let Some(script) = self.script {
            policy.push_str("; connect-src 'self'; script-src ");
            policy.push_str(&hash_source(script));
        }
        policy
    }

    /// Returns it as an answer.
    #[must_use]
    pub fn response(&self) -> Response {
        Response::from_data(MEDIA_TYPE, self.text())
            .with_additional_header("Content-Security-Policy", self.policy())
            .with_additional_header("Referrer-Policy", REFERRER_POLICY)
    }
}

fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// A piece of HTML that is being written.
#[derive(Default)]
pub struct Html(String);

impl Html {
    /// Returns an empty piece.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends markup as it is.
    pub fn markup(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends text, with whatever means something in HTML escaped.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Appends a paragraph of text, in which `code` is in backticks.
    pub fn paragraph(&mut self, text: &str) -> &mut Self {
        self.markup("<p>");
        for (number, part) in text.split('`').enumerate() {
            match number % 2 {
                0 => self.text(part),
                _ => self.markup("<code>").text(part).markup("</code>"),
            };
        }
        self.markup("</p>\n")
    }

    /// Appends a heading of the second level.
    pub fn heading(&mut self, text: &str) -> &mut Self {
        self.markup("<h2>").text(text).markup("</h2>\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(script: Option<&str>) -> Page<'_> {
        let mut body = Html::new();
        body.paragraph("a `b<c>` & \"d\"");
        Page { title: "<t>", home: "/", links: &[("/x", "X")], body, script }
    }

    #[test]
    fn text_is_escaped_wherever_it_stands() {
        let text = page(None).text();
        assert!(text.contains("<title>&lt;t&gt;</title>"), "{text}");
        assert!(text.contains("<p>a <code>b&lt;c&gt;</code> &amp; &quot;d&quot;</p>"), "{text}");
    }

    #[test]
    fn the_policy_allows_the_script_by_its_hash_and_nothing_else() {
        assert!(!page(None).policy().contains("script-src"));
        // openssl dgst -sha256 -binary | base64
        let policy = page(Some("alert(1)")).policy();
        assert!(policy.ends_with("; script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"), "{policy}");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    }
}
