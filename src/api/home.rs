//! `/`: what this is, for a person who opens the address in a browser.

use rouille::Response;

const PAGE: &str = include_str!("home.html");

/// Answers with the page. It loads nothing and runs nothing, and says so to the browser.
pub(super) fn page() -> Response {
    Response::from_data("text/html; charset=utf-8", PAGE)
        .with_additional_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        .with_additional_header("X-Content-Type-Options", "nosniff")
}
