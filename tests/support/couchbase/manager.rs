//! The cluster manager's port: `nodeServices`, and a 404 for all else.

use std::net::SocketAddr;

use super::behaviour::{Behaviour, Hold, Manager, Raw, Script};
use super::http::{self, Framing, Request};
use super::port::{Action, Then};
use super::query;

/// What a single node without a hostname says of itself; `$N1QL` is the query port.
const ONE_NODE: &str = r#"{"rev":42,"revEpoch":1,"nodesExt":[{"services":{"mgmt":$MGMT,"kv":11210,"capi":8092,"n1ql":$N1QL,"projector":9999},"thisNode":true}],"clusterCapabilitiesVer":[1,0],"clusterCapabilities":{"n1ql":["enhancedPreparedStatements","readFromReplica"]},"clusterUUID":"4d8a2f","clusterName":""}"#;

pub fn answer(script: &Script, request: &Request, _: usize, query: SocketAddr) -> Action {
    if request.method != "GET" || request.target != "/pools/default/nodeServices" {
        script.violation(format!("{} {} to the cluster manager", request.method, request.target));
        return raw(&Raw { status: 404, content_type: Some("text/plain"), body: b"Object Not Found".to_vec() });
    }
    script.change(|state| state.node_services += 1);
    let Behaviour { manager, .. } = script.behaviour(Hold::NodeServices);
    if !query::is_authorized(request) {
        let fields = [("WWW-Authenticate", "Basic realm=\"Couchbase Server Admin / REST\"")];
        return Action { bytes: http::answer(401, &fields, b"", Framing::BySize), then: Then::Keep };
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

fn json(text: &str, query: SocketAddr) -> Action {
    let body = text.replace("$N1QL", &query.port().to_string());
    raw(&Raw { status: 200, content_type: Some("application/json"), body: body.into_bytes() })
}

/// An answer of any shape.
pub fn raw(answer: &Raw) -> Action {
    let fields: Vec<(&str, &str)> = answer.content_type.iter().map(|value| ("Content-Type", *value)).collect();
    Action { bytes: http::answer(answer.status, &fields, &answer.body, Framing::BySize), then: Then::Keep }
}
