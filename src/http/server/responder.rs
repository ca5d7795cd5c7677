//! From a head to the bytes of its answer: calls the handler, and speaks for it where it cannot.
//!
//! Invariant: every request gets one answer and one report, also if its handler panics.

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use rouille::{Request, Response};

use super::Shared;
use super::drain::{InFlight, Waiting};
use crate::clock::{self, Deadline};
use crate::http::context::RequestContext;
use crate::http::message::encode::{AnswerFrame, DateCache, encode};
use crate::http::message::framing::{Persistence, Version};
use crate::http::message::grammar::path_of;
use crate::http::message::head::{self, Head};
use crate::http::message::refusal::Refusal;
use crate::http::message::request_id::RequestIds;
use crate::http::net::table::Wire;
use crate::observe::{Answered, Observation};
use crate::problem::{ALLOWED_METHODS, Problem, ProblemCode};

/// The field that carries a request id, in both directions.
pub const REQUEST_ID_FIELD: &str = "x-request-id";

/// One worker's means to answer.
pub struct Responder {
    shared: Arc<Shared>,
    in_flight: Arc<InFlight>,
    date: DateCache,
    ids: RequestIds,
    unreported: Vec<Report>,
}

/// One request on its way to its answer.
struct Exchange {
    request: Request,
    context: RequestContext,
    version: Version,
    persistence: Persistence,
    since: Instant,
}

/// An answer that is not in the access log yet: it goes out first.
struct Report {
    exchange: Exchange,
    status: u16,
    body_bytes: usize,
}

/// Stands for the method and the target of a request that has none.
const UNREAD: &str = "-";

impl Responder {
    /// A responder that leaves a record of what may take long in `in_flight`.
    pub fn new(shared: Arc<Shared>, in_flight: Arc<InFlight>) -> Self {
        Self { shared, in_flight, date: DateCache::default(), ids: RequestIds::new(), unreported: Vec::new() }
    }

    /// Answers a request from memory.
    pub fn answer(&mut self, wire: &mut Wire, head: Head, since: Instant) {
        let mut exchange = self.begin(wire, head, since);
        let response = self.call_handler(&mut exchange);
        self.append(wire, exchange, response);
    }

    /// Answers a request whose handler may wait. Should the drain end meanwhile, the last word is spoken in its place,
    /// and then nothing is appended.
    pub fn answer_waiting(&mut self, wire: &mut Wire, head: Head, since: Instant) {
        let mut exchange = self.begin(wire, head, since);
        // Behind answers that are only partly sent, nobody else can say anything.
        let others_may_answer = !wire.connection.has_output();
        if others_may_answer {
            self.in_flight.begin(Waiting {
                socket: Arc::clone(&wire.socket),
                method: exchange.request.method().to_owned(),
                target: exchange.request.raw_url().to_owned(),
                since,
                version: exchange.version,
                request_id: exchange.context.request_id().to_owned(),
            });
        }
        let response = self.call_handler(&mut exchange);
        if others_may_answer && self.in_flight.end().is_none() {
            wire.connection.abandon();
            return;
        }
        self.append(wire, exchange, response);
    }

    /// Answers 503 to a request that has waited for its turn too long.
    pub fn turn_away(&mut self, wire: &mut Wire, head: Head, since: Instant) {
        let exchange = self.begin(wire, head, since);
        let is_draining = self.shared.drain_end().is_some();
        self.say(wire, exchange, if is_draining { Refusal::ShuttingDown } else { Refusal::Overloaded });
    }

    /// Answers a request that no handler will see. The connection ends with it.
    pub fn refuse(&mut self, wire: &mut Wire, refusal: Refusal, since: Instant) {
        let unread = wire.connection.unread();
        let head = head::of_refused(unread, &self.shared.reads).unwrap_or_else(|| Head {
            // There is no method that could be trusted, but an answer to HEAD must not have a body.
            method: if unread.starts_with(b"HEAD ") { "HEAD" } else { UNREAD }.to_owned(),
            target: UNREAD.to_owned(),
            fields: Vec::new(),
            version: Version::Http11,
            persistence: Persistence::Close,
        });
        let exchange = self.begin(wire, head, since);
        self.say(wire, exchange, refusal);
    }

