//! The names of options: those with an effect here, those without, and those that are refused. Each list is one text,
//! in which names are separated by spaces.

/// Options with an effect here, and `fetch_mutation_tokens`, which only writers need: nothing is lost without it.
pub const USED: &str = "\
    ca_cert_path cacertpath certpath dnssrv enable_dns_srv enable_tls fetch_mutation_tokens keypath n1ql_timeout \
    network operation_timeout ssl timeout trust_certificate truststorepath user username";

/// Options without effect here, of libcouchbase 2.x and 3.x, of the C++ client that followed it, and of the SDKs for Go,
/// Java, .NET and Rust.
pub const IGNORED: &str = "\
    _reinit_connstr allow_static_config allowed_sasl_mechanisms analytics_timeout app_telemetry_backoff \
    app_telemetry_backoff_interval app_telemetry_endpoint app_telemetry_ping_interval app_telemetry_ping_timeout \
    auth_mechanisms bootstrap_on bootstrap_timeout cccp_max_wait cccp_poll_period client_string compression \
    compression_min_ratio compression_min_size config_cache config_cache_ro config_idle_redial_timeout \
    config_node_timeout config_poll_floor config_poll_floor_interval config_poll_interval config_poll_timeout \
    config_total_timeout connect_timeout console_log_file console_log_level dcp_buffer_size dcp_priority \
    detailed_errcodes disable_mozilla_ca_certificates dns_srv_timeout dump_configuration dur_mutation_tokens \
    durability_interval durability_timeout enable_app_telemetry enable_clustermap_notification enable_collections \
    enable_compression enable_dcp_change_streams enable_dcp_expiry enable_durable_write enable_errmap \
    enable_expiry_opcode enable_lazy_connections enable_metrics enable_mutation_tokens enable_operation_metrics \
    enable_server_durations enable_tcp_keep_alive enable_tcp_keepalives enable_tracing enable_unordered_execution \
    error_map_file error_thresh_count error_thresh_delay eventing_timeout force_ipv4 http_config_poll_timeout \
    http_idle_conn_timeout http_max_idle_conns http_max_idle_conns_per_host http_pool_timeout http_poolsize \
    http_redial_period http_retry_delay http_timeout http_urlmode idle_http_connection_timeout ip_protocol ipv6 \
    key_value_durable_timeout key_value_timeout kv_buffer_size kv_connect_timeout kv_durable_timeout kv_pool_size \
    kv_timeout log_redaction management_timeout max_http_connections max_idle_http_connections \
    max_idle_http_connections_per_host max_kv_connections max_perhost_idle_http_connections max_queue_size \
    max_redirects metrics n1ql_grace_period num_kv_connections operation_metrics_flush_interval operation_tracing \
    orphaned_response_logging orphaned_response_logging_interval orphaned_response_logging_sample_size \
    persistence_timeout_floor preferred_server_group preserve_bootstrap_nodes_order query_grace_period query_timeout \
    random_seed_nodes randomize_nodes read_chunk_size readj_ts_wait resolve_timeout retry_backoff retry_interval \
    retry_nmv_delay retry_nmv_imm retry_policy sasl_mech_force sasl_mechanisms search_timeout select_bucket \
    send_hello server_duration server_group show_queries sync_dtor tcp_keep_alive_interval tcp_keep_alive_time \
    tcp_keepalive tcp_keepalive_interval tcp_keepalive_time tcp_keepcnt tcp_keepidle tcp_keepintvl tcp_nodelay \
    tls_disable_deprecated_protocols tls_disable_v1_2 tls_verify tracing_orphaned_queue_flush_interval \
    tracing_orphaned_queue_size tracing_threshold_analytics tracing_threshold_eventing tracing_threshold_fts \
    tracing_threshold_kv tracing_threshold_management tracing_threshold_n1ql tracing_threshold_query \
    tracing_threshold_queue_flush_interval tracing_threshold_queue_size tracing_threshold_search \
    tracing_threshold_view unordered_execution_enabled unsafe_optimize use_enhanced_errors use_ip_protocol \
    use_kverrmaps user_agent_extra vb_noremap vbguess_persist view_timeout views_timeout wait_for_config";

/// Groups of the Java SDK's options (`timeout.kvTimeout=10s`); what follows the dot is theirs to check.
pub const IGNORED_GROUPS: &str = "\
    compression. io. ioEnvironment. loggingMeter. orphanReporter. security. thresholdLoggingTracer. \
    thresholdRequestTracer. timeout. transactions.";

/// Options whose value is a password.
pub const SECRET: &str = "\
    bucket_cred pass password";

/// True if a list has this name.
pub fn has(list: &str, name: &str) -> bool {
    list.split(' ').any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_no_option_is_in_two() {
        for list in [USED, IGNORED, IGNORED_GROUPS, SECRET] {
            assert!(list.split(' ').is_sorted());
            assert!(list.split(' ').all(|name| !name.is_empty()));
        }
        assert!(USED.split(' ').all(|used| !has(IGNORED, used)));
    }
}
