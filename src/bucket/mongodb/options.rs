//! From the settings to the options of the driver.
//!
//! What the URI says holds, and our settings where it says nothing: the driver's own defaults (30 s to find a server, 10
//! connections) do not suit a server with deadlines and many threads.
//!
//! Invariant: nothing is asked over a network but the DNS record of `mongodb+srv://`.

use std::io::Write;
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
use secrecy::ExposeSecret;
use tempfile::NamedTempFile;

use crate::bucket::native::ClientIdentity;
use crate::bucket::remote::{Endpoint, LoginConfig, Plan, Security};
use crate::bucket::{BucketError, BucketTimeouts};
use crate::config::{MongodbSettings, Settings, TlsSettings};

/// How long a connection may be idle, unless the URI says otherwise: what a burst has opened is closed again.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// From one look at a server to the next, unless the URI says otherwise: soon enough to find within a second that it is back.
const HEARTBEAT: Duration = Duration::from_secs(1);

const USUAL_PORT: u16 = 27017;

/// What the section says.
///
/// # Errors
/// [`BucketError::Misconfigured`] for a URI that the driver does not take.
pub fn plan(settings: &MongodbSettings) -> Result<Plan, BucketError> {
    let MongodbSettings { uri, database, collection, login, tls } = settings;
    let parsed = parse(uri).map_err(|error| not_taken(&error))?;
    let documents = format!("the collection {collection:?} of the database {database:?}");
    let security = security(&parsed);
    let login = LoginConfig::for_driver(login);
    Ok(match &parsed.host_info {
        HostInfo::DnsRecord(name) => {
            let place = format!("{documents} at the servers of mongodb+srv://{name}");
            Plan { place, login, tls: tls.clone(), nodes: Vec::new(), security }
        }
        HostInfo::HostIdentifiers(hosts) => {
            ensure_taken(&parsed)?;
            Plan { security, ..Plan::new(&documents, login, tls.clone(), nodes(hosts, security)) }
        }
        _ => return Err(BucketError::misconfigured("[mongodb] uri names no hosts")),
    })
}

fn parse(uri: &str) -> Result<ConnectionString, Error> {
    // There is nothing secret in it: that is checked when the settings are read.
    ConnectionString::parse(uri)
}

/// Checks what the driver checks after it has looked up names, where there are none to look up: then it waits for nothing.
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

/// `mongodb+srv://` has TLS unless the URI says otherwise.
fn security(parsed: &ConnectionString) -> Security {
    match (&parsed.tls, &parsed.host_info) {
        (Some(Tls::Enabled(_)), _) | (None, HostInfo::DnsRecord(_)) => Security::Tls,
        _ => Security::Plain,
    }
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
    timeouts: BucketTimeouts,
    /// As many as there may be reads at the same time: the driver would queue them without a limit.
    max_pool_size: u32,
}

impl ClientSettings {
    /// What the settings say.
    #[must_use]
    pub fn new(settings: &Settings, timeouts: BucketTimeouts) -> Self {
        let max_pool_size = settings.bucket.max_connections.unwrap_or_else(|| u32::from(settings.http.workers));
        Self { uri: settings.mongodb.uri.clone(), timeouts, max_pool_size }
    }

    /// The options without a login, after the DNS record was looked up, if the URI names one.
    ///
    /// # Errors
    /// The driver's.
    pub async fn options(&self) -> Result<ClientOptions, Error> {
        let mut options = ClientOptions::parse(parse(&self.uri)?).await?;
        options.app_name.get_or_insert_with(|| "userprofiles".to_owned());
        options.connect_timeout.get_or_insert(self.timeouts.connect);
        options.heartbeat_freq.get_or_insert(HEARTBEAT);
        options.server_selection_timeout.get_or_insert(self.timeouts.attempt);
        options.max_pool_size.get_or_insert(self.max_pool_size);
        options.max_idle_time.get_or_insert(MAX_IDLE);
        // New connections, of many requests at once, should not wait for each other.
        options.max_connecting.get_or_insert(self.max_pool_size.clamp(2, 16));
        Ok(options)
    }

