//! A database that is asked by its own driver, as the rest of the program sees it.
//!
//! Invariant: its runtime is started when it is opened and ends when it is dropped; opening it asks nobody.

use std::sync::Arc;

use super::Native;
use super::connection::NativeConnection;
use super::shared::Shared;
use crate::bucket::remote::ReloadFrom;
use crate::bucket::{Bucket, BucketError, BucketTimeouts, Database, IsReserved, Order};
use crate::clock::Deadline;
use crate::config::{DatabaseName, Settings};

/// A [`Database`] by its own driver.
pub struct NativeDatabase<N: Native> {
    pub(super) name: DatabaseName,
    /// Which documents, and where: the middle of [`Database::describe`].
    pub(super) place: String,
    pub(super) shared: Arc<Shared<N>>,
    pub(super) reload_from: Box<ReloadFrom>,
}

impl<N: Native> Database for NativeDatabase<N> {
    fn name(&self) -> DatabaseName {
        self.name
    }

    fn describe(&self) -> String {
        self.shared.access.describe(&self.place)
    }

    fn order(&self) -> Order {
        self.shared.native.order()
    }

    fn reserved_members(&self) -> Option<IsReserved> {
        self.shared.native.reserved_members()
    }

    fn reload(&self, settings: &Settings) -> Result<(), BucketError> {
        self.shared.access.reload(BucketTimeouts::from(&settings.bucket), (self.reload_from)(settings))
    }

    fn open(&self, _: &BucketTimeouts, deadline: Deadline) -> Result<Box<dyn Bucket>, BucketError> {
        Ok(Box::new(NativeConnection::new(&self.shared, deadline)))
    }
}
