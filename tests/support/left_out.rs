//! Database servers that whoever runs the tests has left out.

/// True if `USERPROFILES_TEST_WITHOUT` has this name.
pub fn is_left_out(name: &str) -> bool {
    std::env::var("USERPROFILES_TEST_WITHOUT").is_ok_and(|names| names.split([',', ' ']).any(|without| without == name))
}