    /// Opens a client. It connects at its first use.
    ///
    /// # Errors
    /// The driver's; [`mongodb::error::ErrorKind::Io`] if a file cannot be written for it.
    pub async fn open(&self, identity: &ClientIdentity) -> Result<Client, Error> {
        let mut options = self.options().await?;
        options.credential = credential(options.credential.take(), identity);
        let mut files = None;
        if let (Some(configuration), Some(Tls::Enabled(own))) = (&identity.tls, options.tls.take()) {
            let made = TlsFiles::new(&configuration.files, own)?;
            options.tls = Some(Tls::Enabled(made.options.clone()));
            files = Some(made);
        }
        let client = Client::with_options(options);
        // It has read them.
        drop(files);
        client
    }
}

/// Who we are: by password, or by our certificate; and by which mechanism, if the URI says so.
fn credential(of_uri: Option<Credential>, identity: &ClientIdentity) -> Option<Credential> {
    if let Some((username, password)) = identity.credentials.username_and_password() {
        let mut credential = of_uri.unwrap_or_default();
        credential.username = Some(username.to_owned());
        credential.password = Some(password.expose_secret().to_owned());
        return Some(credential);
    }
    let has_certificate = identity.tls.as_ref().is_some_and(|tls| tls.files.client_certificate_file.is_some());
    let by_certificate = || Credential::builder().mechanism(AuthMechanism::MongoDbX509).build();
    of_uri.filter(|credential| credential.mechanism.is_some()).or_else(|| has_certificate.then(by_certificate))
}

/// The files that the driver reads: it takes one for certificate and key together, and has a list of authorities of its
/// own that is not this machine's.
struct TlsFiles {
    options: TlsOptions,
    /// Removed with this.
    _temporary: Vec<NamedTempFile>,
}

impl TlsFiles {
    fn new(files: &TlsSettings, mut options: TlsOptions) -> Result<Self, Error> {
        let mut temporary = Vec::new();
        if let Some(path) = &files.ca_file {
            options.ca_file_path = Some(path.clone());
        } else if options.ca_file_path.is_none() {
            let authorities = write(&mut temporary, authorities_of_system().as_bytes())?;
            options.ca_file_path = Some(authorities);
        }
        if let (Some(certificate), Some(key)) = (&files.client_certificate_file, &files.client_key_file) {
            let mut both = zeroize::Zeroizing::new(std::fs::read(certificate)?);
            both.push(b'\n');
            both.extend_from_slice(&zeroize::Zeroizing::new(std::fs::read(key)?));
            options.cert_key_file_path = Some(write(&mut temporary, &both)?);
        }
        Ok(Self { options, _temporary: temporary })
    }
}

/// A file that only this user can read (mode 0600).
fn write(temporary: &mut Vec<NamedTempFile>, bytes: &[u8]) -> Result<std::path::PathBuf, Error> {
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

/// Why there is no TLS, in a sentence of `check`.
pub const PLAIN: &str = "[mongodb] uri does not ask for it (tls=true)";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
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
        for (uri, expected) in
            [("mongodb://a/?socketTimeoutMS=5", "socketTimeoutMS"), ("mongodb://a/?maxPoolSize=x", "maxpoolsize")]
        {
            let reason = plan_of(uri).err().unwrap().reason();
            assert!(reason.contains("[mongodb] uri cannot be used") && reason.contains(expected), "{uri}: {reason}");
        }
    }

    fn options_of(settings: &Settings) -> ClientOptions {
        let own = ClientSettings::new(settings, BucketTimeouts::default());
        let deadline = Deadline::after(clock::now(), Duration::from_secs(30));
        let options = Runtime::start().unwrap().run(deadline, "the driver", async move { own.options().await });
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
            (Some(5), Some(Duration::from_millis(2500)))
        );
    }

    #[test]
    fn a_login_comes_from_the_settings_and_its_mechanism_from_the_uri() {
        let identity = ClientIdentity { credentials: Arc::default(), tls: None };
        assert_eq!(credential(None, &identity), None);
        let of_uri = Credential::builder().mechanism(AuthMechanism::MongoDbX509).build();
        assert_eq!(credential(Some(of_uri.clone()), &identity), Some(of_uri));
        // authSource alone says of nobody who it is.
        assert_eq!(credential(Some(Credential::builder().source("x".to_owned()).build()), &identity), None);
    }
}
