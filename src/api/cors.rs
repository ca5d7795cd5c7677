//! Which web pages of other origins may read answers (the Fetch standard, "HTTP CORS protocol").
//!
//! Invariant: pure. Credentials are never allowed, and only an origin that the settings name is repeated.

use rouille::{Request, Response};

use crate::http::Fields;
use crate::problem::ALLOWED_METHODS;

/// What scripts may read of an answer besides what they always may.
const EXPOSED_FIELDS: &str = "ETag, X-Request-Id";

/// What scripts may send besides what they always may: what this server reads.
const ALLOWED_FIELDS: &str = "If-Match, If-None-Match, Traceparent, X-Request-Id";

/// For how long a browser need not ask again, in seconds: the longest that any of them takes (Chromium's two hours).
const MAX_AGE_S: &str = "7200";

/// The origins that may read answers (`[http] cors_allow_origins`).
pub(super) enum Cors {
    /// None.
    Off,
    /// All.
    Everybody,
    /// These.
    Origins(Vec<String>),
}

impl Cors {
    /// Creates it from the setting.
    pub fn new(origins: &[String]) -> Self {
        match origins {
            [] => Self::Off,
            [only] if only == "*" => Self::Everybody,
            origins => Self::Origins(origins.to_vec()),
        }
    }

    /// Returns the value of `Access-Control-Allow-Origin`; `None`: the origin of this request may not read the answer.
    fn allowed_origin(&self, request: &Request) -> Option<String> {
        let origin = || request.header("origin");
        match self {
            Self::Off => None,
            Self::Everybody => origin().map(|_| "*".to_owned()),
            Self::Origins(origins) => {
                origin().and_then(|origin| origins.iter().find(|allowed| *allowed == origin).cloned())
            }
        }
    }

    /// Adds to the answer to OPTIONS what a browser wants to know before it sends a request of another origin.
    pub fn answer_preflight(&self, request: &Request, response: Response) -> Response {
        if request.header("access-control-request-method").is_none() || self.allowed_origin(request).is_none() {
            return response;
        }
        response
            .with_additional_header("Access-Control-Allow-Methods", ALLOWED_METHODS)
            .with_additional_header("Access-Control-Allow-Headers", ALLOWED_FIELDS)
            .with_additional_header("Access-Control-Max-Age", MAX_AGE_S)
    }

    /// Adds to any answer whether the origin may read it.
    pub fn add_fields(&self, request: &Request, fields: &mut Fields) {
        if let Self::Origins(_) = self {
            // Also where there is no Origin: a cache must not give that answer to a page of another origin.
            fields.add("Vary", "Origin");
        }
        if let Some(origin) = self.allowed_origin(request) {
            fields.add("Access-Control-Allow-Origin", origin);
            fields.add("Access-Control-Expose-Headers", EXPOSED_FIELDS);
        }
    }
}
