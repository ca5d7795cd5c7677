//! A product whose nodes are all in its section of the settings: how it is opened, reloaded and checked.
//!
//! Invariant: the secrets of another place, or of another user, are never sent to the nodes that were opened.

use std::sync::Arc;

use super::check;
use super::cluster::Cluster;
use super::database::RestDatabase;
use super::nodes::{Fixed, Nodes};
use super::protocol::Protocol;
use crate::bucket::driver::{Driver, Opening};
use crate::bucket::remote::Plan;
use crate::bucket::remote::access::Access;
use crate::bucket::remote::auth::LoginConfig;
use crate::bucket::remote::check::CodeSteps;
use crate::bucket::remote::{Endpoint, Security};
use crate::bucket::report::Report;
use crate::bucket::{BucketError, Database};
use crate::config::{DatabaseName, RestSettings, Settings, Url};

/// What a product supplies.
pub struct RestDriver {
    /// The name of the database.
    pub name: DatabaseName,
    /// What is asked, and what a response means.
    pub protocol: fn(&Settings) -> Box<dyn Protocol>,
    /// What its section says.
    pub plan: fn(&Settings) -> Plan,
    /// Its steps of `check` between login and read.
    pub steps: fn(&Settings) -> CodeSteps,
}

/// The plan of a section that names its nodes by URLs. `documents` says which, as in `the database "users"`.
#[must_use]
pub fn plan(documents: &str, login: LoginConfig, rest: &RestSettings) -> Plan {
    let nodes = rest.urls.iter().map(endpoint).collect();
    Plan::new(documents, login, rest.tls.clone(), nodes)
}

fn endpoint(url: &Url) -> Endpoint {
    let security = if url.scheme.is_tls() { Security::Tls } else { Security::Plain };
    Endpoint { prefix: url.path_prefix.clone(), ..Endpoint::new(security, url.host.clone(), url.port) }
}

impl RestDriver {
    fn database(&self, opening: &Opening) -> Result<RestDatabase, BucketError> {
        let Opening { settings, timeouts, observer, .. } = opening;
        let (plan_of, plan, protocol) = (self.plan, (self.plan)(settings), (self.protocol)(settings));
        let product = protocol.product();
        let access = Access::new(product, (&plan.login, &plan.tls), plan.security, *timeouts, observer)?;
        let nodes = Arc::new(Nodes::new(product, timeouts, observer));
        nodes.set(&plan.nodes);
        let cluster = Cluster { access, protocol, nodes, discovery: Arc::new(Fixed) };
        let place = plan.place.clone();
        RestDatabase::open(self.name, place, cluster, Box::new(move |new| plan.reload_from(plan_of(new))))
    }
}

impl Driver for RestDriver {
    fn open(&self, opening: &Opening) -> Result<Arc<dyn Database>, BucketError> {
        Ok(Arc::new(self.database(opening)?))
    }

    fn check(&self, opening: &Opening, report: &mut Report) {
        let database = match self.database(opening) {
            Ok(database) => database,
            Err(error) => return report.wrong_settings(&error),
        };
        report.passed("settings", database.describe());
        let nodes = (self.plan)(opening.settings).nodes;
        check::run(database.cluster(), &nodes, &(self.steps)(opening.settings), report);
    }
}
