//! The step `tls`: whether the first exchange with a node got through TLS.
//!
//! Invariant: pure.

use crate::bucket::report::Report;
use crate::bucket::rest::access::Access;
use crate::bucket::rest::failure::Failure;
use crate::bucket::rest::nodes::Security;

/// Adds the step, from what the first exchange failed with. `scheme` is what a node without TLS is addressed by. False if
/// the step failed.
pub fn report(
    access: &Access,
    security: Security,
    scheme: &str,
    failure: Option<&Failure>,
    report: &mut Report,
) -> bool {
    match (security, failure) {
        (Security::Plain, _) => report.skipped("tls", format!("{scheme}:// is plain HTTP")),
        // Somebody accepted connections a moment ago: under TLS, what fails first is TLS.
        (Security::Tls, Some(failure)) if !failure.is_an_answer() => {
            report.failed("tls", failure.error.reason());
            return false;
        }
        (Security::Tls, _) if access.tls.is_verified() => report.passed("tls", "the certificate was accepted"),
        (Security::Tls, _) => report.passed(
            "tls",
            format!(
                "there is TLS, and the certificate was not looked at ({})",
                access.product.setting("danger_accept_invalid_certificates")
            ),
        ),
    }
    true
}
