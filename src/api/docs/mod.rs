//! `/docs`, the real Swagger UI, and `/openapi.json`, which it shows.
//!
//! Invariant: nothing is loaded from elsewhere, and the policy of the page forbids it. The document is the file
//! `openapi.json`, which a test compares with what the types that answer say of themselves.

#[cfg(test)]
mod openapi;

use super::file::File;
use super::route::FileName;
use crate::pages;

/// The document, as it is served and as `userprofiles openapi` prints it.
pub const OPENAPI: &str = include_str!("openapi.json");

const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; \
                      img-src 'self' data:; script-src 'self'; style-src 'self'";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Returns a file that the build has compressed.
macro_rules! compressed {
    ($media_type:expr, $name:literal) => {
        File::compressed(
            $media_type,
            include_bytes!(concat!(env!("OUT_DIR"), "/", $name)),
            include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
        )
    };
}

/// The files of the documentation.
pub(super) struct Docs {
    page: File,
    style: File,
    script: File,
    swagger_ui: File,
    swagger_ui_style: File,
    openapi: File,
}

impl Docs {
    pub fn new() -> Self {
        Self {
            page: File::new(pages::MEDIA_TYPE, include_bytes!("docs.html").as_slice()).with_policy(POLICY.to_owned()),
            style: File::new(STYLE, include_bytes!("docs.css").as_slice()),
            script: File::new(SCRIPT, include_bytes!("docs.js").as_slice()),
            swagger_ui: compressed!(SCRIPT, "swagger-ui-bundle.js"),
            swagger_ui_style: compressed!(STYLE, "swagger-ui.css"),
            openapi: compressed!("application/json", "openapi.json"),
        }
    }

    /// Returns the file, if it is one of these.
    pub fn file(&self, name: FileName) -> Option<&File> {
        match name {
            FileName::Docs => Some(&self.page),
            FileName::DocsStyle => Some(&self.style),
            FileName::DocsScript => Some(&self.script),
            FileName::SwaggerUi => Some(&self.swagger_ui),
            FileName::SwaggerUiStyle => Some(&self.swagger_ui_style),
            FileName::OpenApi => Some(&self.openapi),
            FileName::Home | FileName::Favicon | FileName::Robots => None,
        }
    }
}
