//! One HTTP exchange with a node, over `ureq`.
//!
//! Invariant: an exchange never outlives its deadline by more than a thread needs to wake up, every failure of `ureq`
//! has one meaning for us (see [`failure`]).

mod coalesce;
mod resolver;

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ureq::http::{self, header::ETAG};
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, Transport};
use ureq::{Agent, Body, Error, RequestBuilder, Timeout};
use zeroize::Zeroizing;

use super::message::{Completeness, Method, Request, Response};
use super::tls_connector::{self, TlsConnector};
use crate::bucket::remote::auth::Credentials;
use crate::bucket::remote::failure::{Failure, Retry};
use crate::bucket::remote::names::Names;
use crate::bucket::remote::tls::{Configuration, Tls};
use crate::bucket::{BucketError, BucketTimeouts};
use crate::clock::{self, Deadline};
use coalesce::Coalesce;
use resolver::NodeResolver;

/// How long a connection may be idle and be used again. There are servers that close it after five seconds.
pub const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// The buffers of a connection, in bytes: `ureq` zeroes them for each new one, and its defaults are 128 KiB.
const INPUT_BUFFER_BYTES: usize = 16 * 1024;
const OUTPUT_BUFFER_BYTES: usize = 4 * 1024;

/// What is taken for an answer's body at first, in bytes, unless it is said to be shorter: every byte of it is wiped in
/// the end. A peer's `Content-Length` alone never makes us take more.
const FIRST_BUFFER_BYTES: usize = 16 * 1024;

/// A timeout that comes with less than this left was the deadline's: `ureq` counts some waits in whole milliseconds.
const CLOCK_GRAIN: Duration = Duration::from_millis(2);

/// A client with at most one connection, which it keeps between exchanges.
pub struct Client {
    agent: Agent,
    dials: Arc<AtomicUsize>,
    tls: Arc<Tls>,
    resolver: NodeResolver,
    /// What held when this was made.
    configuration: Option<Arc<Configuration>>,
}

impl Client {
    /// Opens nothing yet: the first exchange dials.
    #[must_use]
    pub fn new(timeouts: &BucketTimeouts, tls: &Arc<Tls>, names: &Arc<Names>) -> Self {
        let dials = Arc::new(AtomicUsize::new(0));
        let config = Agent::config_builder()
            // HTTP_PROXY in our environment is not meant for the way to our database.
            .proxy(None)
            // The body of an error says more than its status.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(MAX_IDLE_AGE)
            .input_buffer_size(INPUT_BUFFER_BYTES)
            .output_buffer_size(OUTPUT_BUFFER_BYTES)
            .user_agent(concat!("userprofiles/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            // Each exchange has its own bound over all its phases; this one only says that there always is one.
            .timeout_global(Some(timeouts.batch.max(timeouts.operation)))
            .build();
        let connector = DefaultConnector::default()
            .chain(CountDials(Arc::clone(&dials)))
            .chain(TlsConnector::new(Arc::clone(tls)))
            .chain(Coalesce);
        let resolver = NodeResolver::new(names);
        let agent = Agent::with_parts(config, connector, resolver.clone());
        Self { agent, dials, tls: Arc::clone(tls), resolver, configuration: tls.current() }
    }

    /// A client like this one, without its connection and with the certificates of now.
    #[must_use]
    pub fn anew(&self, timeouts: &BucketTimeouts) -> Self {
        Self::new(timeouts, &self.tls, self.resolver.names())
    }

    /// False once there are other certificates than those that this was made with.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.configuration.as_ref().map(Arc::as_ptr) == self.tls.current().as_ref().map(Arc::as_ptr)
    }

    /// Sends a request to `base_url`, such as `http://127.0.0.1:8093`. `peer` is who answers there, in words for a reason.
    ///
    /// # Errors
    /// [`Failure`] if there was no response, or not all of it.
    pub fn send(
        &self,
        base_url: &str,
        request: &Request,
        peer: &str,
        options: &SendOptions,
    ) -> Result<Response, Failure> {
        let url = format!("{base_url}{}", request.path);
        let (builder, body) = match &request.method {
            Method::Get => {
                return self.exchange(self.agent.get(url), request, peer, options, RequestBuilder::call);
            }
            Method::Post(body) => (self.agent.post(url), body),
            Method::Put(body) => (self.agent.put(url), body),
            Method::Delete(body) => (self.agent.delete(url).force_send_body(), body),
        };
        let builder = builder.content_type("application/json");
        self.exchange(builder, request, peer, options, |builder| builder.send(body.bytes()))
    }

    fn exchange<Kind>(
        &self,
        builder: RequestBuilder<Kind>,
        request: &Request,
        peer: &str,
        options: &SendOptions,
        send: impl FnOnce(RequestBuilder<Kind>) -> Result<http::Response<Body>, Error>,
    ) -> Result<Response, Failure> {
        let left = options.deadline.remaining(clock::now());
        if left.is_zero() {
            let reason = format!("no time was left to ask {peer}");
            return Err(Failure::not_sent(BucketError::timeout(reason)));
        }
        let mut builder = builder.config().timeout_global(Some(left)).build();
        for (name, value) in &request.fields {
            builder = builder.header(*name, value);
        }
        if let Some(traceparent) = options.traceparent {
            builder = builder.header("traceparent", traceparent);
        }
        if let Some(authorization) = options.credentials.authorization() {
            builder = builder.header("authorization", authorization);
        }
        let dials = self.dials.load(Ordering::Relaxed);
        let response = send(builder).map_err(|error| {
            self.resolver.forget(options.host);
            let was_kept = self.dials.load(Ordering::Relaxed) == dials;
            let failure = failure(&error, Phase::Head, peer, options.deadline, &self.tls);
            if was_kept && is_disconnection(&error) { failure.with(Retry::Reconnect) } else { failure }
        })?;
        let status = response.status().as_u16();
        let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let expected = response.body().content_length();
        let (body, completeness) = read_body(&mut response.into_body().into_reader(), expected, options.max_bytes)
            .map_err(|error| failure(&Error::from(error), Phase::Body, peer, options.deadline, &self.tls))?;
        Ok(Response { status, etag, body, completeness })
    }
}

/// The bounds of one exchange, and who asks.
pub struct SendOptions<'a> {
    /// The host of the URL.
    pub host: &'a str,
    /// See [`Credentials`].
    pub credentials: &'a Credentials,
    /// When the response is of no use any more.
    pub deadline: Deadline,
    /// How much of a body is read, in bytes.
    pub max_bytes: usize,
    /// The client's own `traceparent`.
    pub traceparent: Option<&'a str>,
}

