//! From the settings to the options of the driver.
//!
//! What the URI says holds, and our settings where it says nothing: the driver's own defaults (30 s to find a server,
//! 10 connections) do not suit a server with deadlines and many threads.
//!
//! Invariant: nothing is asked over a network but the DNS record of `mongodb+srv://`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mongodb::Client;
use mongodb::error::Error;
use mongodb::options::{
    AuthMechanism, ClientOptions, ConnectionString, Credential, HostInfo, ServerAddress, Tls, TlsOptions,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::bucket::native::ClientIdentity;
use crate::bucket::remote::auth::Credentials;
use crate::bucket::remote::tls::Pem;
use crate::bucket::remote::{Endpoint, LoginConfig, Plan, Security};
use crate::bucket::{BucketError, BucketTimeouts};
use crate::config::{MongodbSettings, Settings, mongodb_uri_has_tls};

/// How long a connection may be idle, unless the URI says otherwise: what a burst has opened is closed again.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// From one look at a server to the next, unless the URI says otherwise: soon enough to find within a second that it
/// is back.
const HEARTBEAT: Duration = Duration::from_secs(1);

const USUAL_PORT: u16 = 27017;

/// What the section says.
///
/// # Errors
/// [`BucketError::Misconfigured`] for a URI that the driver does not take.
pub fn plan(settings: &MongodbSettings) -> Result<Plan, BucketError> {
    let MongodbSettings { uri, database, collection, login, tls } = settings;
    // The password is not needed to see whether the rest is right.
    let with_login = with_login(uri, login.username.as_deref().map(|username| (username, "-")));
    let parsed = ConnectionString::parse(&*with_login).map_err(|error| not_taken(&error))?;
    let documents = format!("the collection {collection:?} of the database {database:?}");
    let security = if mongodb_uri_has_tls(uri) { Security::Tls } else { Security::Plain };
    let login = LoginConfig::for_driver(login);
    Ok(match &parsed.host_info {
        HostInfo::DnsRecord(name) => {
            let place = format!("{documents} at the servers of mongodb+srv://{name}");
            Plan { place, login, tls: tls.clone(), nodes: Vec::new(), security }
        }
        HostInfo::HostIdentifiers(hosts) => {
            ensure_taken(&parsed)?;
            let nodes = nodes(hosts, security);
            if nodes.is_empty() {
                let reason = "[mongodb] uri names no host with a port; name one, and no socket of the file system";
                return Err(BucketError::misconfigured(reason));
            }
            Plan::new(&documents, login, tls.clone(), nodes)
        }
        _ => return Err(BucketError::misconfigured("[mongodb] uri names no hosts")),
    })
}

/// The URI with a user and a password in it: only then the driver applies what it says about logins (`authSource`,
/// `authMechanism`, the database of its path). Never logged.
fn with_login(uri: &str, login: Option<(&str, &str)>) -> Zeroizing<String> {
    match (uri.split_once("://"), login) {
        (Some((scheme, rest)), Some((username, password))) => {
            let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
            Zeroizing::new(format!("{scheme}://{}:{}@{rest}", encoded(username), encoded(password)))
        }
        _ => Zeroizing::new(uri.to_owned()),
    }
}

/// Checks what the driver checks after it has looked up names, where there are none to look up: then it waits for
/// nothing.
fn ensure_taken(parsed: &ConnectionString) -> Result<(), BucketError> {
    let checked = pin!(ClientOptions::parse(parsed.clone()).into_future());
    match checked.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => Err(not_taken(&error)),
        Poll::Ready(Ok(_)) | Poll::Pending => Ok(()),
    }
}

fn not_taken(error: &Error) -> BucketError {
    let is_about_srv = !cfg!(feature = "mongodb-srv") && error.to_string().contains("dns-resolver");
    let hint = if is_about_srv { "; build it in: cargo build --release --features mongodb-srv" } else { "" };
    BucketError::misconfigured(format!("[mongodb] uri cannot be used: {}{hint}", error.kind))
}

/// Those that have a port: not the sockets in the file system.
pub fn nodes(addresses: &[ServerAddress], security: Security) -> Vec<Endpoint> {
    let with_port = addresses.iter().filter_map(|address| match address {
        ServerAddress::Tcp { host, port } => Some(Endpoint::new(security, host.clone(), port.unwrap_or(USUAL_PORT))),
        _ => None,
    });
    with_port.collect()
}

/// What every client of a database is opened with.
#[derive(Clone)]
pub struct ClientSettings {
    uri: String,
    /// As many as there may be reads at the same time: the driver would queue them without a limit.
    max_pool_size: u32,
}