    /// Puts the answers that went out in the access log.
    pub fn report(&mut self) {
        let now = clock::now();
        for Report { exchange, status, body_bytes } in self.unreported.drain(..) {
            self.shared.observer.emit(&Observation::Answered(&Answered {
                method: exchange.request.method(),
                target: exchange.request.raw_url(),
                route: exchange.context.route(),
                status,
                body_bytes,
                duration: now.saturating_duration_since(exchange.since),
                request_id: exchange.context.request_id(),
                code: exchange.context.problem(),
            }));
        }
    }

    fn begin(&mut self, wire: &Wire, head: Head, since: Instant) -> Exchange {
        let from_client = head.fields.iter().find(|(name, _)| name == REQUEST_ID_FIELD).map(|(_, id)| id.as_str());
        let request_id = self.ids.choose(from_client);
        let deadline = self.shared.drain_end().unwrap_or_else(|| Deadline::never(since));
        // Peers on unix sockets have no address; no handler asks for one.
        let peer = wire.peer.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Exchange {
            request: Request::fake_http_from(peer, head.method, head.target, head.fields, Vec::new()),
            context: RequestContext::new(request_id, deadline),
            version: head.version,
            persistence: head.persistence,
            since,
        }
    }

    fn call_handler(&self, exchange: &mut Exchange) -> Response {
        let Exchange { request, context, .. } = &*exchange;
        match catch_unwind(AssertUnwindSafe(|| (self.shared.service.handle)(request, context))) {
            Ok(response) => response,
            Err(_) => {
                let request_id = context.request_id();
                self.shared.observer.emit(&Observation::WorkerPanicked { request_id });
                context.set_problem(ProblemCode::Internal);
                let problem = Problem::new(ProblemCode::Internal, "This is a defect of the server; its log says more.");
                let response = problem.response(Some(path_of(request.raw_url())), request_id);
                exchange.persistence = Persistence::Close;
                response
            }
        }
    }

    fn say(&mut self, wire: &mut Wire, exchange: Exchange, refusal: Refusal) {
        self.shared.observer.emit(&Observation::Rejected { reason: refusal.reason() });
        exchange.context.set_problem(refusal.code());
        let instance = Some(path_of(exchange.request.raw_url())).filter(|path| path.starts_with('/'));
        let mut response = refusal.problem().response(instance, exchange.context.request_id());
        if refusal == Refusal::Connect {
            // RFC 9110 §15.5.6: a 405 says what is allowed; what every path here allows stands for the server.
            response = response.with_additional_header("Allow", ALLOWED_METHODS);
        }
        self.append(wire, exchange, response);
    }

    fn append(&mut self, wire: &mut Wire, exchange: Exchange, response: Response) {
        let persistence = match exchange.persistence {
            // What the client has sent already is still answered.
            Persistence::KeepAlive if self.shared.drain_end().is_some() && !wire.connection.has_input() => {
                Persistence::Close
            }
            as_asked => as_asked,
        };
        let status = response.status_code;
        let framing = AnswerFrame {
            method: exchange.request.method(),
            version: exchange.version,
            persistence,
            date: self.date.at(clock::wall()),
            request_id: exchange.context.request_id(),
        };
        // Our bodies are in memory, and reading them cannot fail; if one did, there would be nothing left to say.
        let Ok(body_bytes) = encode(response, &framing, wire.connection.output()) else {
            wire.connection.abandon();
            return;
        };
        wire.connection.answered(persistence, &self.shared.limits, clock::now());
        self.unreported.push(Report { exchange, status, body_bytes });
    }
}
