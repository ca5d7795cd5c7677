//! `[http]`: the public listener.

use std::time::Duration;

use crate::config::setting::{
    AnyNumber, Count, FieldValue, HttpTimeout, ListenAddress, Listeners, Reloaded, TrustedProxy, UnixMode, WebOrigins,
    section,
};

section! {
    /// The public listener: GET /users/{username}.
    pub struct HttpSettings in "http" {
        /// Where to listen: an address and a port, ":8000" for every IPv4 address of this machine, "unix:/path", or a
        /// list of these. Only this machine by default, because a server should not be on the network before somebody
        /// decides so.
        pub listen: Listeners = vec![ListenAddress::local(8000)],
        /// The permissions of a unix socket, as octal digits: its owner and group, so that a reverse proxy in the group
        /// can connect and others cannot.
        pub unix_mode: UnixMode = 0o660,
        /// How many threads answer requests. Each is busy for as long as its database call takes: 32 answer 640 requests
        /// a second from a database that takes 50 ms. Waiting connections need no thread.
        pub workers: Count<u16, 2, 1024> = 32,
        /// How many connections may be open at once. It is lowered, with one warning, to what the limit of open files
        /// (ulimit -n) leaves. When all are taken, one that has waited for its next request for a second or longer makes
        /// room, the longest first; without one, new connections wait in the queue of the operating system.
        pub max_connections: Reloaded<Count<u32, 1, 1_000_000>> = 16384,
        /// How many of them one client address (of IPv6, one /64) may have, so that one client cannot take them all;
        /// those beyond are closed at once, and loopback and unix sockets are not counted. Many more than a browser
        /// needs, because many people can share one address. Of trusted_proxies, the requests that are under way are
        /// counted instead, each for its client; those beyond get 503.
        pub max_connections_per_address: Reloaded<Count<u32, 1, 1_000_000>> = 1024,
        /// How long a new connection may send nothing at all before it is closed.
        pub first_byte_timeout: HttpTimeout = Duration::from_secs(5),
        /// How long a request may take to arrive, from its first byte to the end of its head. It bounds clients that
        /// send slowly on purpose; an honest head fits in one packet.
        pub head_timeout: HttpTimeout = Duration::from_secs(10),
        /// How long a connection may lie still between two requests. Behind a reverse proxy it must be longer than the
        /// proxy's own, else the proxy sends requests into connections that are being closed.
        pub idle_timeout: HttpTimeout = Duration::from_secs(75),
        /// How long a client may take to accept its answer.
        pub write_timeout: HttpTimeout = Duration::from_secs(30),
        /// How long a complete request may wait for a worker. Past that it gets 503 at once: an early refusal is worth
        /// more than a late answer that nobody waits for.
        pub queue_timeout: HttpTimeout = Duration::from_secs(1),
        /// How long requests that are under way may take to end after TERM or INT. Keep it below the patience of whoever
        /// stops the program (systemd: TimeoutStopSec, 90 s; Kubernetes: 30 s).
        pub drain_timeout: HttpTimeout = Duration::from_secs(20),
        /// The Cache-Control field of a found profile. "no-cache" lets caches keep it and ask each time whether it still
        /// holds, which the ETag makes cheap.
        pub cache_control: Reloaded<FieldValue> = "no-cache".to_owned(),
        /// Web pages of which origins may read answers in a browser: ["https://example.com"], or ["*"] for all. None by
        /// default: browsers then keep them from other origins.
        pub cors_allow_origins: Reloaded<WebOrigins> = Vec::new(),
        /// The reverse proxies whose X-Forwarded-For (or Forwarded, where there is none) says who the client is, for the log
        /// and for max_connections_per_address: addresses, networks (["10.0.0.0/8"]), "unix:" for those on our unix socket.
        /// A proxy has to append to the field that it uses, and one that uses Forwarded has to remove X-Forwarded-For. None by
        /// default, because a client can write these fields too.
        pub trusted_proxies: Reloaded<AnyNumber<TrustedProxy>> = Vec::new(),
        /// Whether /docs (try the API in a browser) and /openapi.json are served. They tell nothing that this program's own
        /// documentation does not tell everybody.
        pub docs: Reloaded<bool> = true,
    }
}
