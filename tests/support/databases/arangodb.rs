//! A double of ArangoDB 3.12, which cannot be had here: documents by key, arrays of documents, one query, logins.
//!
//! Statuses and error numbers are those of its documentation and sources (`facts/databases.md`, B).

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

pub const DATABASE: &str = "profiles";
pub const COLLECTION: &str = "users";

/// The only query that it understands.
const LIST: &str = "FOR d IN @@collection RETURN d";

/// What all coordinators share.
#[derive(Clone)]
pub struct ArangodbDouble(Arc<Mutex<State>>);

pub struct State {
    pub has_database: bool,
    /// Texts by key; `None`: there is no such collection.
    pub documents: Option<BTreeMap<String, String>>,
    /// Users, their passwords and their rights: `ro` or `rw`, or none.
    pub users: BTreeMap<String, (String, &'static str)>,
    /// The next items of a write that fail, by their numbers.
    pub failing_items: Vec<i64>,
    /// The batches of each cursor.
    cursors: Vec<Vec<Vec<String>>>,
}

impl ArangodbDouble {
    /// With an empty collection.
    pub fn new() -> Self {
        let users = [("root", "root-pw", "rw"), ("reader", "reader-pw", "ro"), ("stranger", "stranger-pw", "")];
        Self(Arc::new(Mutex::new(State {
            has_database: true,
            documents: Some(BTreeMap::new()),
            users: users.map(|(user, password, right)| (user.to_owned(), (password.to_owned(), right))).into(),
            failing_items: Vec::new(),
            cursors: Vec::new(),
        })))
    }

    pub fn node(&self) -> Node {
        let shared = self.clone();
        Node::open(move |request| shared.state().answer(request))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn put(&self, key: &str, text: &str) {
        assert_valid(key);
        self.state().documents.as_mut().unwrap().insert(key.to_owned(), text.to_owned());
    }
}

/// The rules of the documentation.
fn assert_valid(key: &str) {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@()+,=;$!*':%".contains(&byte);
    assert!((1..=254).contains(&key.len()) && key.bytes().all(is_allowed), "{key:?} is no key");
}

fn error(status: u16, number: i64) -> Reply {
    let body = json!({"error": true, "code": status, "errorNum": number, "errorMessage": "message-marker-4711"});
    Reply::json(status, &body)
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        let Some((user, right)) = self.user(request) else { return error(401, 11) };
        let path = request.target.split('?').next().unwrap();
        let segments: Vec<String> = path[1..]
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8().unwrap().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (["_db", database, "_api"], rest) = segments.split_at(3) else { panic!("nobody asks that: {path}") };
        match (request.method.as_str(), *database, rest) {
            ("POST", "_system", ["database"]) if user != "root" => error(403, 11),
            ("POST", "_system", ["database"]) => {
                assert!(!std::mem::replace(&mut self.has_database, true));
                Reply::json(201, &json!({"error": false, "code": 201, "result": true}))
            }
            (_, database, _) if database != DATABASE || !self.has_database => {
                // Who may not see it does not learn whether it is there.
                if user == "root" { error(404, 1228) } else { error(401, 11) }
            }
            ("GET", _, ["database", "current"]) => Reply::json(200, &json!({"result": {"name": DATABASE}})),
            ("POST", _, ["collection"]) if user != "root" => error(403, 11),
            ("POST", _, ["collection"]) if self.documents.is_some() => error(409, 1207),
            ("POST", _, ["collection"]) => {
                self.documents = Some(BTreeMap::new());
                Reply::json(200, &json!({"error": false, "code": 200, "name": COLLECTION}))
            }
            (_, _, _) if right.is_empty() => error(403, 11),
            (_, _, _) if self.documents.is_none() => error(404, 1203),
            ("GET", _, ["document", COLLECTION, key]) => match self.all().get(*key) {
                Some(text) => {
                    Reply { fields: vec![("ETag", "\"_gx1\"".to_owned())], ..Reply::new(200, whole(key, text)) }
                }
                None => error(404, 1202),
            },
            ("PUT", _, ["document", COLLECTION]) => {
                assert!(request.target.ends_with("?onlyget=true"), "{}", request.target);
                self.read_many(&request.body)
            }
            ("POST", _, ["document", COLLECTION]) if right != "rw" => error(403, 11),
            ("POST", _, ["document", COLLECTION]) => {
                assert!(request.target.ends_with("?overwriteMode=replace"), "{}", request.target);
                self.store(&request.body)
            }
            ("POST", _, ["cursor"]) => self.open_cursor(&request.body),
            ("POST", _, ["cursor", cursor, batch]) => self.next_batch(cursor, batch),
            (method, _, rest) => panic!("nobody asks that: {method} {rest:?}"),
        }
    }

