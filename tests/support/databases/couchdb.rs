//! A double of Apache CouchDB 3.5, for what pouchdb-server cannot show: members and 403, the lockout, deleted documents,
//! strong entity tags, nodes of a cluster.
//!
//! Its texts are those that a real 3.5.0 was seen to answer (`facts/databases.md`, A).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use userprofiles::bucket::Members;

use super::node::{Node, Reply};
use crate::couchbase::http::Request;

pub const DATABASE: &str = "userprofiles";

/// So many wrong passwords lock an account.
const REFUSALS_THAT_LOCK: usize = 5;

/// `max_document_size`, in bytes.
pub const LONGEST_DOCUMENT: usize = 8_000_000;

/// What all nodes share.
#[derive(Clone)]
pub struct CouchdbDouble(Arc<Mutex<State>>);

pub struct State {
    /// `None`: there is no such database.
    pub documents: Option<BTreeMap<String, Stored>>,
    /// Users and their passwords; `admin` is one of them.
    pub users: BTreeMap<String, String>,
    /// `_security`.
    pub members: Vec<String>,
    /// Refused logins so far.
    pub refusals: usize,
    /// So many writes meet a conflict.
    pub conflicts: usize,
}

pub struct Stored {
    revision: usize,
    /// `None`: it was deleted.
    text: Option<String>,
}

impl CouchdbDouble {
    /// With the users `admin` and `reader`, of whom the latter is a member of an empty database.
    pub fn new() -> Self {
        let users = [("admin", "admin-pw"), ("reader", "reader-pw"), ("stranger", "stranger-pw")];
        Self(Arc::new(Mutex::new(State {
            documents: Some(BTreeMap::new()),
            users: users.map(|(user, password)| (user.to_owned(), password.to_owned())).into(),
            members: vec!["reader".to_owned()],
            refusals: 0,
            conflicts: 0,
        })))
    }

    pub fn node(&self) -> Node {
        let shared = self.clone();
        Node::open(move |request| shared.state().answer(request))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn put(&self, id: &str, text: &str) {
        let mut state = self.state();
        state.documents.as_mut().unwrap().insert(id.to_owned(), Stored { revision: 1, text: Some(text.to_owned()) });
    }

    pub fn delete(&self, id: &str) {
        self.state().documents.as_mut().unwrap().get_mut(id).unwrap().text = None;
    }
}

fn error(status: u16, error: &str, reason: &str) -> Reply {
    Reply::json(status, &json!({"error": error, "reason": reason}))
}

fn not_authorized() -> Reply {
    error(401, "unauthorized", "You are not authorized to access this db.")
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        let user = match self.user(request) {
            Ok(user) => user,
            Err(refusal) => return refusal,
        };
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let mut segments = path[1..].splitn(2, '/');
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let (database, rest) = (decoded(segments.next().unwrap()), segments.next().map(decoded));
        let is_admin = user.as_deref() == Some("admin");
        match (request.method.as_str(), rest.as_deref()) {
            ("PUT", None) if !is_admin => error(401, "unauthorized", "You are not a server admin."),
            ("PUT", None) if database.starts_with(|first: char| !first.is_ascii_lowercase()) => {
                error(400, "illegal_database_name", "Name: 'X'. Only lowercase characters (a-z), …")
            }
            ("PUT", None) if self.documents.is_some() => {
                error(412, "file_exists", "The database could not be created, the file already exists.")
            }
            ("PUT", None) => {
                self.documents = Some(BTreeMap::new());
                self.members = Vec::new();
                Reply::json(201, &json!({"ok": true}))
            }
            _ if database != DATABASE || self.documents.is_none() => {
                error(404, "not_found", "Database does not exist.")
            }
            ("PUT", Some("_security")) => {
                let security: Value = serde_json::from_slice(&request.body).unwrap();
                let names = security["members"]["names"].as_array().unwrap();
                self.members = names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
                Reply::json(200, &json!({"ok": true}))
            }
            _ if !is_admin && user.is_none() => not_authorized(),
            _ if !is_admin && !self.members.contains(user.as_ref().unwrap()) => {
                error(403, "forbidden", "You are not allowed to access this db.")
            }
            ("GET", Some("_all_docs")) => self.list(query),
            ("POST", Some("_all_docs")) if query == "include_docs=true" => self.read_many(&request.body),
            ("POST", Some("_all_docs")) => self.revisions(&request.body),
            ("POST", Some("_bulk_docs")) => self.store(&request.body),
            ("GET", Some(id)) => self.read(id),
            (method, rest) => panic!("nobody asks that: {method} {rest:?}"),
        }
    }

    /// Who asks; `None`: nobody.
    fn user(&mut self, request: &Request) -> Result<Option<String>, Reply> {
        let Some(authorization) = request.field("authorization") else { return Ok(None) };
        let pair = String::from_utf8(STANDARD.decode(authorization.strip_prefix("Basic ").unwrap()).unwrap()).unwrap();
        let (user, password) = pair.split_once(':').unwrap();
        if self.refusals >= REFUSALS_THAT_LOCK {
            let reason = "Account is temporarily locked due to multiple authentication failures";
            return Err(error(403, "forbidden", reason));
        }
        if self.users.get(user).map(String::as_str) != Some(password) {
            self.refusals += 1;
            return Err(error(401, "unauthorized", "Name or password is incorrect."));
        }
        Ok(Some(user.to_owned()))
    }

