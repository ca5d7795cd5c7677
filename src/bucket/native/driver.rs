//! How a database is opened and checked that is asked by its own driver.
//!
//! Invariant: opening it asks nobody; checking it reads one document and changes nothing.

use std::sync::Arc;

use super::Native;
use super::attempts::{self, Policy};
use super::database::NativeDatabase;
use super::shared::Shared;
use crate::bucket::driver::{Driver, Opening};
use crate::bucket::remote::check::{self, CodeSteps, SentinelRead};
use crate::bucket::remote::{Access, Plan, Product};
use crate::bucket::report::Report;
use crate::bucket::runtime::Runtime;
use crate::bucket::{BucketError, Database};
use crate::clock::{self, Deadline};
use crate::config::{DatabaseName, Settings};
use crate::model::DocumentId;

/// What a product supplies to be opened.
pub struct NativeDriver<N: Native> {
    /// The name of the database.
    pub name: DatabaseName,
    /// Its names and sentences.
    pub product: &'static Product,
    /// What its section says. [`BucketError::Misconfigured`] if it can never work.
    pub plan: fn(&Settings) -> Result<Plan, BucketError>,
    /// What is asked.
    pub native: fn(&Settings, &Access) -> N,
    /// Its steps of `check` between login and read.
    pub steps: fn(&Settings) -> CodeSteps,
    /// Why there is no TLS, where there is none.
    pub plain: &'static str,
}

impl<N: Native> NativeDriver<N> {
    fn database(&self, opening: &Opening) -> Result<NativeDatabase<N>, BucketError> {
        let Opening { settings, timeouts, observer, .. } = opening;
        let (plan_of, plan) = (self.plan, (self.plan)(settings)?);
        let access = Access::new(self.product, (&plan.login, &plan.tls), plan.security, *timeouts, observer)?;
        let native = (self.native)(settings, &access);
        let shared = Arc::new(Shared { access, native, client: Arc::default(), runtime: Runtime::start()? });
        let place = plan.place.clone();
        let reload_from = Box::new(move |new: &Settings| plan.reload_from(plan_of(new).ok()?));
        Ok(NativeDatabase { name: self.name, place, shared, reload_from })
    }
}

impl<N: Native> Driver for NativeDriver<N> {
    fn open(&self, opening: &Opening) -> Result<Arc<dyn Database>, BucketError> {
        Ok(Arc::new(self.database(opening)?))
    }

    fn check(&self, opening: &Opening, report: &mut Report) {
        let database = match self.database(opening) {
            Ok(database) => database,
            Err(error) => return report.wrong_settings(&error),
        };
        report.passed("settings", database.describe());
        let Shared { access, native, runtime, .. } = &*database.shared;
        let start = clock::now();
        let deadline = Deadline::after(start, opening.timeouts.operation);
        let nodes = match runtime.run(deadline, "DNS", native.nodes()) {
            Ok(Ok(nodes)) => nodes,
            Ok(Err(failure)) => return report.failed("dns", failure.error.reason()),
            Err(error) => return report.failed("dns", error.reason()),
        };
        let read = |_: &_| read_sentinel(&database.shared, deadline);
        check::run(access, &nodes, self.plain, read, &(self.steps)(opening.settings), report);
    }
}

/// Reads the sentinel, from whichever node the driver chooses.
fn read_sentinel<N: Native>(shared: &Shared<N>, deadline: Deadline) -> SentinelRead {
    let start = clock::now();
    let sentinel = DocumentId::sentinel();
    let outcome = attempts::run(shared, deadline, Policy::Read, |call| shared.native.get(call, &sentinel));
    let took = clock::now().saturating_duration_since(start);
    SentinelRead::from_outcome(outcome.map(|_| took), took)
}
