//! `/`: a page for people who open the address in a browser.
//!
//! Invariant: the same for everybody. Without scripts the form still works: it asks `/users?username=…`.

use super::file::File;
use crate::pages::{Html, Page};
use crate::problem::ProblemCode;

/// The links to the documentation, where it is served.
const DOCS: [(&str, &str); 2] = [("/docs", "API docs"), ("/openapi.json", "OpenAPI")];

/// Whether `/docs` and `/openapi.json` are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DocsLinks {
    Shown,
    Hidden,
}

/// Returns the page.
pub(super) fn page(docs: DocsLinks) -> File {
    let mut body = Html::new();
    body.markup(include_str!("body.html"));
    body.heading("Problems").paragraph("Each problem that this server answers with has a page:").markup("<ul>\n");
    for code in ProblemCode::ALL {
        let status = code.status().to_string();
        body.markup("<li><a href=\"").text(&code.path()).markup("\">").text(code.title()).markup("</a> (");
        body.text(&status).markup(")</li>\n");
    }
    body.markup("</ul>\n");
    let links: &[(&str, &str)] = match docs {
        DocsLinks::Shown => &DOCS,
        DocsLinks::Hidden => &[],
    };
    File::of_page(&Page { title: "userprofiles", home: "/", links, body, script: Some(include_str!("home.js")) })
}
