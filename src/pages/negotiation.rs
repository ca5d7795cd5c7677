//! What a client prefers: `Accept` (RFC 9110 §12.5.1) and `Accept-Encoding` (§12.5.3).
//!
//! Invariant: pure. Whoever prefers nothing, or prefers nonsense, gets what programs want: JSON, uncompressed.

/// Weights are thousandths (RFC 9110 §12.4.2).
type Weight = u16;

/// Returns true for those who would rather have a web page than JSON: browsers.
#[must_use]
pub fn prefers_html(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return false };
    let json = ["application/problem+json", "application/json"].map(|media_type| weight_of(accept, media_type));
    weight_of(accept, "text/html") > json.into_iter().max().unwrap_or(0)
}

/// Returns true for those who would rather have JSON than a web page: it is named, and pages are not liked better.
#[must_use]
pub fn prefers_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return false };
    let names_json = accept.split([',', ';']).any(|range| range.trim().eq_ignore_ascii_case("application/json"));
    let json = weight_of(accept, "application/json");
    names_json && json > 0 && json >= weight_of(accept, "text/html")
}

/// Returns true for those who read gzip.
#[must_use]
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    accept_encoding.is_some_and(|codings| weight_of(codings, "gzip") > 0)
}

/// The weight of a name in a list; of ranges that cover it, the most precise one counts.
fn weight_of(list: &str, name: &str) -> Weight {
    let kind = name.split_once('/').map(|(kind, _)| kind);
    let precision = |range: &str| match range {
        "*" | "*/*" => Some(0),
        range if range.eq_ignore_ascii_case(name) => Some(2),
        range => (range.strip_suffix("/*")?.eq_ignore_ascii_case(kind?)).then_some(1),
    };
    let weights = list.split(',').filter_map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let precision = precision(parts.next()?)?;
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((precision, quality.map_or(1000, thousandths)))
    });
    weights.max().map_or(0, |(_, weight)| weight)
}

fn thousandths(quality: &str) -> Weight {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    quality.parse::<f32>().map_or(0, |quality| (quality.clamp(0.0, 1.0) * 1000.0) as Weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_prefer_pages_and_programs_do_not() {
        for (accept, html) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", true),
            ("text/html", true),
            ("TEXT/HTML", true),
            ("text/*", true),
            ("text/html;q=0.5, application/json;q=0.4", true),
            ("text/html;level=1", true),
            ("*/*", false),
            ("", false),
            ("application/json", false),
            ("application/problem+json, text/html;q=0.9", false),
            ("application/json, text/html", false),
            ("text/html;q=0", false),
            ("text/html;q=x", false),
            ("image/*", false),
            (";;,,=", false),
        ] {
            assert_eq!(prefers_html(Some(accept)), html, "{accept}");
        }
        assert!(!prefers_html(None));
    }

    #[test]
    fn json_is_preferred_by_those_who_name_it() {
        for (accept, json) in [
            ("application/json", true),
            ("application/json, text/html", true),
            ("application/json;q=0.5, text/html", false),
            ("*/*", false),
            ("*/*, text/json", false),
            ("application/json;q=0", false),
            ("text/html", false),
        ] {
            assert_eq!(prefers_json(Some(accept)), json, "{accept}");
        }
        assert!(!prefers_json(None));
    }

    #[test]
    fn gzip_counts_unless_it_is_refused() {
        for (codings, gzip) in [
            ("gzip, deflate, br", true),
            ("*", true),
            ("br", false),
            ("gzip;q=0", false),
            ("*, gzip;q=0", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(Some(codings)), gzip, "{codings}");
        }
        assert!(!accepts_gzip(None));
    }
}
