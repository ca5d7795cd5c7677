//! The labels of the metrics.
//!
//! Invariant: every value is from a fixed set, whatever a client sends.

use prometheus_client::encoding::EncodeLabelSet;

/// Of `userprofiles_http_requests_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The method.
    pub method: &'static str,
    /// The template of the route.
    pub route: &'static str,
    /// The status of the answer.
    pub status: u16,
}

/// Of what is counted for each route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// The template of the route.
    pub route: &'static str,
}

/// Of `userprofiles_bucket_request_duration_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BucketLabels {
    /// The name of the database, as the settings have it.
    pub database: &'static str,
    /// `ok`, or the kind of the error.
    pub outcome: &'static str,
}

/// Declares a set of one label.
macro_rules! one_label {
    ($($(#[$doc:meta])* $name:ident { $label:ident })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub struct $name {
            /// The value.
            pub $label: &'static str,
        }
    )*};
}

one_label! {
    /// Of what is counted by its cause.
    Reason { reason }
    /// Of what is counted by the code of the problem.
    Code { code }
    /// Of what is counted by its kind.
    KindLabel { kind }
    /// Of what is counted by how it ended.
    Outcome { outcome }
    /// Of what is in one of several states.
    State { state }
    /// Of `userprofiles_build_info`.
    Version { version }
}

/// Returns the method as a label: those of RFC 9110 §9.3 and RFC 5789 by their names, all others as one.
#[must_use]
pub fn method(method: &str) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}