/// How far an exchange had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No status line yet.
    Head,
    /// The body.
    Body,
}

/// What a failure of `ureq` means, and what may help: another node, unless the fault is in our own request.
fn failure(error: &Error, phase: Phase, peer: &str, deadline: Deadline, tls: &Tls) -> Failure {
    Failure::of_node(match tls_connector::cause(error).map(|error| tls.fault(error)) {
        Some(fault) => fault.error(peer),
        None => meaning(error, phase, peer, deadline, &tls.product().hosts_setting()),
    })
}

/// Every variant that can come up here has its own arm.
fn meaning(error: &Error, phase: Phase, peer: &str, deadline: Deadline, hosts: &str) -> BucketError {
    let unavailable = |what: &str| BucketError::Unavailable { reason: format!("{peer} {what}") };
    let misconfigured = |what: &str| BucketError::Misconfigured { reason: format!("{peer} {what}") };
    let timeout = |what: &str| BucketError::Timeout { reason: format!("{peer} {what}") };
    match error {
        Error::Timeout(_) if deadline.remaining(clock::now()) < CLOCK_GRAIN => timeout("did not answer in time"),
        Error::Timeout(Timeout::Resolve) => unavailable("was not found by name in time ([bucket] connect_timeout)"),
        Error::Timeout(Timeout::Connect) => unavailable("could not be connected to in time ([bucket] connect_timeout)"),
        Error::Timeout(_) => timeout("did not answer in time"),
        Error::HostNotFound => unavailable("was not found: its name has no address"),
        Error::Io(error) => unavailable(&format!("could not be reached, or the connection broke: {error}")),
        Error::ConnectionFailed | Error::BodyStalled => unavailable("could not be reached, or the connection broke"),
        Error::Protocol(_) | Error::LargeResponseHeader(..) if phase == Phase::Head => {
            misconfigured(&format!("does not speak HTTP; check the hosts and ports of {hosts}"))
        }
        Error::Protocol(_) => unavailable("sent a malformed response body"),
        Error::Tls(_) | Error::TlsRequired => {
            misconfigured(&format!("could not be reached over TLS; check the hosts of {hosts}"))
        }
        Error::Http(_) | Error::BadUri(_) => misconfigured("has a name that is not valid in a URL"),
        // Redirects, statuses as errors, proxies and bodies of a fixed length are switched off or not used.
        other => unavailable(&format!("could not be asked: {other}")),
    }
}

/// How a peer's closing of a connection shows in what follows.
fn is_disconnection(error: &Error) -> bool {
    let Error::Io(error) = error else { return false };
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
    )
}

