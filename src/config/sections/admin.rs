//! `[admin]`: the listener for operators.

use super::http::HttpSettings;
use crate::config::setting::{Findings, ListenAddress, ListenerOrOff, Origins, SettingName, section};

section! {
    /// The listener for operators: /live and /ready, on threads of its own.
    pub struct AdminSettings in "admin" {
        /// Where to listen: as [http] listen, but one address; or "off". It asks nobody who they are, so keep it off the
        /// public network.
        pub listen: ListenerOrOff = Some(ListenAddress::local(8001)),
    }
}

const LISTEN: SettingName = SettingName::new(AdminSettings::NAME, "listen");

impl AdminSettings {
    pub(super) fn check(&self, http: &HttpSettings, origins: &Origins, findings: &mut Findings) {
        let Some(listen) = &self.listen else { return };
        if http.listen.iter().any(|public| public.collides_with(listen)) {
            findings.error(
                origins.place(LISTEN),
                format!("{LISTEN} is {listen}, which is [http] listen too: give it another port, or \"off\""),
            );
        }
    }
}
