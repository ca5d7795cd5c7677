//! A handler that panics costs its request and its connection, and nothing else.

mod support;

use std::sync::Arc;
use std::time::Duration;

use rouille::Response;
use support::client::Client;
use userprofiles::config::{ListenAddress, Sources, load};
use userprofiles::http::{Application, Class, Limits, Plan, Server, Service, TrustedProxies, Workforce, bind};
use userprofiles::observe::Observer;

/// A server whose handler panics on `/immediate` and on `/blocking`.
fn server() -> Server {
    let application = Application::new(&[], |_, target| match target {
        "/fine" => Plan::new(Class::Immediate, "/fine", |_, _| Response::text("fine")),
        "/immediate" => Plan::new(Class::Immediate, "/immediate", |_, _| panic!("a secret that must not get out")),
        _ => Plan::new(Class::Blocking, "/blocking", |_, _| panic!("a secret that must not get out")),
    });
    let settings = load(&Sources { search: Vec::new(), ..Sources::default() }).unwrap().settings;
    let listeners = bind(&ListenAddress::Tcp("127.0.0.1:0".to_owned()), 0o600).unwrap().listeners;
    let limits = Limits { drain_timeout: Duration::from_secs(5), ..Limits::from(&settings.http) };
    let service = Service::new(application, limits, TrustedProxies::default());
    Server::start(listeners, service, Workforce::new("test", 2), &Observer::default()).unwrap()
}

#[test]
fn a_panic_is_a_500_on_a_connection_that_ends_and_the_worker_goes_on() {
    let server = server();
    let address = server.addresses()[0].to_string().parse().unwrap();
    // More often than there are workers, and than may block at once: no thread and no place is lost.
    for path in ["/immediate", "/blocking"].repeat(20) {
        let mut client = Client::connect(address);
        assert_eq!(client.request("GET", "/fine", "").text(), "fine");
        let answer = client.request("GET", path, "X-Request-Id: p\r\n");
        let problem = answer.assert_problem(500, "internal");
        assert_eq!((problem["instance"].as_str(), problem["request_id"].as_str()), (Some(path), Some("p")));
        assert!(!answer.text().contains("secret"), "{}", answer.text());
        assert_eq!(answer.field("connection"), Some("close"));
        client.assert_closed();
    }
    server.finish_drain();
}

#[test]
fn a_drained_server_can_be_dropped_with_its_parts() {
    let parts = Arc::new(());
    let held = Arc::clone(&parts);
    let application = Application::new(&[], move |_, _| {
        let _ = &held;
        Plan::new(Class::Immediate, "/", |_, _| Response::text("fine"))
    });
    let settings = load(&Sources { search: Vec::new(), ..Sources::default() }).unwrap().settings;
    let listeners = bind(&ListenAddress::Tcp("127.0.0.1:0".to_owned()), 0o600).unwrap().listeners;
    let service = Service::new(application, Limits::from(&settings.http), TrustedProxies::default());
    let server = Server::start(listeners, service, Workforce::new("test", 2), &Observer::default()).unwrap();
    let mut client = Client::connect(server.addresses()[0].to_string().parse().unwrap());
    assert_eq!(client.request("GET", "/", "").text(), "fine");
    server.finish_drain();
    client.assert_closed();
    drop(server);
    let deadline = userprofiles::clock::Deadline::after(userprofiles::clock::now(), support::server::PATIENCE);
    while Arc::strong_count(&parts) > 1 {
        assert!(!deadline.is_over(userprofiles::clock::now()), "its threads hold on to the handler");
        std::thread::yield_now();
    }
}
