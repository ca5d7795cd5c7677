//! The one table of all settings. The names that are accepted, the environment names, the checks, the defaults, the
//! example file and the printing of effective settings all come from here.
//!
//! Invariant: a default passes the check of its own setting, and a setting is named nowhere else but where it is used.

use std::fmt;
use std::time::Duration;

use super::checks;
use super::value::{AtLeast, Kind, LONGEST_TIMEOUT};

/// A section of the settings file.
pub(super) struct Section {
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) help: &'static str,
    pub(super) settings: &'static [Setting],
}

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Default,
    /// What it is, and why its default is what it is.
    pub(super) help: &'static str,
}

/// What holds when nobody says anything; written as in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    Is(&'static str),
    /// Nothing holds; this would be a sensible value.
    Unset(&'static str),
}

impl Setting {
    /// `USERPROFILES_HTTP_LISTEN`
    pub(super) fn environment_name(&self) -> String {
        environment_name(self.section, self.key)
    }

    pub(super) fn is(&self, section: &str, key: &str) -> bool {
        self.section == section && self.key == key
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.section, self.key)
    }
}

/// How the names of all our variables begin.
pub(super) const PREFIX: &str = "USERPROFILES_";

/// The variable of a setting, or of a secret.
pub(super) fn environment_name(section: &str, key: &str) -> String {
    format!("{PREFIX}{}_{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// Every setting, in the order of the table.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const HTTP_TIMEOUT: Kind = Kind::Duration(HOUR);
const BUCKET_TIMEOUT: Kind = Kind::Duration(LONGEST_TIMEOUT);
const TEXT: Kind = Kind::Text(checks::text);
const USERNAME: Kind = Kind::Text(checks::username);
const COLLECTION: Kind = Kind::Text(checks::collection_name);
const CASSANDRA_NAME: Kind = Kind::Text(checks::cassandra_name);
const URLS: Kind = Kind::List(checks::url, AtLeast::One);

const USERNAME_HELP: &str = "The user to log in as, who needs the right to read the documents only (and to write them \
     for `import`). Unset: nothing is sent that says who we are.";
const PASSWORD_FILE_HELP: &str = "A file that holds the password and nothing else; one line break at its end is cut. \
     A systemd credential called bucket-password or the environment (USERPROFILES_..._PASSWORD) serve as well. A \
     password never stands in this file or in a flag, where others could read it.";
const CA_FILE_HELP: &str = "Certificates (PEM) of the authorities that the database's certificate must come from. \
     Unset: those that this machine trusts.";

const fn is(
    section: &'static str,
    key: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { section, key, kind, default: Default::Is(default), help }
}

const fn unset(
    section: &'static str,
    key: &'static str,
    kind: Kind,
    sample: &'static str,
    help: &'static str,
) -> Setting {
    Setting { section, key, kind, default: Default::Unset(sample), help }
}

/// The sections, in the order of the example file.
pub(super) const SECTIONS: &[Section] = &[
    Section { name: "http", help: "The public listener: GET /users/{username}.", settings: HTTP },
    Section {
        name: "admin",
        help: "The listener for operators: /live and /ready, on threads of its own.",
        settings: ADMIN,
    },
    Section { name: "bucket", help: "What holds for every database.", settings: BUCKET },
    Section {
        name: "embedded",
        help: "For [bucket] database = \"embedded\": a file of this program's own (SQLite).",
        settings: EMBEDDED,
    },
    Section { name: "couchbase", help: "For [bucket] database = \"couchbase\".", settings: COUCHBASE },
    Section { name: "mongodb", help: "For [bucket] database = \"mongodb\".", settings: MONGODB },
    Section { name: "cassandra", help: "For [bucket] database = \"cassandra\".", settings: CASSANDRA },
    Section { name: "couchdb", help: "For [bucket] database = \"couchdb\".", settings: COUCHDB },
    Section { name: "arangodb", help: "For [bucket] database = \"arangodb\".", settings: ARANGODB },
    Section {
        name: "elasticsearch",
        help: "For [bucket] database = \"elasticsearch\": Elasticsearch or OpenSearch.",
        settings: ELASTICSEARCH,
    },
    Section { name: "log", help: "The log, on standard error.", settings: LOG },
];

const HTTP: &[Setting] = &[
    is(
        "http",
        "listen",
        Kind::Listeners,
        "127.0.0.1:8000",
        "Where to listen: an address and a port, \":8000\" for every IPv4 address of this machine, \"unix:/path\", or a \
         list of these. Only this machine by default, because a server should not be on the network before somebody \
         decides so.",
    ),
    is(
        "http",
        "unix_mode",
        Kind::UnixMode,
        "0660",
        "The permissions of a unix socket, as octal digits: its owner and group, so that a reverse proxy in the group \
         can connect and others cannot.",
    ),
    is(
        "http",
        "workers",
        Kind::Count { min: 2, max: 1024 },
        "32",
        "How many threads answer requests. Each is busy for as long as its database call takes: 32 answer 640 requests \
         a second from a database that takes 50 ms. Waiting connections need no thread.",
    ),
    is(
        "http",
        "max_connections",
        Kind::Count { min: 1, max: 1_000_000 },
        "16384",
        "How many connections may be open at once. It is lowered, with one warning, to what the limit of open files \
         (ulimit -n) leaves. When all \
         are taken, one that has waited for its next request for a second or longer makes room, the longest first; without \
         one, new connections wait in the queue of the operating system.",
    ),
    is(
        "http",
        "max_connections_per_address",
        Kind::Count { min: 1, max: 1_000_000 },
        "1024",
        "How many of them one client address (of IPv6, one /64) may have, so that one client cannot take them all; \
         those beyond are closed at once, and loopback and unix sockets are not counted. Many more than a \
         browser needs, because many people can share one address; behind a reverse proxy every client does, so set it \
         as high as max_connections there.",
    ),
    is(
        "http",
        "first_byte_timeout",
        HTTP_TIMEOUT,
        "5s",
        "How long a new connection may send nothing at all before it is closed.",
    ),
    is(
        "http",
        "head_timeout",
        HTTP_TIMEOUT,
        "10s",
        "How long a request may take to arrive, from its first byte to the end of its head. It bounds clients that \
         send slowly on purpose; an honest head fits in one packet.",
    ),
    is(
        "http",
        "idle_timeout",
        HTTP_TIMEOUT,
        "60s",
        "How long a connection may lie still between two requests. Behind a reverse proxy it must be longer than the \
         proxy's own, else the proxy sends requests into connections that are being closed.",
    ),
    is("http", "write_timeout", HTTP_TIMEOUT, "30s", "How long a client may take to accept its answer."),
    is(
        "http",
        "queue_timeout",
        HTTP_TIMEOUT,
        "1s",
        "How long a complete request may wait for a worker. Past that it gets 503 at once: an early refusal is worth \
         more than a late answer that nobody waits for.",
    ),
    is(
        "http",
        "drain_timeout",
        HTTP_TIMEOUT,
        "20s",
        "How long requests that are under way may take to end after TERM or INT. Keep it below the patience of whoever \
         stops the program (systemd: TimeoutStopSec, 90 s; Kubernetes: 30 s).",
    ),
    is(
        "http",
        "cache_control",
        Kind::Text(checks::field_value),
        "no-cache",
        "The Cache-Control field of a found profile. \"no-cache\" lets caches keep it and ask each time whether it \
         still holds, which the ETag makes cheap.",
    ),
    is(
        "http",
        "cors_allow_origins",
        Kind::List(checks::origin, AtLeast::None),
        "",
        "Web pages of which origins may read answers in a browser: [\"https://example.com\"], or [\"*\"] for all. None \
         by default: browsers then keep them from other origins. Not built yet: it is checked, and has no effect.",
    ),
    is(
        "http",
        "docs",
        Kind::Flag,
        "true",
        "Whether /docs and /openapi.json are served. Not built yet: it has no effect.",
    ),
];

const ADMIN: &[Setting] = &[is(
    "admin",
    "listen",
    Kind::ListenerOrOff,
    "127.0.0.1:8001",
    "Where to listen: as [http] listen, but one address; or \"off\". It asks nobody who they are, so keep it off the \
     public network.",
)];

const BUCKET: &[Setting] = &[
    is(
        "bucket",
        "database",
        Kind::Choice(&["embedded", "couchbase", "mongodb", "cassandra", "couchdb", "arangodb", "elasticsearch"]),
        "embedded",
        "Where the profiles are: \"embedded\", \"couchbase\", \"mongodb\", \"cassandra\", \"couchdb\", \"arangodb\" or \
         \"elasticsearch\". The embedded file is the default because it needs nothing else to run.",
    ),
    is(
        "bucket",
        "connections",
        Kind::Choice(&["per-request", "pooled"]),
        "per-request",
        "\"per-request\": each request opens a connection of its own and drops it. It is the simplest thing that is \
         right. It costs a request about 0.1 ms with an HTTP database on the same machine and about 2 ms with MongoDB; \
         further away a round trip more, and TLS adds its handshake. \"pooled\": connections are kept and lent to one \
         request at a time. Prefer it with TLS, and with MongoDB and Cassandra, whose connections cost most.",
    ),
    unset(
        "bucket",
        "max_connections",
        Kind::Count { min: 1, max: 1024 },
        "28",
        "How many bucket connections may be open at once. Unset: as many as there are workers that may use a bucket \
         (all but a few, which keep answering while a database is frozen). Set it lower to spare the database.",
    ),
    is(
        "bucket",
        "wait_timeout",
        BUCKET_TIMEOUT,
        "1s",
        "How long a request may wait for a bucket connection. Past that it gets 503.",
    ),
    is(
        "bucket",
        "operation_timeout",
        BUCKET_TIMEOUT,
        "30s",
        "How long reading one document may take, whatever has to be tried for it. Past that the request gets 504. \
         The tutorial's value; a few seconds are kinder to users.",
    ),
    is(
        "bucket",
        "attempt_timeout",
        BUCKET_TIMEOUT,
        "2500ms",
        "How long one node may take before another is asked, where there is another: what Couchbase's own libraries \
         allow one read.",
    ),
    is(
        "bucket",
        "n1ql_timeout",
        BUCKET_TIMEOUT,
        "300s",
        "How long one listing or one batch (`export`, `import`) may take. The tutorial's value.",
    ),
    is(
        "bucket",
        "connect_timeout",
        BUCKET_TIMEOUT,
        "2s",
        "How long opening one connection to one node may take: long enough for one lost packet, which is sent again \
         after 1 s.",
    ),
    is(
        "bucket",
        "slow_operation",
        BUCKET_TIMEOUT,
        "1s",
        "Reads that take this long or longer are logged, once each and without the document or its id: with the \
         request id, the node, our time and the server's own.",
    ),
];

const EMBEDDED: &[Setting] = &[unset(
    "embedded",
    "path",
    TEXT,
    "data/userprofiles.db",
    "The file. Unset: $STATE_DIRECTORY/userprofiles.db where systemd sets that (StateDirectory=), else \
     data/userprofiles.db. Its folder is made.",
)];

const COUCHBASE: &[Setting] = &[
    is(
        "couchbase",
        "connection_string",
        Kind::Text(checks::anything),
        "couchbase://127.0.0.1",
        "couchbase://host1,host2, or couchbases:// for TLS. Bucket, user name, timeouts (in seconds) and network in it \
         hold where no setting says otherwise, as in \
         couchbase://couchbasehost:8091?operation_timeout=30&n1ql_timeout=300. A password in it is refused.",
    ),
    is(
        "couchbase",
        "bucket",
        Kind::Text(checks::bucket_name),
        "bucket_name",
        "The bucket. The tutorial's name; take your own.",
    ),
    is(
        "couchbase",
        "scope",
        COLLECTION,
        "_default",
        "The scope in the bucket. Every bucket has \"_default\", also on servers that know no scopes.",
    ),
    is("couchbase", "collection", COLLECTION, "_default", "The collection in the scope; likewise."),
    unset("couchbase", "username", USERNAME, "userprofiles", USERNAME_HELP),
    unset("couchbase", "password_file", TEXT, "/run/secrets/couchbase-password", PASSWORD_FILE_HELP),
    is(
        "couchbase",
        "api",
        Kind::Choice(&["query", "documents", "data-api"]),
        "query",
        "How documents are read. \"query\": by the query service, which is the way to choose wherever a node runs it; \
         no index is needed. \"documents\": by the cluster managers, for clusters without a query service; an address \
         that Couchbase does not document, so a new version may change it. \"data-api\": by the Data API of Capella or \
         of the cloud-native gateway, where only HTTPS on port 443 gets through; the connection string is then https:// \
         and its host, and a username with a slash gets a 422.",
    ),
    unset("couchbase", "ca_file", TEXT, "/etc/userprofiles/couchbase-ca.pem", CA_FILE_HELP),
    unset(
        "couchbase",
        "client_certificate_file",
        TEXT,
        "/etc/userprofiles/couchbase-client.pem",
        "A certificate (PEM, with the authorities between) that says to the cluster who we are, in place of user name \
         and password or beside them. Only with TLS; HUP reads it again.",
    ),
    unset(
        "couchbase",
        "client_key_file",
        TEXT,
        "/etc/userprofiles/couchbase-client.key",
        "Its private key (PEM, without a passphrase).",
    ),
    is(
        "couchbase",
        "network",
        TEXT,
        "auto",
        "Which of a node's addresses are dialled: \"default\" (by which the nodes know each other), \"external\" or \
         another name that the cluster has, or \"auto\": those among which the address is that was dialled first.",
    ),
    is(
        "couchbase",
        "danger_accept_invalid_certificates",
        Kind::Flag,
        "false",
        "true: certificates are not checked, and whoever can redirect a connection reads the password. For a test \
         cluster with a certificate of its own, ca_file is the better way.",
    ),
];

const MONGODB: &[Setting] = &[
    is(
        "mongodb",
        "uri",
        Kind::Text(checks::mongodb_uri),
        "mongodb://127.0.0.1:27017",
        "mongodb://host1,host2/?option=value, or mongodb+srv://. No user name and password in it.",
    ),
    is("mongodb", "database", TEXT, "userprofiles", "The database: named as the program, for want of a better name."),
    is("mongodb", "collection", TEXT, "userprofiles", "The collection: named likewise."),
    unset("mongodb", "username", USERNAME, "userprofiles", USERNAME_HELP),
    unset("mongodb", "password_file", TEXT, "/run/secrets/mongodb-password", PASSWORD_FILE_HELP),
    unset("mongodb", "ca_file", TEXT, "/etc/userprofiles/mongodb-ca.pem", CA_FILE_HELP),
];

const CASSANDRA: &[Setting] = &[
    is(
        "cassandra",
        "nodes",
        Kind::List(checks::node, AtLeast::One),
        "127.0.0.1:9042",
        "Nodes to begin with; the others are learnt from them.",
    ),
    is(
        "cassandra",
        "local_datacenter",
        TEXT,
        "datacenter1",
        "The data centre whose nodes are asked: Cassandra's own name for its first one.",
    ),
    is("cassandra", "keyspace", CASSANDRA_NAME, "userprofiles", "The keyspace: named as the program."),
    is("cassandra", "table", CASSANDRA_NAME, "userprofiles", "The table: named likewise."),
    is(
        "cassandra",
        "consistency",
        Kind::Choice(&["ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE"]),
        "LOCAL_QUORUM",
        "How many replicas must agree. LOCAL_QUORUM shows what was written with LOCAL_QUORUM, survives the loss of one \
         replica of three, and waits for no other data centre.",
    ),
    unset("cassandra", "username", USERNAME, "userprofiles", USERNAME_HELP),
    unset("cassandra", "password_file", TEXT, "/run/secrets/cassandra-password", PASSWORD_FILE_HELP),
    unset("cassandra", "ca_file", TEXT, "/etc/userprofiles/cassandra-ca.pem", CA_FILE_HELP),
];

const COUCHDB: &[Setting] = &[
    is(
        "couchdb",
        "urls",
        URLS,
        "http://127.0.0.1:5984",
        "The nodes, as [\"http://host1:5984\", \"http://host2:5984\"]: the next is asked when one fails.",
    ),
    is("couchdb", "database", TEXT, "userprofiles", "The database: named as the program."),
    unset("couchdb", "username", USERNAME, "userprofiles", USERNAME_HELP),
    unset("couchdb", "password_file", TEXT, "/run/secrets/couchdb-password", PASSWORD_FILE_HELP),
    unset("couchdb", "ca_file", TEXT, "/etc/userprofiles/couchdb-ca.pem", CA_FILE_HELP),
];

const ARANGODB: &[Setting] = &[
    is(
        "arangodb",
        "urls",
        URLS,
        "http://127.0.0.1:8529",
        "The coordinators, as [\"http://host1:8529\", \"http://host2:8529\"]: the next is asked when one fails.",
    ),
    is("arangodb", "database", TEXT, "_system", "The database: the one that every server has."),
    is("arangodb", "collection", TEXT, "userprofiles", "The collection: named as the program."),
    unset("arangodb", "username", USERNAME, "userprofiles", USERNAME_HELP),
    unset("arangodb", "password_file", TEXT, "/run/secrets/arangodb-password", PASSWORD_FILE_HELP),
    unset("arangodb", "ca_file", TEXT, "/etc/userprofiles/arangodb-ca.pem", CA_FILE_HELP),
];

const ELASTICSEARCH: &[Setting] = &[
    is(
        "elasticsearch",
        "urls",
        URLS,
        "http://127.0.0.1:9200",
        "The nodes, as [\"http://host1:9200\", \"http://host2:9200\"]: the next is asked when one fails.",
    ),
    is("elasticsearch", "index", TEXT, "userprofiles", "The index (or its alias): named as the program."),
    unset("elasticsearch", "username", USERNAME, "userprofiles", USERNAME_HELP),
    unset("elasticsearch", "password_file", TEXT, "/run/secrets/elasticsearch-password", PASSWORD_FILE_HELP),
    unset(
        "elasticsearch",
        "api_key_file",
        TEXT,
        "/run/secrets/elasticsearch-api-key",
        "A file that holds an API key, in place of user name and password; the environment \
         (USERPROFILES_ELASTICSEARCH_API_KEY) serves as well.",
    ),
    unset("elasticsearch", "ca_file", TEXT, "/etc/userprofiles/elasticsearch-ca.pem", CA_FILE_HELP),
];

const LOG: &[Setting] = &[
    is(
        "log",
        "level",
        Kind::Choice(&["off", "error", "warn", "info", "debug", "trace"]),
        "info",
        "How much is logged: \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\". At info there is one line \
         for each answer. The variable RUST_LOG wins over it.",
    ),
    is(
        "log",
        "format",
        Kind::Choice(&["auto", "json"]),
        "auto",
        "\"auto\": what fits the place (the journal, a terminal, or plain text). \"json\": one JSON object a line, for \
         collectors.",
    ),
];
