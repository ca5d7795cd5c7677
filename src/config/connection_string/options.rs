//! The options of a connection string: those that are used, those that SDKs know and that mean nothing here, and those
//! that are refused.
//!
//! Invariant: the value of an option that we do not know is never repeated.

use std::path::PathBuf;
use std::time::Duration;

use super::option_names::{IGNORED, IGNORED_GROUPS, SECRET, USED, has};
use super::{ConnectionString, InvalidConnectionString, decode, invalid};
use crate::config::setting::{LONGEST_TIMEOUT, holds_secret, nearest, parse_duration};

/// `ssl=`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsOption {
    On,
    Off,
    NoVerify,
}

/// `dnssrv=`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DnsSrv {
    Forced,
    Forbidden,
}

/// The options that say how the rest of the string is to be read.
#[derive(Default)]
pub(super) struct Modes {
    pub(super) tls: Option<TlsOption>,
    pub(super) dns_srv: Option<DnsSrv>,
}

/// Refuses a string with login data in it, before any part of it can be quoted.
pub(super) fn refuse_login(before: &str, pairs: &str) -> Result<(), InvalidConnectionString> {
    if before.contains('@') {
        return invalid(
            "there is an @ before the options: user name and password do not belong into a connection \
             string. Write [couchbase] username and password_file, or USERPROFILES_COUCHBASE_PASSWORD",
        );
    }
    for (key, value) in split(pairs) {
        let written = decode(key).unwrap_or_default();
        let key = written.to_ascii_lowercase();
        let is_known = has(USED, &key) || has(IGNORED, &key);
        if has(SECRET, &key) || (!is_known && holds_secret(&written, value)) {
            return invalid(format!(
                "a secret ({written}=) does not belong into a connection string, which ends up in logs and listings: \
                 write [couchbase] password_file, or USERPROFILES_COUCHBASE_PASSWORD"
            ));
        }
        // A password with a `?` or `&` in it would come apart right here.
        if key.contains('@') || (key != "username" && value.contains('@')) {
            return invalid(
                "there is an @ among the options: write [couchbase] username and password_file in place of \
                 login data, and %40 for an @ that belongs there",
            );
        }
    }
    Ok(())
}

/// Reads the options into what was parsed; those that have no effect are listed in one warning.
pub(super) fn parse(pairs: &str, parsed: &mut ConnectionString) -> Result<Modes, InvalidConnectionString> {
    let mut modes = Modes::default();
    let mut ignored: Vec<String> = Vec::new();
    let mut certpath = None;
    for (key, value) in split(pairs) {
        let key = decode(key).unwrap_or_default();
        let Some(value) = decode(value) else {
            return invalid(format!("the value of {key:?} is not UTF-8 after its %XX have been decoded"));
        };
        match key.as_str() {
            "operation_timeout" | "timeout" => parsed.operation_timeout = Some(seconds(&key, &value)?),
            "n1ql_timeout" => parsed.n1ql_timeout = Some(seconds(&key, &value)?),
            "username" | "user" => parsed.username = Some(not_empty(&key, value)?),
            "network" => parsed.network = Some(not_empty(&key, value)?),
            "ssl" if value == "no_global_init" => ignored.push(format!("{key}={value}")),
            "ssl" => modes.tls = Some(tls(&value)?),
            // A string that asks for TLS must not end in a connection without it.
            "enable_tls" | "security.enableTls" => {
                modes.tls = Some(if flag(&key, &value)? { TlsOption::On } else { TlsOption::Off });
            }
            "dnssrv" | "enable_dns_srv" | "io.enableDnsSrv" => {
                modes.dns_srv = Some(if flag(&key, &value)? { DnsSrv::Forced } else { DnsSrv::Forbidden });
            }
            "truststorepath" | "ca_cert_path" | "cacertpath" | "trust_certificate" | "security.trustCertificate" => {
                parsed.ca_file = Some(PathBuf::from(not_empty(&key, value)?));
            }
            "certpath" => certpath = Some(PathBuf::from(not_empty(&key, value)?)),
            "fetch_mutation_tokens" => {}
            "keypath" => parsed.client_key_file = Some(PathBuf::from(not_empty(&key, value)?)),
            _ if is_ignored(&key) => ignored.push(key),
            _ => return Err(unknown(&key)),
        }
    }
    // With a key beside it, it is a client's certificate; alone, it was the authority's in older libraries.
    match (certpath, &parsed.client_key_file) {
        (None, Some(_)) => {
            return invalid("keypath= without certpath=: a client has both, a certificate and its key");
        }
        (Some(file), Some(_)) => parsed.client_certificate_file = Some(file),
        (Some(file), None) if parsed.ca_file.is_none() => parsed.ca_file = Some(file),
        _ => {}
    }
    if !ignored.is_empty() {
        ignored.sort_unstable();
        ignored.dedup();
        let plural = if ignored.len() == 1 { "option has" } else { "options have" };
        parsed.warnings.push(format!("the {plural} no effect in this program: {}", ignored.join(", ")));
    }
    Ok(modes)
}

