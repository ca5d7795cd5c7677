//! The options of a connection string: those that are used, those that SDKs know and that mean nothing here, and those
//! that are refused.
//!
//! Invariant: the value of an option that we do not know is never repeated.

use std::path::PathBuf;
use std::time::Duration;

use super::{InvalidConnectionString, decode, invalid};
use crate::config::names;
use crate::config::value::LONGEST_TIMEOUT;

/// `ssl=`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
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

#[derive(Default)]
pub(super) struct Options {
    pub(super) username: Option<String>,
    pub(super) operation_timeout: Option<Duration>,
    pub(super) n1ql_timeout: Option<Duration>,
    pub(super) network: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) dns_srv: Option<DnsSrv>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate_file: Option<PathBuf>,
    pub(super) client_key_file: Option<PathBuf>,
    pub(super) warnings: Vec<String>,
}

/// Options with an effect here, and `fetch_mutation_tokens`, which only writers need: nothing is lost without it.
const USED: &[&str] = &[
    "ca_cert_path",
    "cacertpath",
    "certpath",
    "dnssrv",
    "enable_dns_srv",
    "enable_tls",
    "fetch_mutation_tokens",
    "keypath",
    "n1ql_timeout",
    "network",
    "operation_timeout",
    "ssl",
    "timeout",
    "trust_certificate",
    "truststorepath",
    "user",
    "username",
];

/// Options without effect here, of libcouchbase 2.x and 3.x, of the C++ client that followed it, and of the SDKs for Go,
/// Java, .NET and Rust.
const IGNORED: &[&str] = &[
    "_reinit_connstr",
    "allow_static_config",
    "allowed_sasl_mechanisms",
    "analytics_timeout",
    "app_telemetry_backoff",
    "app_telemetry_backoff_interval",
    "app_telemetry_endpoint",
    "app_telemetry_ping_interval",
    "app_telemetry_ping_timeout",
    "auth_mechanisms",
    "bootstrap_on",
    "bootstrap_timeout",
    "cccp_max_wait",
    "cccp_poll_period",
    "client_string",
    "compression",
    "compression_min_ratio",
    "compression_min_size",
    "config_cache",
    "config_cache_ro",
    "config_idle_redial_timeout",
    "config_node_timeout",
    "config_poll_floor",
    "config_poll_floor_interval",
    "config_poll_interval",
    "config_poll_timeout",
    "config_total_timeout",
    "connect_timeout",
    "console_log_file",
    "console_log_level",
    "dcp_buffer_size",
    "dcp_priority",
    "detailed_errcodes",
    "disable_mozilla_ca_certificates",
    "dns_srv_timeout",
    "dump_configuration",
    "dur_mutation_tokens",
    "durability_interval",
    "durability_timeout",
    "enable_app_telemetry",
    "enable_clustermap_notification",
    "enable_collections",
    "enable_compression",
    "enable_dcp_change_streams",
    "enable_dcp_expiry",
    "enable_durable_write",
    "enable_errmap",
    "enable_expiry_opcode",
    "enable_lazy_connections",
    "enable_metrics",
    "enable_mutation_tokens",
    "enable_operation_metrics",
    "enable_server_durations",
    "enable_tcp_keep_alive",
    "enable_tcp_keepalives",
    "enable_tracing",
    "enable_unordered_execution",
    "error_map_file",
    "error_thresh_count",
    "error_thresh_delay",
    "eventing_timeout",
    "force_ipv4",
    "http_config_poll_timeout",
    "http_idle_conn_timeout",
    "http_max_idle_conns",
    "http_max_idle_conns_per_host",
    "http_pool_timeout",
    "http_poolsize",
    "http_redial_period",
    "http_retry_delay",
    "http_timeout",
    "http_urlmode",
    "idle_http_connection_timeout",
    "ip_protocol",
    "ipv6",
    "key_value_durable_timeout",
    "key_value_timeout",
    "kv_buffer_size",
    "kv_connect_timeout",
    "kv_durable_timeout",
    "kv_pool_size",
    "kv_timeout",
    "log_redaction",
    "management_timeout",
    "max_http_connections",
    "max_idle_http_connections",
    "max_idle_http_connections_per_host",
    "max_kv_connections",
    "max_perhost_idle_http_connections",
    "max_queue_size",
    "max_redirects",
    "metrics",
    "n1ql_grace_period",
    "num_kv_connections",
    "operation_metrics_flush_interval",
    "operation_tracing",
    "orphaned_response_logging",
    "orphaned_response_logging_interval",
    "orphaned_response_logging_sample_size",
    "persistence_timeout_floor",
    "preferred_server_group",
    "preserve_bootstrap_nodes_order",
    "query_grace_period",
    "query_timeout",
    "random_seed_nodes",
    "randomize_nodes",
    "read_chunk_size",
    "readj_ts_wait",
    "resolve_timeout",
    "retry_backoff",
    "retry_interval",
    "retry_nmv_delay",
    "retry_nmv_imm",
    "retry_policy",
    "sasl_mech_force",
    "sasl_mechanisms",
    "search_timeout",
    "select_bucket",
    "send_hello",
    "server_duration",
    "server_group",
    "show_queries",
    "sync_dtor",
    "tcp_keep_alive_interval",
    "tcp_keep_alive_time",
    "tcp_keepalive",
    "tcp_keepalive_interval",
    "tcp_keepalive_time",
    "tcp_keepcnt",
    "tcp_keepidle",
    "tcp_keepintvl",
    "tcp_nodelay",
    "tls_disable_deprecated_protocols",
    "tls_disable_v1_2",
    "tls_verify",
    "tracing_orphaned_queue_flush_interval",
    "tracing_orphaned_queue_size",
    "tracing_threshold_analytics",
    "tracing_threshold_eventing",
    "tracing_threshold_fts",
    "tracing_threshold_kv",
    "tracing_threshold_management",
    "tracing_threshold_n1ql",
    "tracing_threshold_query",
    "tracing_threshold_queue_flush_interval",
    "tracing_threshold_queue_size",
    "tracing_threshold_search",
    "tracing_threshold_view",
    "unordered_execution_enabled",
    "unsafe_optimize",
    "use_enhanced_errors",
    "use_ip_protocol",
    "use_kverrmaps",
    "user_agent_extra",
    "vb_noremap",
    "vbguess_persist",
    "view_timeout",
    "views_timeout",
    "wait_for_config",
];

