//! The addresses of a server: sockets that were passed to it, or those of the settings, and what it says of them.
//!
//! Invariant: each listener uses one source: where sockets were passed for it, its setting is not used, and the log says so.

use anyhow::{Context, bail};

use crate::config::{ListenAddress, Settings};
use crate::http::{Listener, bind};
use crate::observe::{Observation, Observer};
use crate::systemd::InheritedSockets;

/// Where the addresses of the public listener are, and how to change them.
const PUBLIC_LISTEN: &str = "[http] listen (--listen)";

/// Likewise for the admin listener.
const ADMIN_LISTEN: &str = "[admin] listen (--set admin.listen=ADDRESS)";

/// The listening sockets of a server.
pub struct Listeners {
    pub public: Vec<Listener>,
    /// None if it has no admin listener.
    pub admin: Vec<Listener>,
}

/// Uses the sockets that were passed, and binds what is missing.
///
/// # Errors
/// What keeps an address from being bound, with what to do about it.
pub fn open(passed: InheritedSockets, settings: &Settings, observer: &Observer) -> anyhow::Result<Listeners> {
    if settings.admin.listen.is_none() && !passed.admin.is_empty() {
        bail!(
            "[admin] listen is \"off\", and the service manager has passed a socket for it: disable the socket \
             (systemctl mask --now userprofiles-admin.socket), or remove the setting"
        );
    }
    let choose = |setting, passed: Vec<Listener>, addresses: &[ListenAddress]| {
        if passed.is_empty() {
            return bind_all(setting, addresses, settings, observer);
        }
        observer.emit(&Observation::SocketsInherited { setting, sockets: passed.len() });
        Ok(passed)
    };
    Ok(Listeners {
        public: choose(PUBLIC_LISTEN, passed.public, &settings.http.listen)?,
        admin: choose(ADMIN_LISTEN, passed.admin, settings.admin.listen.as_slice())?,
    })
}

/// `setting` is the one that has the addresses, and how to change it.
fn bind_all(
    setting: &str,
    addresses: &[ListenAddress],
    settings: &Settings,
    observer: &Observer,
) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = bind(address, settings.http.unix_mode).with_context(|| setting.to_owned())?;
        for (skipped, error) in bound.skipped {
            let reason = &format_args!("{address} is also {skipped}, which this machine lacks ({error})");
            observer.emit(&Observation::AddressSkipped { setting, reason });
        }
        listeners.extend(bound.listeners);
    }
    Ok(listeners)
}

/// Says where the server can be reached.
pub fn report(public: &[ListenAddress], admin: &[ListenAddress], observer: &Observer) {
    for address in public {
        observer.emit(&Observation::Listening { url: &as_url(address) });
    }
    for address in admin {
        observer.emit(&Observation::AdminListening { url: &as_url(address) });
    }
}

/// How to ask for a user, where it is known that there is one.
pub fn suggest_request(public: &[ListenAddress], username: &str, observer: &Observer) {
    let Some(address) = public.first() else { return };
    let command = match address {
        ListenAddress::Unix(path) => {
            format!("curl --unix-socket {} http://localhost/users/{username}", path.display())
        }
        ListenAddress::Tcp(_) => format!("curl -i {}/users/{username}", as_url(address)),
    };
    observer.emit(&Observation::TryCommand { command: &command });
}

fn as_url(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => format!("http://{address}"),
        ListenAddress::Unix(_) => address.to_string(),
    }
}
