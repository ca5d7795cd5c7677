//! From a planned request, or a refusal, to the bytes of its answer and its line in the access log.
//!
//! Invariant: every request gets one answer and one report, also if its handler panics or the drain ends before it
//! returns.

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use rouille::{Request, Response};

use super::drain::{InFlight, PendingAnswer};
use super::shared::{ListenerState, PlannedRequest};
use crate::clock::{self, Deadline};
use crate::http::application::{Fields, Plan};
use crate::http::context::{NO_ROUTE, RequestContext};
use crate::http::message::encode::{AnswerFrame, DateCache, encode};
use crate::http::message::framing::{Persistence, Version};
use crate::http::message::head::{self, Head};
use crate::http::message::refusal::Refusal;
use crate::http::message::request_id::RequestIds;
use crate::http::net::table::OpenConnection;
use crate::http::proxies::Client;
use crate::http::service::REQUEST_ID_FIELD;
use crate::observe::{Answered, Observation};
use crate::problem::{ALLOWED_METHODS, Problem, ProblemCode};

/// Stands for the method and the target of a request that has none.
const UNREAD: &str = "-";

/// What one thread answers with.
pub struct Responder {
    shared: Arc<ListenerState>,
    date: DateCache,
    ids: RequestIds,
    unreported: Vec<AccessRecord>,
}

/// A request that is being answered.
struct ActiveRequest {
    client: Option<Client>,
    request: Request,
    context: RequestContext,
    route: &'static str,
    version: Version,
    persistence: Persistence,
    since: Instant,
}

/// An answer that is not in the access log yet: it is sent first.
struct AccessRecord {
    active: ActiveRequest,
    status: u16,
    body_bytes: usize,
}

impl Responder {
    /// Returns a responder that has nothing to report.
    #[must_use]
    pub fn new(shared: Arc<ListenerState>) -> Self {
        Self { shared, date: DateCache::default(), ids: RequestIds::new(), unreported: Vec::new() }
    }

    /// Calls the handler of a request and appends its answer.
    pub fn answer(&mut self, connection: &mut OpenConnection, request: PlannedRequest) {
        let PlannedRequest { head, plan, since, share: _share } = request;
        let mut active = self.begin(connection.peer, head, since);
        let response = self.call_handler(&mut active, plan);
        self.append(connection, active, response);
    }

    /// Calls a handler that may block, with a record in `in_flight`. Appends nothing if the request was answered
    /// meanwhile because the drain ended.
    pub fn answer_blocking(&mut self, connection: &mut OpenConnection, request: PlannedRequest, in_flight: &InFlight) {
        let PlannedRequest { head, plan, since, share: _share } = request;
        // Behind an answer that is only partly sent, no other thread can send anything.
        let may_be_answered_by_others = !connection.state.has_output();
        let head_of_record = may_be_answered_by_others.then(|| head.clone());
        let mut active = self.begin(connection.peer, head, since);
        if let Some(head) = head_of_record {
            let request_id = active.context.request_id().to_owned();
            let (socket, peer) = (Arc::clone(&connection.socket), connection.peer);
            in_flight.begin(PendingAnswer { socket, peer, head, request_id, since });
        }
        let response = self.call_handler(&mut active, plan);
        if may_be_answered_by_others && in_flight.take().is_none() {
            connection.state.abandon();
            return;
        }
        self.append(connection, active, response);
    }

    /// Appends a 503 to a request that came at a bad moment.
    pub fn reject(&mut self, connection: &mut OpenConnection, head: Head, since: Instant, refusal: Refusal) {
        let active = self.begin(connection.peer, head, since);
        let is_draining = self.shared.drain_deadline().is_some();
        self.send_refusal(connection, active, if is_draining { Refusal::ShuttingDown } else { refusal });
    }

    /// Appends the answer to a head that is no request. The connection ends with it.
    pub fn refuse_head(&mut self, connection: &mut OpenConnection, refusal: Refusal, since: Instant) {
        let unread = connection.state.unread();
        let head = head::of_refused(unread, &self.shared.service.load().reads).unwrap_or_else(|| Head {
            // The method is not known to be right, but an answer to HEAD must not have a body.
            method: if unread.starts_with(b"HEAD ") { "HEAD" } else { UNREAD }.to_owned(),
            target: UNREAD.to_owned(),
            fields: Vec::new(),
            version: Version::Http11,
            persistence: Persistence::Close,
        });
        let active = self.begin(connection.peer, head, since);
        self.send_refusal(connection, active, refusal);
    }

    /// Answers a request in place of its worker, with 503. Returns false if the client does not take it at once.
    pub fn answer_unfinished(&mut self, pending: PendingAnswer) -> bool {
        let PendingAnswer { socket, peer, head, request_id, since } = pending;
        let active = self.active(peer, head, request_id, Deadline::never(since), since);
        let response = active.refuse(Refusal::ShuttingDown);
        let mut bytes = Vec::new();
        // There is no time left to wait for a client that does not read.
        let outcome = self.encode(active, Persistence::Close, response, &mut bytes);
        let Ok(record) = outcome.and_then(|record| socket.socket().write_all(&bytes).map(|()| record)) else {
            return false;
        };
        self.shared.observer.emit(&Observation::Rejected { reason: Refusal::ShuttingDown.reason() });
        self.unreported.push(record);
        true
    }