/// Reads a body to its end, or to the limit, without leaving copies behind: a vector that grows by itself would.
fn read_body(
    reader: &mut impl Read,
    expected: Option<u64>,
    max_bytes: usize,
) -> io::Result<(Zeroizing<Vec<u8>>, Completeness)> {
    let expected = expected.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(FIRST_BUFFER_BYTES);
    // A byte of room more, so that the end of the body is found before more room is looked for.
    let first = expected.saturating_add(1).min(FIRST_BUFFER_BYTES).min(max_bytes + 1);
    let mut buffer = Zeroizing::new(vec![0; first]);
    let mut filled = 0;
    loop {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled > max_bytes {
            break;
        }
        if filled == buffer.len() {
            let mut larger = Zeroizing::new(vec![0; (filled * 2).min(max_bytes + 1)]);
            larger[..filled].copy_from_slice(&buffer);
            buffer = larger;
        }
    }
    buffer.truncate(filled);
    Ok((buffer, if filled > max_bytes { Completeness::Truncated } else { Completeness::Complete }))
}

/// Counts the connections that are opened: an exchange that opened none used the kept one.
#[derive(Debug)]
struct CountDials(Arc<AtomicUsize>);

impl<In: Transport> Connector<In> for CountDials {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(chained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::ErrorKind as Kind;

    fn kind(error: &Error, phase: Phase, deadline: Deadline) -> Kind {
        meaning(error, phase, "the peer", deadline, "[toy] urls").kind()
    }

    #[test]
    fn failures_of_the_transport_fall_in_the_rows_of_the_contract() {
        let now = clock::now();
        let io = |kind: ErrorKind| Error::Io(kind.into());
        for (error, phase, expected) in [
            (io(ErrorKind::ConnectionRefused), Phase::Head, Kind::Unavailable),
            (io(ErrorKind::ConnectionReset), Phase::Head, Kind::Unavailable),
            (io(ErrorKind::HostUnreachable), Phase::Head, Kind::Unavailable),
            (io(ErrorKind::UnexpectedEof), Phase::Body, Kind::Unavailable),
            (Error::HostNotFound, Phase::Head, Kind::Unavailable),
            (Error::Timeout(Timeout::Resolve), Phase::Head, Kind::Unavailable),
            (Error::Timeout(Timeout::Connect), Phase::Head, Kind::Unavailable),
            (Error::Timeout(Timeout::Global), Phase::Head, Kind::Timeout),
            (Error::Timeout(Timeout::Global), Phase::Body, Kind::Timeout),
            (Error::LargeResponseHeader(2, 1), Phase::Head, Kind::Misconfigured),
            (Error::Tls("no"), Phase::Head, Kind::Misconfigured),
            (Error::BadUri("x".to_owned()), Phase::Head, Kind::Misconfigured),
            (Error::ConnectionFailed, Phase::Head, Kind::Unavailable),
        ] {
            assert_eq!(kind(&error, phase, Deadline::never(now)), expected, "{error:?}");
        }
        let over = Deadline::after(now, Duration::ZERO);
        assert_eq!(kind(&Error::Timeout(Timeout::Connect), Phase::Head, over), Kind::Timeout);
    }

    #[test]
    fn a_body_is_read_to_its_end_or_to_the_limit_whichever_way_it_comes() {
        /// Gives out its bytes in pieces of an odd size.
        struct Pieces<'a>(&'a [u8]);

        impl Read for Pieces<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let size = self.0.len().min(buffer.len()).min(4099);
                buffer[..size].copy_from_slice(&self.0[..size]);
                self.0 = &self.0[size..];
                Ok(size)
            }
        }

        let bytes: Vec<u8> = (0..100_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        for (size, limit, expected_completeness) in [
            (0, 0, Completeness::Complete),
            (1, 0, Completeness::Truncated),
            (16_384, 16_384, Completeness::Complete),
            (16_385, 16_384, Completeness::Truncated),
            (100_000, 100_000, Completeness::Complete),
            (100_000, 99_999, Completeness::Truncated),
            (100_000, 1_000_000, Completeness::Complete),
        ] {
            for expected in [None, Some(0), Some(size as u64), Some(u64::MAX)] {
                let (body, found) = read_body(&mut Pieces(&bytes[..size]), expected, limit).unwrap();
                assert_eq!(found, expected_completeness, "{size} bytes, said to be {expected:?}, at most {limit}");
                assert_eq!(body.as_slice(), &bytes[..size.min(limit + 1)]);
            }
        }
    }
}
