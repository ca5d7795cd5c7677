//! What only MongoDB does: errors on demand, types that JSON lacks, collections that come and go.

use std::future::Future;
use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use mongodb::options::{ClientOptions, Credential};
use serde::Deserialize;

use crate::databases::real::RealServer;
use crate::databases::{MODES, Store};
use crate::support::server::Server;

/// The administrator of a server, beside the program under test.
pub struct Admin {
    runtime: tokio::runtime::Runtime,
    client: mongodb::Client,
}

impl Admin {
    pub fn of(server: &RealServer) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let mut options = ClientOptions::parse(server.setting("MONGODB_URI")).await.unwrap();
            let credential = Credential::builder().username(server.login("admin"));
            options.credential = Some(credential.password(server.login("admin_password")).build());
            mongodb::Client::with_options(options).unwrap()
        });
        Self { runtime, client }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn users(&self) -> mongodb::Collection<Document> {
        self.client.database("app").collection("users")
    }

    /// Runs a command on the database `admin`.
    pub fn command(&self, command: Document) {
        self.run(async { self.client.database("admin").run_command(command).await }).unwrap();
    }

    fn insert(&self, document: Document) {
        self.run(async { self.users().insert_one(document).await }).unwrap();
    }

    /// What `find` does from now on.
    fn fail_point(&self, mode: Bson, data: Document) {
        let mut command = doc! { "configureFailPoint": "failCommand", "mode": mode };
        if !data.is_empty() {
            let mut data = data;
            data.insert("failCommands", vec!["find"]);
            command.insert("data", data);
        }
        self.command(command);
    }
}

fn start(whose: &str) -> Option<(Store, Admin)> {
    let server = RealServer::start("mongodb", whose)?;
    let admin = Admin::of(&server);
    Some((Store::of(server.into()), admin))
}

fn serve(store: &Store, mode: &str) -> Server {
    store.serve(&[mode, "bucket.operation_timeout=3s", "bucket.attempt_timeout=1s"])
}

/// A row of `tests/data/mongodb.json`.
#[derive(Deserialize)]
struct Row {
    case: String,
    /// `data` of the fail point.
    fails: Document,
    meaning: String,
    http: u16,
    says: String,
}

