//! The step `tls`: whether the first exchange with a node got through TLS.
//!
//! Invariant: pure.

use crate::bucket::remote::Security;
use crate::bucket::remote::access::Access;
use crate::bucket::remote::failure::Failure;
use crate::bucket::report::Report;

/// Adds the step, from what the first exchange failed with. `plain` says why there is no TLS, where there is none. False if
/// the step failed.
pub fn report(
    access: &Access,
    security: Security,
    plain: &str,
    failure: Option<&Failure>,
    report: &mut Report,
) -> bool {
    match (security, failure) {
        (Security::Plain, _) => report.skipped("tls", plain),
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
