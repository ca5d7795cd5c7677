//! Database servers that whoever runs the tests has left out, or that the program under test was not built for.

/// True if `USERPROFILES_TEST_WITHOUT` has this name, or the program cannot ask such a server.
pub fn is_left_out(name: &str) -> bool {
    let of_mongodb = ["mongodb", "ferretdb"].contains(&name);
    if of_mongodb && !cfg!(feature = "mongodb") || name == "cassandra" && !cfg!(feature = "cassandra") {
        return true;
    }
    std::env::var("USERPROFILES_TEST_WITHOUT").is_ok_and(|names| names.split([',', ' ']).any(|without| without == name))
}