#[test]
fn each_error_of_a_server_has_its_row() {
    let Some((store, admin)) = start("mongodb-errors") else { return };
    admin.insert(doc! { "_id": "userprofile::johndoe", "username": "johndoe", "hashed_password": "hash-marker" });
    let rows: Vec<Row> = serde_json::from_str(include_str!("../data/mongodb.json")).unwrap();
    assert!(rows.len() > 25);
    let mut wrong = Vec::new();
    for mode in MODES {
        let mut server = serve(&store, mode);
        for (number, row) in rows.iter().enumerate() {
            server.wait_for_status("/users/johndoe", 200);
            admin.fail_point("alwaysOn".into(), row.fails.clone());
            let id = format!("X-Request-Id: row-{number}-of-table\r\n");
            let answer = server.connect().request("GET", "/users/johndoe", &id);
            admin.fail_point("off".into(), doc! {});
            assert_eq!(answer.status, row.http, "{mode}, {}: {}\n{}", row.case, answer.text(), server.log());
            answer.assert_problem(row.http, &row.meaning);
            let id = format!("request_id=row-{number}-of-table");
            server.wait_for_log(&format!("{id} code="));
            let log = server.log();
            let line = log.lines().find(|line| line.contains(" ERROR ") && line.contains(&id)).unwrap();
            if !line.contains(&row.says) {
                wrong.push(format!("{}: {line}", row.case));
            }
            assert!(!log.contains("hash-marker") && !log.contains("failpoint"), "{log}");
            if line.contains("rejects our login") {
                // It is not tried again for a while.
                server = serve(&store, mode);
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_single_error_that_passes_is_not_seen() {
    let Some((store, admin)) = start("mongodb-passing") else { return };
    admin.insert(doc! { "_id": "userprofile::johndoe", "username": "johndoe", "hashed_password": "hash-marker" });
    let server = serve(&store, MODES[0]);
    for fails in [doc! { "errorCode": 91 }, doc! { "errorCode": 11600 }, doc! { "closeConnection": true }] {
        server.wait_for_status("/users/johndoe", 200);
        admin.fail_point(doc! { "times": 1 }.into(), fails.clone());
        assert_eq!(server.get("/users/johndoe").status, 200, "{fails}: {}", server.log());
    }
}

#[test]
fn what_json_lacks_comes_as_extended_json_and_is_no_text_of_a_profile() {
    let Some((store, admin)) = start("mongodb-types") else { return };
    let id = ObjectId::parse_str("507f1f77bcf86cd799439011").unwrap();
    admin.insert(doc! {
        "_id": "userprofile::types", "username": "types", "hashed_password": "h", "type": "userprofile", "o": id,
        "t": DateTime::from_millis(1_700_000_000_000), "n": 5_000_000_000_i64, "d": Bson::Decimal128("1.10".parse().unwrap()),
        "b": Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] },
    });
    for (name, email) in [
        ("by-id", Bson::ObjectId(id)),
        ("by-date", DateTime::from_millis(0).into()),
        ("by-decimal", Bson::Decimal128("1".parse().unwrap())),
        ("by-number", Bson::Int64(7)),
        ("by-binary", Binary { subtype: BinarySubtype::Generic, bytes: vec![1] }.into()),
    ] {
        let document =
            doc! { "_id": format!("userprofile::{name}"), "username": name, "hashed_password": "h", "email": email };
        admin.insert(document);
    }
    // Of others, and no profile by its id.
    admin.insert(doc! { "_id": id, "username": "types", "hashed_password": "h" });
    admin.insert(doc! { "_id": "other::types", "username": "types", "hashed_password": "h" });
    for mode in MODES {
        let server = serve(&store, mode);
        let answer = server.get("/users/types");
        assert_eq!((answer.status, answer.json()["username"].as_str()), (200, Some("types")), "{}", answer.text());
        for name in ["by-id", "by-date", "by-decimal", "by-number", "by-binary"] {
            server.get(&format!("/users/{name}")).assert_problem(500, "invalid-document");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let output = store.run(&["export", "-"], folder.path());
    let lines = String::from_utf8(output.stdout).unwrap();
    let expected = concat!(
        r#"{"username":"types","hashed_password":"h","type":"userprofile","o":{"$oid":"507f1f77bcf86cd799439011"},"#,
        r#""t":{"$date":"2023-11-14T22:13:20Z"},"n":5000000000,"d":{"$numberDecimal":"1.10"},"#,
        r#""b":{"$binary":{"base64":"AQI=","subType":"00"}}}"#
    );
    assert_eq!((lines.lines().count(), lines.lines().last()), (6, Some(expected)), "{lines}");
}

#[test]
fn a_collection_that_goes_is_told_from_a_user_who_is_not_there() {
    let Some((store, admin)) = start("mongodb-collection") else { return };
    for mode in MODES {
        let server = serve(&store, mode);
        server.wait_for_status("/users/nobody", 404);
        admin.run(async { admin.users().drop().await }).unwrap();
        let took = server.wait_for_status("/users/nobody", 500);
        assert!(took < Duration::from_secs(2), "{took:?}");
        server.get("/users/nobody").assert_problem(500, "misconfigured");
        server.wait_for_log("MongoDB has no collection \"users\" in a database \"app\"");
        admin.run(async { admin.client.database("app").create_collection("users").await }).unwrap();
        let took = server.wait_for_status("/users/nobody", 404);
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[test]
fn what_is_imported_is_altered_only_as_it_is_told() {
    let Some((store, admin)) = start("mongodb-import") else { return };
    admin.run(async { admin.users().drop().await }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lines = concat!(
        r#"{"_id":"x","type":"t","username":"a","hashed_password":"h","$set":{"b":1},"o":{"_id":1,"$date":"x"}}"#,
        "\n",
        r#"{"type":"t","username":"b","hashed_password":"h","n":[18446744073709551616,31.245270191439438,9007199254740993,-0.0,1e300]}"#,
        "\n",
        r#"{"type":"t","username":"c","hashed_password":"h","n":123456789012345678901234567890}"#,
        "\n",
    );
    let output = store.import(lines, folder.path());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("import --create FILE"), "{told}");
    let output = store.run(&["import", "--create", "lines.jsonl"], folder.path());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("created the collection \"users\" of the database \"app\""), "{told}");
    assert!(told.contains("; 2 members were left out") && told.contains("(the first is \"_id\")"), "{told}");
    assert_eq!(told.matches("is stored as the nearest double").count(), 1, "{told}");
    let exported = String::from_utf8(store.run(&["export", "-"], folder.path()).stdout).unwrap();
    let expected = concat!(
        r#"{"type":"t","username":"a","hashed_password":"h","o":{"_id":1,"$date":"x"}}"#,
        "\n",
        r#"{"type":"t","username":"b","hashed_password":"h","n":[1.8446744073709552e+19,31.245270191439438,9007199254740993,-0.0,1e+300]}"#,
        "\n",
        r#"{"type":"t","username":"c","hashed_password":"h","n":1.2345678901234568e+29}"#,
        "\n",
    );
    assert_eq!(exported, expected);
    let output = store.run(&["import", "--create", "lines.jsonl"], folder.path());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there was nothing to create"));
    // One that BSON cannot hold is named.
    let output = store.import("{\"username\":\"d\",\"hashed_password\":\"h\",\"note\":\"\\ud83d\"}\n", folder.path());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1), "{told}");
    assert!(told.contains("half of a surrogate pair") && told.contains("the document \"userprofile::d\""), "{told}");
}
