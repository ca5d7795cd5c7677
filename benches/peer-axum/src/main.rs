//! The peer that `scripts/bench` measures our server against: axum, written as its documentation shows it.
//!
//! `peer-axum LISTEN constant BODY` answers `GET /users/{username}` with BODY, whoever is asked for: what the framework
//! can do when it has nothing to do. `peer-axum LISTEN sqlite FILE` reads the document from SQLite for every request,
//! as our server does. `peer-axum LISTEN couchbase URL` asks a query service at URL for it.
//!
//! What the peer is spared: its `ETag` and `X-Request-Id` are constants of the usual length, it answers no conditional
//! request, checks no username, and writes no log. The comparison errs on its side.

mod couchbase;
mod profiles;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Router, body::Bytes};
use tokio::net::TcpListener;

use couchbase::QueryService;
use profiles::{Profiles, ReadError, User};

const USAGE: &str = "usage: peer-axum LISTEN constant BODY | LISTEN sqlite FILE | LISTEN couchbase URL";

#[tokio::main]
async fn main() -> Result<(), ReadError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, mode, value] = arguments.as_slice() else { return Err(USAGE.into()) };
    let router = match mode.as_str() {
        "constant" => Router::new().route("/users/{username}", get(constant)).with_state(Bytes::from(value.clone())),
        "sqlite" => {
            Router::new().route("/users/{username}", get(read_user)).with_state(Arc::new(Profiles::open(value)?))
        }
        "couchbase" => {
            Router::new().route("/users/{username}", get(ask_user)).with_state(Arc::new(QueryService::new(value)))
        }
        _ => return Err(USAGE.into()),
    };
    // Without it, the kernel may hold back an answer for 40 ms.
    let listener = TcpListener::bind(listen).await?.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("peer-axum: TCP_NODELAY: {error}");
        }
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn constant(State(body): State<Bytes>) -> Response {
    found(body)
}

async fn read_user(State(profiles): State<Arc<Profiles>>, Path(username): Path<String>) -> Response {
    told(Profiles::read(profiles, username).await)
}

async fn ask_user(State(service): State<Arc<QueryService>>, Path(username): Path<String>) -> Response {
    told(service.read(&username).await)
}

fn told(outcome: Result<Option<User>, ReadError>) -> Response {
    match outcome {
        Ok(Some(user)) => match serde_json::to_vec(&user) {
            Ok(body) => found(body.into()),
            Err(error) => failed(&error.into()),
        },
        Ok(None) => (StatusCode::NOT_FOUND, "{\"detail\":\"User not found\"}").into_response(),
        Err(error) => failed(&error),
    }
}

/// A 200 with the header fields that our server sends.
fn found(body: Bytes) -> Response {
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::ETAG, HeaderValue::from_static("\"0123456789abcdef0123456789abcdef\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (HeaderName::from_static("x-request-id"), HeaderValue::from_static("0123456789abcdef0123456789abcdef")),
    ];
    (fields, body).into_response()
}

fn failed(error: &ReadError) -> Response {
    eprintln!("peer-axum: {error}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
