//! Names of settings: finding one, and finding the nearest where there is none.
//!
//! Invariant: no value is ever repeated here, only names.

use super::secrets;
use super::table::{SECTIONS, Setting};

/// Finds a setting of the table.
///
/// # Errors
/// What is wrong with the name, and the nearest that is known.
pub(super) fn find(section: &str, key: &str) -> Result<&'static Setting, String> {
    if let Some(secret) = secrets::find(section, key) {
        return Err(format!(
            "[{section}] {key} is a secret and does not belong here: put it into a file of its own and name that file \
             in [{section}] {}, or use {}",
            secret.file_key,
            secret.elsewhere()
        ));
    }
    let Some(known) = SECTIONS.iter().find(|known| known.name == section) else {
        return Err(unknown_section(section));
    };
    known.settings.iter().find(|setting| setting.key == key).ok_or_else(|| unknown_key(section, key, known.settings))
}

/// The sentence for a section that does not exist; for a setting that stands in no section too.
pub(super) fn unknown_section(section: &str) -> String {
    let homes: Vec<String> = SECTIONS
        .iter()
        .flat_map(|known| known.settings)
        .filter(|setting| setting.key == section)
        .map(ToString::to_string)
        .collect();
    if !homes.is_empty() {
        return format!("{section} stands in no section: write {}", homes.join(" or "));
    }
    let known = || SECTIONS.iter().map(|known| known.name);
    if let Some(near) = nearest(section, known()) {
        format!("[{section}] is not a section; did you mean [{near}]?")
    } else {
        let known: Vec<&str> = known().collect();
        format!("[{section}] is not a section; there are {}", known.join(", "))
    }
}

fn unknown_key(section: &str, key: &str, settings: &[Setting]) -> String {
    let elsewhere = SECTIONS.iter().flat_map(|known| known.settings).find(|setting| setting.key == key);
    let hint = if let Some(other) = elsewhere {
        format!("did you mean {other}?")
    } else if let Some(near) = nearest(key, settings.iter().map(|setting| setting.key)) {
        format!("did you mean {near}?")
    } else {
        let known: Vec<&str> = settings.iter().map(|setting| setting.key).collect();
        format!("there are {}", known.join(", "))
    };
    format!("[{section}] {key} is not a setting; {hint}")
}

/// The name of `known` that a person most likely meant by `name`; `None` where none is near.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    // One typing error in short names, one in every three characters of longer ones.
    let far = (name.chars().count() / 3).max(1);
    known
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        for (section, key, expected) in [
            ("http", "lisen", "did you mean listen?"),
            ("http", "max_conections", "did you mean max_connections?"),
            ("htpp", "listen", "did you mean [http]?"),
            ("http", "operation_timeout", "did you mean [bucket] operation_timeout?"),
            ("log", "colour", "there are level, format"),
            ("nonsense", "x", "there are http, admin"),
            ("level", "", "write [log] level"),
            ("couchbase", "password", "password_file, or use the variable USERPROFILES_COUCHBASE_PASSWORD"),
            ("elasticsearch", "api_key", "USERPROFILES_ELASTICSEARCH_API_KEY"),
        ] {
            let error = find(section, key).unwrap_err();
            assert!(error.contains(expected), "{section}.{key}: {error}");
        }
        assert_eq!(find("http", "listen").map(|setting| setting.key), Ok("listen"));
    }
}