impl ClientSettings {
    /// What the settings say.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let max_pool_size = settings.bucket.max_connections.unwrap_or_else(|| u32::from(settings.http.workers));
        Self { uri: settings.mongodb.uri.clone(), max_pool_size }
    }

    /// The options for a login, after the DNS record was looked up, if the URI names one.
    ///
    /// # Errors
    /// The driver's.
    pub async fn options(&self, credentials: &Credentials, timeouts: &BucketTimeouts) -> Result<ClientOptions, Error> {
        let login = credentials.username_and_password();
        let uri = with_login(&self.uri, login.map(|(username, password)| (username, password.expose_secret())));
        let mut options = ClientOptions::parse(ConnectionString::parse(&*uri)?).await?;
        options.app_name.get_or_insert_with(|| "userprofiles".to_owned());
        options.connect_timeout.get_or_insert(timeouts.connect);
        options.heartbeat_freq.get_or_insert(HEARTBEAT);
        options.server_selection_timeout.get_or_insert(selection_timeout(timeouts));
        options.max_pool_size.get_or_insert(self.max_pool_size);
        options.max_idle_time.get_or_insert(MAX_IDLE);
        // New connections, of many requests at once, should not wait for each other.
        options.max_connecting.get_or_insert(self.max_pool_size.clamp(2, 16));
        Ok(options)
    }

    /// Opens a client. It connects at its first use.
    ///
    /// # Errors
    /// The driver's, or that a file cannot be written for it.
    pub async fn open(&self, identity: ClientIdentity) -> Result<Client, NotOpened> {
        let options = self.options(&identity.credentials, &identity.timeouts).await.map_err(NotOpened::ByDriver)?;
        // Files are read and written: a thread that polls must not wait for them.
        let opening = spawn_blocking(move || open_with(options, &identity));
        opening.await.unwrap_or_else(|panic| Err(NotOpened::NoFile(panic.into())))
    }
}

fn open_with(mut options: ClientOptions, identity: &ClientIdentity) -> Result<Client, NotOpened> {
    let Some(tls) = &identity.tls else { return Client::with_options(options).map_err(NotOpened::ByDriver) };
    let own = match options.tls.take() {
        Some(Tls::Enabled(own)) => own,
        _ => TlsOptions::default(),
    };
    let files = TlsFiles::new(&tls.pem, own).map_err(NotOpened::NoFile)?;
    options.tls = Some(Tls::Enabled(files.options.clone()));
    if tls.pem.identity.is_some() && options.credential.is_none() {
        options.credential = Some(Credential::builder().mechanism(AuthMechanism::MongoDbX509).build());
    }
    // It reads the files at once.
    Client::with_options(options).map_err(NotOpened::ByDriver)
}

/// Why there is no client.
pub enum NotOpened {
    /// The driver says so.
    ByDriver(Error),
    /// A temporary file cannot be written.
    NoFile(io::Error),
}

/// How long a server is looked for: an outage should be told as one, and before the time of a request or of `/ready`
/// is over.
fn selection_timeout(timeouts: &BucketTimeouts) -> Duration {
    timeouts.attempt.min(timeouts.operation / 2).min(Duration::from_millis(1500))
}

/// The files that the driver reads: it takes one for certificate and key together, and has a list of authorities of its
/// own that is not this machine's.
struct TlsFiles {
    options: TlsOptions,
    /// Removed with this.
    _temporary: Vec<NamedTempFile>,
}

impl TlsFiles {
    fn new(pem: &Pem, mut options: TlsOptions) -> io::Result<Self> {
        let mut temporary = Vec::new();
        let authorities = match &pem.authorities {
            Some(authorities) => write(&mut temporary, authorities)?,
            None => write(&mut temporary, authorities_of_system().as_bytes())?,
        };
        options.ca_file_path = Some(authorities);
        if let Some(identity) = &pem.identity {
            options.cert_key_file_path = Some(write(&mut temporary, identity)?);
        }
        Ok(Self { options, _temporary: temporary })
    }
}

/// A file that only this user can read (mode 0600).
fn write(temporary: &mut Vec<NamedTempFile>, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    let path = file.path().to_owned();
    temporary.push(file);
    Ok(path)
}