    fn user(&self, request: &Request) -> Option<(String, &'static str)> {
        let authorization = request.field("authorization")?.strip_prefix("Basic ")?;
        let pair = String::from_utf8(STANDARD.decode(authorization).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        let (known, right) = self.users.get(user)?;
        (known == password).then(|| (user.to_owned(), *right))
    }

    fn all(&mut self) -> &mut BTreeMap<String, String> {
        self.documents.as_mut().unwrap()
    }

    fn read_many(&mut self, body: &[u8]) -> Reply {
        let keys: Vec<String> = serde_json::from_slice(body).unwrap();
        let missing =
            json!({"error": true, "errorNum": 1202, "errorMessage": "message-marker-4711: document not found"})
                .to_string();
        let items: Vec<String> = keys
            .iter()
            .map(|key| self.all().get(key).map_or_else(|| missing.clone(), |text| whole(key, text)))
            .collect();
        Reply::new(200, format!("[{}]", items.join(",")))
    }

    fn store(&mut self, body: &[u8]) -> Reply {
        let documents: Vec<&RawValue> = serde_json::from_slice(body).unwrap();
        let outcomes = documents.into_iter().map(|text| {
            if let Some(number) = self.failing_items.pop() {
                return json!({"error": true, "errorNum": number, "errorMessage": "message-marker-4711"});
            }
            let members = Members::parse(text.get()).unwrap();
            let key = members.string("_key").unwrap().into_owned();
            assert_valid(&key);
            let text = members.without(|name| name.starts_with('_'), "").to_string();
            self.all().insert(key.clone(), text);
            json!({"_id": format!("{COLLECTION}/{key}"), "_key": key, "_rev": "_gx2"})
        });
        let outcomes: Vec<Value> = outcomes.collect();
        Reply::json(202, &Value::from(outcomes))
    }

    /// Opens a cursor over all documents, in an order that nobody can know, and answers its first batch.
    fn open_cursor(&mut self, body: &[u8]) -> Reply {
        let query: Value = serde_json::from_slice(body).unwrap();
        assert_eq!((&query["query"], &query["bindVars"]["@collection"]), (&json!(LIST), &json!(COLLECTION)));
        assert_eq!(query["options"]["allowRetry"], true);
        let mut found: Vec<String> = self.all().iter().map(|(key, text)| whole(key, text)).collect();
        found.reverse();
        let size = usize::try_from(query["batchSize"].as_u64().unwrap()).unwrap();
        self.cursors.push(found.chunks(size).map(<[String]>::to_vec).collect());
        self.batch(self.cursors.len() - 1, 0, 201)
    }

    /// A batch of a cursor: the same one again, if it is asked for again.
    fn next_batch(&self, cursor: &str, batch: &str) -> Reply {
        match (cursor.parse::<usize>(), batch.parse::<usize>()) {
            (Ok(cursor), Ok(batch)) if cursor < self.cursors.len() => self.batch(cursor, batch - 1, 200),
            _ => error(404, 1600),
        }
    }

    fn batch(&self, cursor: usize, batch: usize, status: u16) -> Reply {
        let batches = &self.cursors[cursor];
        let documents = batches.get(batch).map_or_else(String::new, |documents| documents.join(","));
        let has_more = batch + 1 < batches.len();
        // Batches are counted from 1, and the next is named where there is one.
        let next = if has_more { format!(r#","id":"{cursor}","nextBatchId":"{}""#, batch + 2) } else { String::new() };
        Reply::new(
            status,
            format!(r#"{{"result":[{documents}],"hasMore":{has_more}{next},"error":false,"code":{status}}}"#),
        )
    }
}

fn whole(key: &str, text: &str) -> String {
    let own = format!("\"_key\":\"{key}\",\"_id\":\"{COLLECTION}/{key}\",\"_rev\":\"_gx1\"");
    Members::parse(text).unwrap().without(|_| false, &own).to_string()
}
