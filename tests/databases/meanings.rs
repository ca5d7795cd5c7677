//! Each response of the tables in `tests/data`, as a client and as an operator see it.

use serde::Deserialize;

use crate::databases::MODES;
use crate::databases::node::{Mood, Node, Reply};
use crate::support::client::Client;
use crate::support::server::Server;

#[derive(Deserialize)]
struct Row {
    case: String,
    status: u16,
    body: String,
    meaning: String,
    http: u16,
    #[serde(default)]
    says: Vec<String>,
}

/// The names of this database that no sentence may have.
const OTHERS: [(&str, &[&str]); 3] = [
    ("couchdb", &["Couchbase", "ArangoDB", "Elasticsearch"]),
    ("arangodb", &["Couchbase", "CouchDB", "Elasticsearch"]),
    ("elasticsearch", &["Couchbase", "CouchDB", "ArangoDB"]),
];

fn server(database: &str, node: &Node, mode: &str) -> Server {
    let url = format!("{database}.urls={}", node.url());
    let place: &[&str] = match database {
        "couchdb" => &["couchdb.database=profiles"],
        "arangodb" => &["arangodb.database=profiles", "arangodb.collection=users"],
        _ => &["elasticsearch.index=profiles"],
    };
    let (chosen, username) = (format!("bucket.database={database}"), format!("{database}.username=reader"));
    let settings = [&[chosen.as_str(), &url, &username, mode], place].concat();
    Server::start_with(&settings, &[], |command| {
        command.env(format!("USERPROFILES_{}_PASSWORD", database.to_uppercase()), "password-marker");
    })
}

fn ask(client: &mut Client, number: usize, row: &Row) {
    let answer = client.request("GET", "/users/johndoe", &format!("X-Request-Id: row-{number}-of-table\r\n"));
    let case = format!("{}: {} {}", row.case, answer.status, answer.text());
    assert_eq!(answer.status, row.http, "{case}");
    match row.http {
        200 => assert_eq!(answer.json()["username"], "johndoe", "{case}"),
        404 => drop(answer.assert_problem(404, "user-not-found")),
        status => drop(answer.assert_problem(status, &row.meaning)),
    }
    assert_eq!(answer.field("retry-after").is_some(), row.http == 503, "{case}");
    for inside in ["hash-marker", "127.0.0.1", "userprofile::", "profiles\"", "password-marker"] {
        assert!(!answer.text().contains(inside), "{case}");
    }
}

#[test]
fn every_response_of_the_tables() {
    for (database, others) in OTHERS {
        let path = format!("{}/tests/data/{database}.json", env!("CARGO_MANIFEST_DIR"));
        let rows: Vec<Row> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for mode in MODES {
            let node = Node::open(|_| panic!("it is never well"));
            // A refused login may be held back from the next request, so each row that is one gets a server of its own.
            let mut server = server(database, &node, mode);
            let mut without_words = Vec::new();
            for (number, row) in rows.iter().enumerate() {
                node.set_mood(Mood::Canned(Reply::new(row.status, row.body.clone())));
                ask(&mut server.connect(), number, row);
                if row.http >= 500 {
                    let id = format!("request_id=row-{number}-of-table");
                    server.wait_for_log(&format!("{id} code="));
                    let log = server.log();
                    let line = log.lines().find(|line| line.contains(" ERROR ") && line.contains(&id)).unwrap();
                    if !row.says.iter().all(|part| line.contains(&part.replace('"', "\\\"")) || line.contains(part)) {
                        without_words.push(format!("{}: {line}", row.case));
                    }
                }
                let log = server.log();
                let is_secret = |text: &&str| log.contains(text);
                assert_eq!(["hash-marker", "password-marker"].iter().find(|text| is_secret(text)), None, "{log}");
                assert_eq!(others.iter().find(|text| is_secret(text)), None, "{log}");
                if matches!(row.status, 401 | 403) {
                    server = self::server(database, &node, mode);
                }
            }
            assert_eq!(without_words, Vec::<String>::new());
        }
    }
}