/// As PEM (RFC 7468).
fn authorities_of_system() -> String {
    let certificates = rustls_native_certs::load_native_certs().certs;
    let pem = certificates
        .iter()
        .map(|der| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der)));
    pem.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::SecretString;

    use super::super::product::MONGODB;
    use super::*;
    use crate::bucket::remote::Scheme;
    use crate::bucket::runtime::Runtime;
    use crate::clock::{self, Deadline};

    fn plan_of(uri: &str) -> Result<Plan, BucketError> {
        plan(&MongodbSettings { uri: uri.to_owned(), ..MongodbSettings::default() })
    }

    #[test]
    fn the_uri_says_where_and_whether_by_tls() {
        let plan = plan_of("mongodb://a,b:1234/?tls=true&replicaSet=rs").unwrap();
        assert_eq!(plan.security, Security::Tls);
        assert_eq!(plan.place, "the collection \"userprofiles\" of the database \"userprofiles\" at a:27017, b:1234");
        assert_eq!(plan_of("mongodb://a").unwrap().security, Security::Plain);
        if cfg!(feature = "mongodb-srv") {
            let plan = plan_of("mongodb+srv://c.example.com/").unwrap();
            assert!(plan.security == Security::Tls && plan.place.ends_with("mongodb+srv://c.example.com"));
            assert_eq!(plan_of("mongodb+srv://c.example.com/?tls=false").unwrap().security, Security::Plain);
        }
    }

    #[test]
    fn a_uri_that_cannot_be_used_says_why() {
        for (uri, expected) in [
            ("mongodb://a/?socketTimeoutMS=5", "socketTimeoutMS"),
            ("mongodb://a/?maxPoolSize=x", "maxpoolsize"),
            ("mongodb://%2Ftmp%2Fmongodb-27017.sock", "no host with a port"),
        ] {
            let reason = plan_of(uri).err().unwrap().reason();
            assert!(reason.starts_with("[mongodb] uri ") && reason.contains(expected), "{uri}: {reason}");
        }
    }

    fn options_of(settings: &Settings) -> ClientOptions {
        options_for(settings, Arc::default())
    }

    fn options_for(settings: &Settings, credentials: Arc<Credentials>) -> ClientOptions {
        let own = ClientSettings::new(settings);
        let deadline = Deadline::after(clock::now(), Duration::from_secs(30));
        let options = Runtime::start()
            .unwrap()
            .run(deadline, "the driver", async move { own.options(&credentials, &BucketTimeouts::default()).await });
        options.unwrap().unwrap()
    }

    #[test]
    fn what_the_uri_does_not_say_is_ours() {
        let mut settings = Settings::default();
        settings.bucket.max_connections = Some(5);
        settings.mongodb.uri =
            "mongodb://a/?maxPoolSize=3&serverSelectionTimeoutMS=100&readPreference=secondary".to_owned();
        let options = options_of(&settings);
        assert_eq!(
            (options.max_pool_size, options.server_selection_timeout),
            (Some(3), Some(Duration::from_millis(100)))
        );
        assert_eq!((options.heartbeat_freq, options.connect_timeout), (Some(HEARTBEAT), Some(Duration::from_secs(2))));
        settings.mongodb.uri = "mongodb://a".to_owned();
        let options = options_of(&settings);
        assert_eq!(
            (options.max_pool_size, options.server_selection_timeout),
            (Some(5), Some(Duration::from_millis(1500)))
        );
    }

    #[test]
    fn a_login_comes_from_the_settings_and_the_uri_says_how() {
        let mut settings = Settings::default();
        let password = SecretString::from("p@ss:/word");
        let scheme = Scheme::Driver { username: Some("a@b".to_owned()) };
        let credentials = Arc::new(Credentials::new(&MONGODB, &scheme, Some(&password)).unwrap());
        for (uri, source, mechanism) in [
            ("mongodb://a", "admin", None),
            ("mongodb://a/?authSource=x", "x", None),
            ("mongodb://a/y", "y", None),
            ("mongodb://a/?authMechanism=SCRAM-SHA-256", "admin", Some(AuthMechanism::ScramSha256)),
            ("mongodb://a/?authMechanism=PLAIN&authSource=$external", "$external", Some(AuthMechanism::Plain)),
        ] {
            settings.mongodb.uri = uri.to_owned();
            settings.mongodb.login.username = Some("a@b".to_owned());
            plan(&settings.mongodb).unwrap();
            let credential = options_for(&settings, credentials.clone()).credential.unwrap();
            let found = (credential.username.as_deref(), credential.password.as_deref(), credential.mechanism);
            assert_eq!(found, (Some("a@b"), Some("p@ss:/word"), mechanism), "{uri}");
            assert_eq!(credential.source.as_deref().unwrap_or("admin"), source, "{uri}");
        }
        settings.mongodb.uri = "mongodb://a/?authSource=x".to_owned();
        assert_eq!(options_of(&settings).credential, None, "authSource alone says of nobody who it is");
    }

    #[test]
    fn a_server_is_not_looked_for_until_the_time_is_over() {
        let of = |operation, attempt| {
            let timeouts = BucketTimeouts {
                operation: Duration::from_millis(operation),
                attempt: Duration::from_millis(attempt),
                ..BucketTimeouts::default()
            };
            selection_timeout(&timeouts).as_millis()
        };
        assert_eq!((of(30_000, 2_500), of(1_000, 2_500), of(30_000, 200)), (1_500, 500, 200));
    }
}