/// Groups of the Java SDK's options (`timeout.kvTimeout=10s`); what follows the dot is theirs to check.
const IGNORED_GROUPS: &[&str] = &[
    "compression.",
    "io.",
    "ioEnvironment.",
    "loggingMeter.",
    "orphanReporter.",
    "security.",
    "thresholdLoggingTracer.",
    "thresholdRequestTracer.",
    "timeout.",
    "transactions.",
];

/// Options whose value is a password.
const SECRET: &[&str] = &["bucket_cred", "pass", "password"];

/// Refuses a string with login data in it, before any part of it can be quoted.
pub(super) fn refuse_login(before: &str, pairs: &str) -> Result<(), InvalidConnectionString> {
    if before.contains('@') {
        return invalid(
            "there is an @ before the options: user name and password do not belong into a connection \
             string. Write [couchbase] username and password_file, or USERPROFILES_COUCHBASE_PASSWORD",
        );
    }
    for (key, value) in split(pairs) {
        let key = decode(key).unwrap_or_default().to_ascii_lowercase();
        if SECRET.contains(&key.as_str()) {
            return invalid(format!(
                "a password ({key}=) does not belong into a connection string, which ends up in logs and listings: \
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

/// Reads the options; those that have no effect are told in one warning.
pub(super) fn parse(pairs: &str) -> Result<Options, InvalidConnectionString> {
    let mut options = Options::default();
    let mut ignored: Vec<String> = Vec::new();
    let mut certpath = None;
    for (key, value) in split(pairs) {
        let key = decode(key).unwrap_or_default();
        let Some(value) = decode(value) else {
            return invalid(format!("the value of {key:?} is not UTF-8 after its %XX have been decoded"));
        };
        match key.as_str() {
            "operation_timeout" | "timeout" => options.operation_timeout = Some(seconds(&key, &value)?),
            "n1ql_timeout" => options.n1ql_timeout = Some(seconds(&key, &value)?),
            "username" | "user" => options.username = Some(not_empty(&key, value)?),
            "network" => options.network = Some(not_empty(&key, value)?),
            "ssl" if value == "no_global_init" => ignored.push(format!("{key}={value}")),
            "ssl" => options.tls = Some(tls(&value)?),
            // A string that asks for TLS must not end in a connection without it.
            "enable_tls" | "security.enableTls" => {
                options.tls = Some(if flag(&key, &value)? { Tls::On } else { Tls::Off });
            }
            "dnssrv" | "enable_dns_srv" | "io.enableDnsSrv" => {
                options.dns_srv = Some(if flag(&key, &value)? { DnsSrv::Forced } else { DnsSrv::Forbidden });
            }
            "truststorepath" | "ca_cert_path" | "cacertpath" | "trust_certificate" | "security.trustCertificate" => {
                options.ca_file = Some(PathBuf::from(not_empty(&key, value)?));
            }
            "certpath" => certpath = Some(PathBuf::from(not_empty(&key, value)?)),
            "fetch_mutation_tokens" => {}
            "keypath" => options.client_key_file = Some(PathBuf::from(not_empty(&key, value)?)),
            _ if is_ignored(&key) => ignored.push(key),
            _ => return Err(unknown(&key)),
        }
    }
    // With a key beside it, it is a client's certificate; alone, it was the authority's in older libraries.
    match (certpath, &options.client_key_file) {
        (None, Some(_)) => {
            return invalid("keypath= without certpath=: a client has both, a certificate and its key");
        }
        (Some(file), Some(_)) => options.client_certificate_file = Some(file),
        (Some(file), None) if options.ca_file.is_none() => options.ca_file = Some(file),
        _ => {}
    }
    if !ignored.is_empty() {
        ignored.sort_unstable();
        ignored.dedup();
        let plural = if ignored.len() == 1 { "option has" } else { "options have" };
        options.warnings.push(format!("the {plural} no effect in this program: {}", ignored.join(", ")));
    }
    Ok(options)
}

fn split(pairs: &str) -> impl Iterator<Item = (&str, &str)> {
    pairs.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn is_ignored(key: &str) -> bool {
    IGNORED.binary_search(&key).is_ok() || IGNORED_GROUPS.iter().any(|group| key.starts_with(group))
}

fn unknown(key: &str) -> InvalidConnectionString {
    let hint = names::nearest(key, USED.iter().chain(IGNORED).copied()).map_or_else(
        || format!("those with an effect are {}", USED.join(", ")),
        |near| format!("did you mean {near}?"),
    );
    InvalidConnectionString(format!("{key:?} is not an option that is known here; {hint}"))
}

fn not_empty(key: &str, value: String) -> Result<String, InvalidConnectionString> {
    if value.is_empty() { invalid(format!("{key}= is empty: write a value or leave it out")) } else { Ok(value) }
}

fn tls(value: &str) -> Result<Tls, InvalidConnectionString> {
    match value {
        "on" => Ok(Tls::On),
        "off" => Ok(Tls::Off),
        "no_verify" => Ok(Tls::NoVerify),
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
/// whoever wrote it is told, for nobody can know which was meant.
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
    match crate::config::value::parse_duration(value) {
        Ok(duration) => format!("; {value} is {key}={}", duration.as_secs_f64()),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_as_the_search_needs_it() {
        assert!(IGNORED.is_sorted());
        assert!(USED.iter().all(|used| !IGNORED.contains(used)));
    }
}
