//! `MongoDB`, by its own driver: `find` by `_id` or by several, `update` with `upsert`, and a range of `_id` for lists.
//!
//! A document is stored as members next to `_id`, so that other programs can read it: `to_bson` says as what,
//! `to_json` what comes back. `options` has the way from the settings to the driver, `documents` what is asked,
//! `meaning` what its errors mean.
//!
//! Invariant: all that is asynchronous runs in the futures that are handed out here.

mod documents;
mod meaning;
mod options;
mod product;
mod to_bson;
mod to_json;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mongodb::Client;

use super::native::{Call, ClientIdentity, Native, NativeDriver, Reply};
use super::remote::auth::Credentials;
use super::remote::check::{CodeStep, CodeSteps};
use super::remote::{Access, Endpoint, Failure, Operation, batch};
use super::{BucketError, CreateOptions, Cursor, Document, IsReserved, NewDocument, Outcome, Page};
use crate::config::{DatabaseName, Settings};
use crate::model::DocumentId;
use crate::observe::Observation;
use documents::Documents;
use meaning::{NO_COLLECTION, NO_RIGHT};
use options::{ClientSettings, NotOpened};
use product::{MONGODB, Target};

/// The driver of `MongoDB`.
pub static DRIVER: NativeDriver<Mongodb> = NativeDriver {
    name: DatabaseName::Mongodb,
    product: &MONGODB,
    plan: |settings| options::plan(&settings.mongodb),
    native: Mongodb::new,
    steps: |settings| {
        let collection = &settings.mongodb.collection;
        CodeSteps::new(vec![
            CodeStep { name: "role", codes: &[NO_RIGHT], passed: format!("{collection:?} may be read") },
            CodeStep { name: "collection", codes: &[NO_COLLECTION], passed: format!("{collection:?} is there") },
        ])
    },
    plain: "[mongodb] uri does not ask for it (tls=true)",
};

/// [`Native`] of `MongoDB`.
pub struct Mongodb {
    settings: ClientSettings,
    access: Access,
    documents: Arc<Documents>,
    /// It was said that a number is stored as another one.
    has_told_of_rounding: AtomicBool,
}

impl Mongodb {
    fn new(settings: &Settings, access: &Access) -> Self {
        Self {
            settings: ClientSettings::new(settings),
            access: access.clone(),
            documents: Arc::new(Documents::new(Target::new(&settings.mongodb), &access.tls)),
            has_told_of_rounding: AtomicBool::new(false),
        }
    }

    fn tell_of_rounding(&self) {
        if !self.has_told_of_rounding.swap(true, Ordering::Relaxed) {
            self.access.observer.emit(&Observation::NumberRounded { product: MONGODB.name });
        }
    }
}

/// For certificates, which the driver takes as files only.
fn no_temporary_file(error: &std::io::Error) -> Failure {
    let reason = format!(
        "a temporary file cannot be written for the certificates of [mongodb] ({}); make room in the folder for temporary \
         files, or set TMPDIR to another one",
        error.kind()
    );
    Failure::lasting(BucketError::misconfigured(reason))
}

impl Native for Mongodb {
    type Client = Client;

    fn reserved_members(&self) -> Option<IsReserved> {
        // In a document that replaces another one, a `$` would begin an operator.
        Some(|name| name == "_id" || name.starts_with('$'))
    }

    fn missing_codes(&self) -> &'static [&'static str] {
        &[NO_COLLECTION]
    }

    fn nodes(&self) -> Reply<Vec<Endpoint>> {
        let (settings, documents) = (self.settings.clone(), Arc::clone(&self.documents));
        let (security, timeouts) = (self.access.tls.security(), self.access.timeouts());
        Box::pin(async move {
            let options = settings
                .options(&Credentials::default(), &timeouts)
                .await
                .map_err(|error| documents.failure(&error, Operation::Read))?;
            Ok(options::nodes(&options.hosts, security))
        })
    }

    fn open(&self, identity: &ClientIdentity) -> Reply<Client> {
        let (settings, documents, identity) = (self.settings.clone(), Arc::clone(&self.documents), identity.clone());
        Box::pin(async move {
            settings.open(identity).await.map_err(|error| match error {
                NotOpened::ByDriver(error) => documents.failure(&error, Operation::Read),
                NotOpened::NoFile(error) => no_temporary_file(&error),
            })
        })
    }

    fn get(&self, call: Call<Client>, id: &DocumentId) -> Reply<Option<Document>> {
        let (documents, id) = (Arc::clone(&self.documents), id.as_str().to_owned());
        Box::pin(async move { documents.get(&call.client, &id, call.left).await })
    }

    fn get_many(&self, call: Call<Client>, ids: &[DocumentId]) -> Reply<Vec<Outcome>> {
        let (documents, ids) = (Arc::clone(&self.documents), ids.to_vec());
        Box::pin(async move { documents.get_many(&call.client, &ids, call.left).await })
    }

    fn fitting(&self, documents: &[NewDocument]) -> usize {
        batch::fitting(documents, batch::MOST_DOCUMENTS)
    }

    fn store(&self, call: Call<Client>, documents: &[NewDocument]) -> Reply<()> {
        let mut raw = Vec::with_capacity(documents.len());
        for NewDocument { id, text } in documents {
            match to_bson::document(id.as_str(), text) {
                Ok(stored) => {
                    if stored.is_rounded {
                        self.tell_of_rounding();
                    }
                    raw.push((id.clone(), stored.raw));
                }
                Err(why) => {
                    let reason = format!("MongoDB cannot hold a document: {why}; leave it out, or correct it");
                    let failure = Failure::lasting(BucketError::misconfigured(reason)).about(id);
                    return Box::pin(std::future::ready(Err(failure)));
                }
            }
        }
        let own = Arc::clone(&self.documents);
        Box::pin(async move { own.store(&call.client, raw, call.left).await })
    }

    fn list(&self, call: Call<Client>, after: Option<&Cursor>, most: usize) -> Reply<Page> {
        let (documents, after) = (Arc::clone(&self.documents), after.cloned());
        Box::pin(async move { documents.list(&call.client, after, most, call.left).await })
    }

    fn create(&self, call: Call<Client>, _: CreateOptions) -> Reply<Vec<String>> {
        let documents = Arc::clone(&self.documents);
        Box::pin(async move { documents.create(&call.client).await })
    }
}
