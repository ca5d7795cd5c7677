//! The cluster manager's port: `nodeServices`, what it says of the cluster and the bucket, documents, and a 404 for all
//! else.

use std::net::SocketAddr;

use super::BUCKET;
use super::behaviour::{Behaviour, Hold, Manager, Raw, Script, Setup};
use super::documents;
use super::http::{self, Framing, Request};
use super::port::{Action, Then};
use super::query;

/// What a single node without a hostname says of itself; `$N1QL` is the query port.
const ONE_NODE: &str = r#"{"rev":42,"revEpoch":1,"nodesExt":[{"services":{"mgmt":$MGMT,"kv":11210,"capi":8092,"n1ql":$N1QL,"projector":9999},"thisNode":true}],"clusterCapabilitiesVer":[1,0],"clusterCapabilities":{"n1ql":["enhancedPreparedStatements","readFromReplica"]},"clusterUUID":"4d8a2f","clusterName":""}"#;

/// `/pools` of a cluster that is set up.
const POOLS: &str = r#"{"isAdminCreds":false,"isEnterprise":true,"pools":[{"name":"default","uri":"/pools/default?uuid=4d8a2f"}],"uuid":"4d8a2f","implementationVersion":"7.6.3-4200-enterprise","componentsVersion":{}}"#;

pub fn answer(script: &Script, request: &Request, turn: usize, query: SocketAddr) -> Action {
    if request.target.starts_with(documents::FOLDER) && request.target.contains("/docs/") {
        return documents::answer(script, request, turn);
    }
    let setup = script.lock().behaviour.setup.clone();
    if request.method == "GET"
        && let Some(answer) = of_setup(&setup, &request.target)
    {
        return if query::is_authorized(script, request) { raw(&answer) } else { unauthorized() };
    }
    if request.method != "GET" || request.target != "/pools/default/nodeServices" {
        script.violation(format!("{} {} to the cluster manager", request.method, request.target));
        return raw(&Raw { status: 404, content_type: Some("text/plain"), body: b"Object Not Found".to_vec() });
    }
    script.change(|state| state.node_services += 1);
    let Behaviour { manager, .. } = script.behaviour(Hold::NodeServices);
    if !query::is_authorized(script, request) {
        return unauthorized();
    }
    match manager {
        Manager::Answer => {
            let host = request.field("host").unwrap_or_default();
            let port = host.rsplit_once(':').map_or("8091", |(_, port)| port);
            json(&ONE_NODE.replace("$MGMT", port), query)
        }
        Manager::Nodes(text) => json(&text, query),
        Manager::Raw(answer) => raw(&answer),
        Manager::Freeze => Action { bytes: Vec::new(), then: Then::Freeze },
        Manager::HangUp => Action { bytes: Vec::new(), then: Then::Close },
    }
}

/// What a user gets that it does not know.
pub fn unauthorized() -> Action {
    let fields = [("WWW-Authenticate", "Basic realm=\"Couchbase Server Admin / REST\"")];
    Action { bytes: http::answer(401, &fields, b"", Framing::BySize), then: Then::Keep }
}

/// What is asked for when a cluster is looked at. The user may read documents, and so may see the bucket, but not which
/// scopes and collections there are.
fn of_setup(setup: &Setup, target: &str) -> Option<Raw> {
    let missing =
        || Raw { status: 404, content_type: Some("text/plain"), body: b"Requested resource not found.\r\n".to_vec() };
    if target == "/pools" {
        return Some(setup.pools.clone().unwrap_or_else(|| Raw::json(200, POOLS)));
    }
    if let Some(bucket) = target.strip_prefix("/pools/default/b/") {
        let there = || Raw::json(200, r#"{"name":"bucket_name","nodes":[],"nodesExt":[]}"#);
        let answer = || if bucket == BUCKET { there() } else { missing() };
        return Some(setup.bucket.clone().unwrap_or_else(answer));
    }
    if target.starts_with("/pools/default/buckets/") && target.ends_with("/scopes") {
        let forbidden = r#"{"message":"Forbidden. User needs the following permissions","permissions":["cluster.collection[bucket_name:.:.].collections!read"]}"#;
        return Some(setup.scopes.clone().unwrap_or_else(|| Raw::json(403, forbidden)));
    }
    None
}

fn json(text: &str, query: SocketAddr) -> Action {
    let body = text.replace("$N1QL", &query.port().to_string());
    raw(&Raw { status: 200, content_type: Some("application/json"), body: body.into_bytes() })
}

/// An answer of any shape.
pub fn raw(answer: &Raw) -> Action {
    let fields: Vec<(&str, &str)> = answer.content_type.iter().map(|value| ("Content-Type", *value)).collect();
    Action { bytes: http::answer(answer.status, &fields, &answer.body, Framing::BySize), then: Then::Keep }
}
