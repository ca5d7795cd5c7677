//! Asks name servers for SRV records.
//!
//! `rsdns` makes the message, sends it by UDP, again by TCP if the answer was cut, and reads it. Its bound by TCP is one
//! on each read, and it compares names and ids by UDP only; so a look-up runs in a thread of its own, which is not
//! waited for any longer than the limit.
//!
//! Invariant: the caller waits no longer than the limit, and accepts only names that are valid in a URL.

use std::net::SocketAddr;
use std::time::Duration;

use rsdns::Error;
use rsdns::clients::std::Client;
use rsdns::clients::{ClientConfig, EDns};
use rsdns::message::RCode;
use rsdns::records::data::Srv;
use rsdns::records::{Class, RecordSet, Type};

use crate::clock::{self, Deadline};
use crate::threads::{self, NotDone};

/// How often each server is asked: what `resolv.conf(5)` has as its default. A datagram may get lost.
const ATTEMPTS: usize = 2;

/// The longest message of DNS, in bytes.
const LONGEST_MESSAGE: usize = 65_535;

/// What to ask, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Full names, to be tried one after the other.
    pub names: Vec<String>,
    /// Name servers, likewise.
    pub servers: Vec<SocketAddr>,
}

/// One host of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvTarget {
    /// The lowest is asked first.
    pub priority: u16,
    /// Among those of one priority, how often it is to be the first.
    pub weight: u16,
    /// Its name, without a point at its end; empty if there is no such service.
    pub host: String,
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// DNS was well, and has none.
    NoSuch,
    /// DNS did not answer as it should.
    Failed(&'static str),
}

const TOO_LATE: NoRecord = NoRecord::Failed("no name server answered in time ([bucket] connect_timeout)");

/// Looks a record up, for `limit` at most.
///
/// # Errors
/// [`NoRecord`]
pub fn look_up(question: Question, limit: Duration) -> Result<Vec<SrvTarget>, NoRecord> {
    if limit.is_zero() {
        return Err(TOO_LATE);
    }
    let deadline = Deadline::after(clock::now(), limit);
    match threads::run_within("couchbase-srv", limit, move || ask_for_names(&question, deadline)) {
        Ok(outcome) => outcome,
        Err(NotDone::NoThread(_)) => Err(NoRecord::Failed("no thread could be started for it")),
        Err(NotDone::TimedOut | NotDone::Panicked) => Err(TOO_LATE),
    }
}

/// The first name that has a record. A name that cannot be looked up does not keep the others from it.
fn ask_for_names(question: &Question, deadline: Deadline) -> Result<Vec<SrvTarget>, NoRecord> {
    let mut outcome = Err(NoRecord::NoSuch);
    for name in &question.names {
        match ask_servers(name, &question.servers, deadline) {
            Err(NoRecord::NoSuch) => {}
            Err(failed) => outcome = Err(failed),
            found => return found,
        }
    }
    outcome
}

/// One name. Each try gets its share of the time that is left.
fn ask_servers(name: &str, servers: &[SocketAddr], deadline: Deadline) -> Result<Vec<SrvTarget>, NoRecord> {
    let mut outcome = Err(TOO_LATE);
    let mut tries = servers.len() * ATTEMPTS;
    for server in servers.iter().cycle().take(tries) {
        let left = deadline.remaining(clock::now());
        if left.is_zero() {
            break;
        }
        let share = left / u32::try_from(tries).unwrap_or(u32::MAX);
        tries -= 1;
        outcome = match ask(name, *server, share, EDns::On { version: 0, udp_payload_size: 1232 }) {
            // Old servers do not know the extension for longer datagrams.
            Err(Error::BadResponseCode(RCode::FORMERR | RCode::NOTIMP)) => ask(name, *server, share, EDns::Off),
            outcome => outcome,
        }
        .map_err(|error| meaning(&error));
        if matches!(outcome, Ok(_) | Err(NoRecord::NoSuch)) {
            break;
        }
    }
    outcome
}

fn ask(name: &str, server: SocketAddr, share: Duration, extension: EDns) -> Result<Vec<SrvTarget>, Error> {
    let config = ClientConfig::with_nameserver(server)
        .set_query_lifetime(share)
        .set_query_timeout(None)
        .set_edns(extension)
        // The buffer is ours.
        .set_buffer_size(0);
    let mut buffer = vec![0; LONGEST_MESSAGE];
    let length = Client::new(config)?.query_raw(name, Type::SRV, Class::IN, &mut buffer)?;
    let records = RecordSet::<Srv>::from_msg(&buffer[..length])?;
    Ok(records.rdata.into_iter().map(SrvTarget::from).collect())
}

impl From<Srv> for SrvTarget {
    fn from(srv: Srv) -> Self {
        let host = srv.target.as_str().trim_end_matches('.').to_ascii_lowercase();
        Self { priority: srv.priority, weight: srv.weight, host }
    }
}

fn meaning(error: &Error) -> NoRecord {
    match error {
        Error::NoAnswer | Error::BadResponseCode(RCode::NXDOMAIN) => NoRecord::NoSuch,
        Error::Timeout => TOO_LATE,
        Error::IoError(_) => NoRecord::Failed("the name server cannot be reached"),
        Error::BadResponseCode(_) => NoRecord::Failed("the name server refuses to answer, or cannot"),
        _ => NoRecord::Failed("the name server's answer is broken, or the name is none of DNS"),
    }
}
