//! Options of connection strings and URIs whose value is a secret, by their names: each driver has its own.
//!
//! Invariant: pure; the value of an option is never repeated.

use percent_encoding::percent_decode_str;

/// Words that an option of a secret has in its name.
const WORDS: [&str; 6] = ["pass", "password", "passwd", "passphrase", "secret", "token"];

/// True if the value of this option is a secret, or holds one as `NAME:value` (`authMechanismProperties` of `MongoDB`).
pub fn holds_secret(name: &str, value: &str) -> bool {
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    is_name_of_secret(&decoded(name))
        || decoded(value).split(',').filter_map(|part| part.split_once(':')).any(|(name, _)| is_name_of_secret(name))
}

/// The name of a file is no secret. "Key" counts at the end only: `key_value_timeout` is about keys.
fn is_name_of_secret(name: &str) -> bool {
    let words = words(name);
    let names_a_file = words.last().is_some_and(|last| last.ends_with("file") || last.ends_with("path"));
    let is_of_secret =
        |word: &String| WORDS.iter().any(|secret| word == secret || (secret.len() > 4 && word.ends_with(secret)));
    !names_a_file && (words.iter().any(is_of_secret) || words.last().is_some_and(|last| last.ends_with("key")))
}

/// `tlsCertificateKeyFile`, `AWS_SESSION_TOKEN` and `security.trustStorePassword` in words of small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        let is_separator = !character.is_alphanumeric();
        if is_separator || (character.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = character.is_lowercase();
        if let (false, Some(word)) = (is_separator, words.last_mut()) {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_values_are_secrets() {
        for name in [
            "password",
            "PASSWORD",
            "security.trustStorePassword",
            "tlsCertificateKeyFilePassword",
            "sslPEMKeyPassword",
            "bucket_secret",
            "apikey",
            "api_key",
            "privateKey",
            "accesstoken",
            "client%53ecret",
        ] {
            assert!(holds_secret(name, "x"), "{name}");
        }
        for name in [
            "keypath",
            "tlsCertificateKeyFile",
            "password_file",
            "tcp_keepalive",
            "io.mutationTokensEnabled",
            "fetch_mutation_tokens",
            "key_value_timeout",
            "compression",
            "",
        ] {
            assert!(!holds_secret(name, "x:y"), "{name}");
        }
        assert!(holds_secret("authMechanismProperties", "SERVICE_NAME:x,AWS_SESSION_TOKEN:geheim"));
        assert!(holds_secret("authMechanismProperties", "AWS_SESSION_TOKEN%3Ageheim"));
        assert!(!holds_secret("authMechanismProperties", "SERVICE_NAME:mongodb,CANONICALIZE_HOST_NAME:true"));
    }
}
