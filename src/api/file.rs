//! What is served as it is: pages that never change while the server runs, and what they load.
//!
//! Invariant: nothing is compressed here; a file that has a compressed twin got it when the program was built.

use std::borrow::Cow;
use std::io::Cursor;
use std::sync::OnceLock;

use rouille::{Request, Response, ResponseBody};

use super::{conditional, etag};
use crate::http::RequestContext;
use crate::pages::{self, Page, negotiation};

/// Caches may keep a file and ask each time whether it still holds: after an upgrade nobody sees an old one.
const CACHE_CONTROL: &str = "no-cache";

/// One file.
pub(super) struct File {
    media_type: &'static str,
    bytes: Cow<'static, [u8]>,
    gzip: Option<&'static [u8]>,
    /// The Content-Security-Policy, if it has one of its own.
    policy: Option<String>,
    /// Made when it is first needed: a digest of a large file takes a moment, which the start of the program has not.
    tag: OnceLock<String>,
}

impl File {
    /// Returns a file that is small enough as it is.
    pub fn new(media_type: &'static str, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { media_type, bytes: bytes.into(), gzip: None, policy: None, tag: OnceLock::new() }
    }

    /// Returns a file with its compressed twin.
    pub fn compressed(media_type: &'static str, bytes: &'static [u8], gzip: &'static [u8]) -> Self {
        Self { gzip: Some(gzip), ..Self::new(media_type, bytes) }
    }

    /// Returns a page as a file.
    pub fn of_page(page: &Page) -> Self {
        Self::new(pages::MEDIA_TYPE, page.text().into_bytes()).with_policy(page.policy())
    }

    /// Sets the Content-Security-Policy.
    pub fn with_policy(self, policy: String) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// Answers a request for it.
    pub fn answer(&self, request: &Request, context: &RequestContext) -> Response {
        let gzip = self.gzip.filter(|_| negotiation::accepts_gzip(request.header("accept-encoding")));
        let tag = self.tag.get_or_init(|| etag::of(&self.bytes));
        // A strong tag stands for the bytes that are sent (RFC 9110 §8.8.1), so each of the twins has its own.
        let tag = if gzip.is_some() { format!("{}-gzip\"", tag.trim_end_matches('"')) } else { tag.clone() };
        let mut response = conditional::answer(request, context, tag, CACHE_CONTROL.into(), || {
            let response = match (gzip, &self.bytes) {
                (Some(gzip), _) => from_static(gzip).with_additional_header("Content-Encoding", "gzip"),
                (None, Cow::Borrowed(bytes)) => from_static(bytes),
                (None, Cow::Owned(bytes)) => with_body(ResponseBody::from_data(bytes.clone())),
            };
            response.with_additional_header("Content-Type", self.media_type)
        });
        if self.gzip.is_some() {
            response = response.with_additional_header("Vary", "Accept-Encoding");
        }
        // A problem has its own.
        if let Some(policy) = self.policy.as_ref().filter(|_| response.status_code < 400) {
            response = response
                .with_additional_header("Content-Security-Policy", policy.clone())
                .with_additional_header("Referrer-Policy", pages::REFERRER_POLICY);
        }
        response
    }
}

fn from_static(bytes: &'static [u8]) -> Response {
    with_body(ResponseBody::from_reader_and_size(Cursor::new(bytes), bytes.len()))
}

fn with_body(data: ResponseBody) -> Response {
    Response { status_code: 200, headers: Vec::new(), data, upgrade: None }
}
