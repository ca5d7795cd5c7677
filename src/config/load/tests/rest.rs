//! Loads that are about what databases over a network share.

use super::*;
use crate::config::UrlScheme;

#[test]
fn every_database_over_a_network_has_a_login_and_certificates() {
    for section in ["couchbase", "mongodb", "cassandra", "couchdb", "arangodb", "elasticsearch"] {
        let file = format!(
            "[{section}]\nusername = 'u'\npassword_file = '/p'\nca_file = '/ca'\nclient_certificate_file = '/c'\n\
             client_key_file = '/k'"
        );
        let loaded = loaded(&file, &[], &[]);
        for (key, expected) in
            [("username", "u"), ("password_file", "/p"), ("client_certificate_file", "/c"), ("client_key_file", "/k")]
        {
            assert_eq!(shown(&loaded, section, key), format!("{key} = \"{expected}\""), "{section}");
        }
        let without_key = format!("{section}.client_certificate_file=/c");
        let database = format!("bucket.database={section}");
        let told = errors("", &[], &[&database, &without_key]);
        assert!(told[0].contains("is set without client_key_file"), "{section}: {told:?}");
        let danger = format!("{section}.danger_accept_invalid_certificates=true");
        if section != "couchbase" {
            let told = errors("", &[], &[&danger]);
            assert!(told[0].contains("is not a setting; did you mean [couchbase] danger"), "{section}: {told:?}");
        }
    }
}

#[test]
fn addresses_login_and_secrets_of_a_database_over_http() {
    let environment =
        &[("USERPROFILES_ELASTICSEARCH_PASSWORD", "geheim"), ("USERPROFILES_ELASTICSEARCH_API_KEY", "geheim")];
    let set = ["bucket.database=elasticsearch", "elasticsearch.urls=https://a/b,http://10.0.0.1:9200"];
    let set = [set[0], set[1], "elasticsearch.username=u"];
    let Loaded { settings, warnings, .. } = loaded("", environment, &set);
    let elasticsearch = settings.elasticsearch;
    let urls: Vec<_> = elasticsearch.rest.urls.iter().map(|url| (url.scheme, url.host.as_str(), url.port)).collect();
    assert_eq!(urls, [(UrlScheme::Https, "a", 443), (UrlScheme::Http, "10.0.0.1", 9200)]);
    assert_eq!(elasticsearch.rest.urls[0].path_prefix, "/b");
    assert!(elasticsearch.rest.login.password.is_some() && elasticsearch.api_key.is_some());
    let [unused, exposed] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(unused.contains("username is not used, because there is an API key"), "{unused}");
    assert!(exposed.contains("the API key for [elasticsearch] is sent to 10.0.0.1 without TLS"), "{exposed}");
    let Loaded { warnings, .. } = loaded("", &environment[..1], &set);
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.contains("is sent to 10.0.0.1 without TLS") && warning.contains("[elasticsearch] urls"));
}