    /// Reports the answers that were sent since the last call.
    pub fn report(&mut self) {
        let now = clock::now();
        for AccessRecord { active, status, body_bytes } in self.unreported.drain(..) {
            self.shared.observer.emit(&Observation::Answered(&Answered {
                method: active.request.method(),
                target: active.request.raw_url(),
                route: active.route,
                status,
                body_bytes,
                duration: now.saturating_duration_since(active.since),
                request_id: active.context.request_id(),
                client: active.client.as_ref().map(|client| client as &dyn fmt::Display),
                protocol: active.version.as_str(),
                code: active.context.problem_code(),
            }));
        }
    }

    fn begin(&mut self, peer: Option<SocketAddr>, head: Head, since: Instant) -> ActiveRequest {
        let from_client = head.fields.iter().find(|(name, _)| name == REQUEST_ID_FIELD).map(|(_, id)| id.as_str());
        let request_id = self.ids.choose(from_client);
        let deadline = self.shared.drain_deadline().unwrap_or_else(|| Deadline::never(since));
        self.active(peer, head, request_id, deadline, since)
    }

    fn active(
        &self,
        peer: Option<SocketAddr>,
        head: Head,
        request_id: String,
        deadline: Deadline,
        since: Instant,
    ) -> ActiveRequest {
        let service = self.shared.service.load();
        let context = RequestContext::new(request_id, deadline, service.application.show_problem);
        let client = service.trusted_proxies.client(peer, &head.fields);
        ActiveRequest::new(peer, client, head, context, since)
    }

    fn call_handler(&self, active: &mut ActiveRequest, plan: Plan) -> Response {
        active.route = plan.route;
        let ActiveRequest { request, context, .. } = &*active;
        match catch_unwind(AssertUnwindSafe(|| (plan.handler)(request, context))) {
            Ok(response) => response,
            Err(_) => {
                self.shared.observer.emit(&Observation::WorkerPanicked { request_id: context.request_id() });
                let problem = Problem::new(ProblemCode::Internal, "This is a defect of the server; its log says more.");
                let response = context.problem(request, &problem);
                active.persistence = Persistence::Close;
                response
            }
        }
    }

    fn send_refusal(&mut self, connection: &mut OpenConnection, active: ActiveRequest, refusal: Refusal) {
        self.shared.observer.emit(&Observation::Rejected { reason: refusal.reason() });
        let response = active.refuse(refusal);
        self.append(connection, active, response);
    }

    fn append(&mut self, connection: &mut OpenConnection, active: ActiveRequest, response: Response) {
        let persistence = match active.persistence {
            // Requests that were received already are still answered.
            Persistence::KeepAlive if self.shared.drain_deadline().is_some() && !connection.state.has_input() => {
                Persistence::Close
            }
            as_requested => as_requested,
        };
        // Our bodies are in memory, and reading them cannot fail; if one did, nothing could be answered.
        let Ok(record) = self.encode(active, persistence, response, connection.state.output()) else {
            connection.state.abandon();
            return;
        };
        connection.state.answered(persistence, &self.shared.limits(), clock::now());
        self.unreported.push(record);
    }

    /// Completes, frames and encodes an answer: the one place where its bytes are made.
    fn encode(
        &mut self,
        active: ActiveRequest,
        persistence: Persistence,
        mut response: Response,
        output: &mut Vec<u8>,
    ) -> io::Result<AccessRecord> {
        (self.shared.service.load().application.complete)(&active.request, &mut Fields::of(&mut response));
        let status = response.status_code;
        let frame = AnswerFrame {
            method: active.request.method(),
            version: active.version,
            persistence,
            date: self.date.at(clock::wall()),
            request_id: active.context.request_id(),
        };
        let body_bytes = encode(response, &frame, output)?;
        Ok(AccessRecord { active, status, body_bytes })
    }
}

impl ActiveRequest {
    fn new(
        peer: Option<SocketAddr>,
        client: Option<Client>,
        head: Head,
        context: RequestContext,
        since: Instant,
    ) -> Self {
        // Clients on unix sockets have no address; no handler asks for one.
        let peer = peer.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Self {
            client,
            request: Request::fake_http_from(peer, head.method, head.target, head.fields, Vec::new()),
            context,
            route: NO_ROUTE,
            version: head.version,
            persistence: head.persistence,
            since,
        }
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let response = self.context.problem(&self.request, &refusal.problem());
        match refusal {
            // A 405 has an `Allow` (RFC 9110 §15.5.6): the methods that every path here allows.
            Refusal::Connect => response.with_additional_header("Allow", ALLOWED_METHODS),
            _ => response,
        }
    }
}
