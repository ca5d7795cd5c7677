//! The pages about problems: the one that a browser gets instead of a problem document, and the one that explains a code.
//!
//! Invariant: pure. They say what the problem document says, and what `problem` explains.

use rouille::{Request, Response};

use super::{Html, Page, negotiation};
use crate::problem::{Problem, ProblemCode};

/// Answers with a problem: as a page for those who prefer pages, and as a problem document for everybody else. `path` is
/// what was asked for.
#[must_use]
pub fn problem_or_json(request: &Request, problem: &Problem, path: Option<&str>, request_id: &str) -> Response {
    let response = if negotiation::prefers_html(request.header("accept")) {
        page(problem, path, request_id)
    } else {
        problem.response(path, request_id)
    };
    response.with_additional_header("Vary", "Accept")
}

fn page(problem: &Problem, path: Option<&str>, request_id: &str) -> Response {
    let code = problem.code;
    let mut body = Html::new();
    title(&mut body, code);
    if problem.detail.eq_ignore_ascii_case(code.title()) {
        body.paragraph(code.explanation().meaning);
    } else {
        body.markup("<p class=\"lead\">").text(&problem.detail).markup("</p>\n");
    }
    body.paragraph(code.explanation().caller);
    body.markup("<table>\n");
    if let Some(path) = path {
        row(&mut body, "Address", path);
    }
    row(&mut body, "Request id", request_id);
    body.markup("</table>\n<p><a href=\"").text(&code.path()).markup("\">More about this problem</a></p>\n");
    Page { title: &format!("{} – userprofiles", code.title()), home: "/", links: &[], body, script: None }
        .response()
        .with_status_code(code.status())
}

/// Returns the page that explains a code.
#[must_use]
pub fn explanation(code: ProblemCode) -> Page<'static> {
    let explanation = code.explanation();
    let mut body = Html::new();
    title(&mut body, code);
    body.heading("What it means").paragraph(explanation.meaning);
    body.heading("What the caller can do").paragraph(explanation.caller);
    body.heading("What the operator can do").paragraph(explanation.operator);
    body.markup("<p>Programs recognise this problem by its <code>type</code>, <code>")
        .text(&code.path())
        .markup("</code>.</p>\n");
    Page { title: code.title(), home: "/", links: &[], body, script: None }
}

fn title(body: &mut Html, code: ProblemCode) {
    body.markup("<p class=\"status\">HTTP status ").text(&code.status().to_string()).markup("</p>\n<h1>");
    body.text(code.title()).markup("</h1>\n");
}

fn row(body: &mut Html, name: &str, value: &str) {
    body.markup("<tr><th scope=\"row\">")
        .text(name)
        .markup("</th><td><code>")
        .text(value)
        .markup("</code></td></tr>\n");
}
