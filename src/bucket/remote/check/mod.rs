//! The steps of `check` that all products share: from the name of a host to one read.
//!
//! A product whose nodes are all in the settings needs no more than [`run`], with its own [`ProductSteps`] between login and read;
//! one with a manager of its own puts the parts together itself.
//!
//! Invariant: asks and never changes anything; each exchange has the operation timeout, each connection the connect
//! timeout, so the whole ends.

mod code_steps;
mod dns;
mod login;
mod read;
pub mod tcp;
pub mod tls;

pub use code_steps::{CodeStep, CodeSteps};
pub use read::SentinelRead;

use super::access::Access;
use super::endpoint::Endpoint;
use crate::bucket::report::Report;

/// The steps of a product between login and read.
pub trait ProductSteps {
    /// Their names, in their order.
    fn names(&self) -> &[&'static str];

    /// Adds them to the report, from what the read of the sentinel has shown. Returns the name of the step that failed, if
    /// one did: the read then needs it.
    fn report(&self, read: &SentinelRead, report: &mut Report) -> Option<&'static str>;
}

/// No step between login and read.
pub struct NoProductSteps;

impl ProductSteps for NoProductSteps {
    fn names(&self) -> &[&'static str] {
        &[]
    }

    fn report(&self, _: &SentinelRead, _: &mut Report) -> Option<&'static str> {
        None
    }
}

/// Checks a database whose nodes are these, by the first one that can be connected to, which `read` reads the sentinel from.
/// `plain` says why there is no TLS, where there is none.
pub fn run(
    access: &Access,
    nodes: &[Endpoint],
    plain: &str,
    read: impl FnOnce(&Endpoint) -> SentinelRead,
    steps: &dyn ProductSteps,
    report: &mut Report,
) {
    let Some(node) = tcp::reach(nodes, access, report) else {
        report.skip_all(&["tls", "login"], "tcp");
        report.skip_all(steps.names(), "tcp");
        return report.skip_all(&["read"], "tcp");
    };
    let read = read(node);
    let broken = if !tls::report(access, node.security, plain, read.failure(), report) {
        report.skip_all(&["login"], "tls");
        Some("tls")
    } else if login::report(access, read.failure(), report) {
        None
    } else {
        Some("login")
    };
    if let Some(broken) = broken {
        report.skip_all(steps.names(), broken);
        return report.skip_all(&["read"], broken);
    }
    match steps.report(&read, report) {
        Some(broken) => report.skip_all(&["read"], broken),
        None => read.report(report),
    }
}
