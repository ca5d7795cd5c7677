//! `/`: a page for people who open the address in a browser.

use rouille::Response;

const PAGE: &str = include_str!("home.html");

/// Returns the page. It loads nothing and runs nothing, and its fields forbid both.
pub(super) fn page() -> Response {
    Response::from_data("text/html; charset=utf-8", PAGE)
        .with_additional_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        .with_additional_header("X-Content-Type-Options", "nosniff")
        .with_additional_header("Cache-Control", "no-cache")
}
