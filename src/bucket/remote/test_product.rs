//! A product for the tests of what all share.

use super::{Advice, LoginPolicy, Product};

/// A fictitious product for tests.
pub const PRODUCT: Product = Product {
    name: "Toy",
    section: "toy",
    hosts: "urls",
    login: LoginPolicy::FOLLOW_ROTATION,
    advice: Advice {
        wrong_login: "set [toy] username and password_file to a user that it knows",
        missing_right: "the user of [toy] username needs the right to read",
        use_tls: "write https:// in [toy] urls",
        no_tls: "write http:// in [toy] urls",
        not_listening: "see that Toy runs there",
        other_names: "",
        no_batches: "take the tools of Toy",
    },
};