fn split(pairs: &str) -> impl Iterator<Item = (&str, &str)> {
    pairs.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn is_ignored(key: &str) -> bool {
    has(IGNORED, key) || IGNORED_GROUPS.split(' ').any(|group| key.starts_with(group))
}

fn unknown(key: &str) -> InvalidConnectionString {
    let hint = nearest(key, USED.split(' ').chain(IGNORED.split(' '))).map_or_else(
        || format!("those with an effect are {}", USED.replace(' ', ", ")),
        |near| format!("did you mean {near}?"),
    );
    InvalidConnectionString(format!("{key:?} is not an option that is known here; {hint}"))
}

fn not_empty(key: &str, value: String) -> Result<String, InvalidConnectionString> {
    if value.is_empty() { invalid(format!("{key}= is empty: write a value or leave it out")) } else { Ok(value) }
}

fn tls(value: &str) -> Result<TlsOption, InvalidConnectionString> {
    match value {
        "on" => Ok(TlsOption::On),
        "off" => Ok(TlsOption::Off),
        "no_verify" => Ok(TlsOption::NoVerify),
        _ => invalid(format!("ssl={value} is not known: write on, off or no_verify")),
    }
}

fn flag(key: &str, value: &str) -> Result<bool, InvalidConnectionString> {
    match value {
        "1" | "true" | "on" => Ok(true),
        "0" | "false" | "off" => Ok(false),
        _ => invalid(format!("{key}={value} is not known: write 1 or 0")),
    }
}

/// Seconds with decimals, as the 2.x SDKs read them; cut to milliseconds. They read `500ms` as 500 seconds, and newer ones as half a second:
/// it is reported, since nobody can know which was meant.
fn seconds(key: &str, value: &str) -> Result<Duration, InvalidConnectionString> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = value.parse::<f64>().ok().filter(|_| is_number);
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(duration) if duration < Duration::from_millis(1) => {
            invalid(format!("{key}={value} leaves no time at all: write at least 0.001"))
        }
        Some(duration) if duration > LONGEST_TIMEOUT => invalid(format!(
            "{key}={value} is more than a day: it is seconds; write at most {}",
            LONGEST_TIMEOUT.as_secs()
        )),
        Some(duration) => Ok(Duration::new(duration.as_secs(), duration.subsec_millis() * 1_000_000)),
        None => invalid(format!(
            "{key}={value} is not a number of seconds: write {key}=2.5 for two and a half{}",
            in_seconds(key, value)
        )),
    }
}

/// What to write for a value with a unit, where that can be told.
fn in_seconds(key: &str, value: &str) -> String {
    match parse_duration(value) {
        Ok(duration) => format!("; {value} is {key}={}", duration.as_secs_f64()),
        Err(_) => String::new(),
    }
}