    fn all(&mut self) -> &mut BTreeMap<String, Stored> {
        self.documents.as_mut().unwrap()
    }

    fn read(&mut self, id: &str) -> Reply {
        match self.all().get(id) {
            None => error(404, "not_found", "missing"),
            Some(Stored { text: None, .. }) => error(404, "not_found", "deleted"),
            Some(stored) => Reply {
                fields: vec![("ETag", format!("\"{}\"", stored.revision()))],
                ..Reply::new(200, stored.with_own_members(id))
            },
        }
    }

    fn list(&mut self, query: &str) -> Reply {
        let argument = |name: &str| {
            let value = query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
            Some(percent_decode_str(value).decode_utf8().unwrap().into_owned())
        };
        let id = |name: &str| serde_json::from_str::<String>(&argument(name).unwrap()).unwrap();
        assert_eq!(argument("inclusive_end").as_deref(), Some("false"));
        assert_eq!(argument("include_docs").as_deref(), Some("true"));
        let limit = argument("limit").unwrap().parse().unwrap();
        let (first, end) = (id("startkey"), id("endkey"));
        let rows = self.all().range(first..end).filter(|(_, stored)| stored.text.is_some()).take(limit);
        let rows: Vec<String> = rows
            .map(|(id, stored)| {
                let (key, rev) = (json!(id), stored.revision());
                format!(r#"{{"id":{key},"key":{key},"value":{{"rev":"{rev}"}},"doc":{}}}"#, stored.with_own_members(id))
            })
            .collect();
        Reply::new(200, format!("{{\"total_rows\":7,\"offset\":0,\"rows\":[\r\n{}\r\n]}}\n", rows.join(",\r\n")))
    }

    fn read_many(&mut self, body: &[u8]) -> Reply {
        let body: Value = serde_json::from_slice(body).unwrap();
        let rows = body["keys"].as_array().unwrap().iter().map(|key| {
            let id = key.as_str().unwrap();
            let Some(stored) = self.all().get(id) else { return json!({"key": key, "error": "not_found"}).to_string() };
            let rev = stored.revision();
            match stored.text {
                Some(_) => {
                    let doc = stored.with_own_members(id);
                    format!(r#"{{"id":{key},"key":{key},"value":{{"rev":"{rev}"}},"doc":{doc}}}"#)
                }
                None => json!({"id": key, "key": key, "value": {"rev": rev, "deleted": true}, "doc": null}).to_string(),
            }
        });
        let rows: Vec<String> = rows.collect();
        Reply::new(200, format!("{{\"total_rows\":7,\"offset\":0,\"rows\":[\r\n{}\r\n]}}\n", rows.join(",\r\n")))
    }

    fn revisions(&mut self, body: &[u8]) -> Reply {
        let body: Value = serde_json::from_slice(body).unwrap();
        let rows = body["keys"].as_array().unwrap().iter().map(|key| match self.all().get(key.as_str().unwrap()) {
            None => json!({"key": key, "error": "not_found"}),
            Some(stored) if stored.text.is_none() => {
                json!({"id": key, "key": key, "value": {"rev": stored.revision(), "deleted": true}, "doc": null})
            }
            Some(stored) => json!({"id": key, "key": key, "value": {"rev": stored.revision()}}),
        });
        let rows: Vec<Value> = rows.collect();
        Reply::json(200, &json!({"total_rows": rows.len(), "rows": rows}))
    }

    fn store(&mut self, body: &[u8]) -> Reply {
        #[derive(serde::Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            docs: Vec<&'a RawValue>,
        }
        let Body { docs } = serde_json::from_slice(body).unwrap();
        if docs.iter().any(|text| text.get().len() > LONGEST_DOCUMENT) {
            return error(413, "document_too_large", "userprofile::x");
        }
        let outcomes: Vec<Value> = docs
            .into_iter()
            .map(|text| {
                let members = Members::parse(text.get()).unwrap();
                let id = members.string("_id").unwrap().into_owned();
                let revision = members.string("_rev").map(std::borrow::Cow::into_owned);
                if members.names().any(|name| name.starts_with('_') && !matches!(name, "_id" | "_rev")) {
                    return json!({"id": id, "error": "doc_validation", "reason": "Bad special document member"});
                }
                let current = self.all().get(&id).filter(|stored| stored.text.is_some()).map(Stored::revision);
                if self.conflicts > 0 || revision != current {
                    self.conflicts = self.conflicts.saturating_sub(1);
                    return json!({"id": id, "error": "conflict", "reason": "Document update conflict."});
                }
                let text = members.without(|name| name.starts_with('_'), "").to_string();
                let revision = self.all().get(&id).map_or(1, |stored| stored.revision + 1);
                self.all().insert(id.clone(), Stored { revision, text: Some(text) });
                json!({"ok": true, "id": id, "rev": format!("{revision}-abc")})
            })
            .collect();
        Reply::json(201, &Value::from(outcomes))
    }
}

impl Stored {
    fn revision(&self) -> String {
        format!("{}-abc", self.revision)
    }

    fn with_own_members(&self, id: &str) -> String {
        let own = format!("\"_id\":{},\"_rev\":\"{}\"", json!(id), self.revision());
        Members::parse(self.text.as_ref().unwrap()).unwrap().without(|_| false, &own).to_string()
    }
}
