//! Seats: how many there are, and whose.

use super::*;
use crate::clock;

fn table(max_connections: usize, max_per_address: usize) -> Arc<Table> {
    let poller = Arc::new(Poller::new().unwrap());
    Table::new(max_connections, max_per_address, &poller, clock::now())
}

fn peer(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 4711)
}

#[test]
fn whom_a_connection_is_counted_for() {
    for (address, expected) in [
        ("192.0.2.1", Some("192.0.2.1")),
        ("10.0.0.1", Some("10.0.0.1")),
        ("::ffff:192.0.2.1", Some("192.0.2.1")),
        ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
        ("2001:db8:1:2::", Some("2001:db8:1:2::")),
        ("2001:db8:1:3::", Some("2001:db8:1:3::")),
        ("127.0.0.1", None),
        ("127.9.9.9", None),
        ("::ffff:127.0.0.1", None),
        ("::1", None),
    ] {
        assert_eq!(share_key(Some(peer(address))), expected.map(|key| key.parse().unwrap()), "{address}");
    }
    assert_eq!(share_key(None), None);
}

#[test]
fn an_address_gets_its_share_and_no_more() {
    let table = table(10, 2);
    let take = |address| table.seat(Some(peer(address)));
    let first = take("192.0.2.1").unwrap();
    let _second = take("::ffff:192.0.2.1").unwrap();
    assert_eq!(take("192.0.2.1").unwrap_err(), NoSeat::ShareTaken);
    assert_eq!(table.open(), 2, "a connection that was turned away keeps no seat");
    let _other = take("192.0.2.2").unwrap();
    let _network = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
    assert_eq!(take("2001:db8::ffff:0:0:1").unwrap_err(), NoSeat::ShareTaken);
    drop(first);
    let _again = take("192.0.2.1").unwrap();
    assert_eq!(take("192.0.2.1").unwrap_err(), NoSeat::ShareTaken);
}

#[test]
fn loopback_and_unix_peers_have_no_share() {
    let table = table(10, 1);
    let addresses = ["127.0.0.1", "127.0.0.1", "::1", "::1"];
    let peers = addresses.map(|address| Some(peer(address))).into_iter().chain([None, None]);
    let _seats: Vec<Seat> = peers.map(|peer| table.seat(peer).unwrap()).collect();
    assert_eq!(table.open(), 6);
}

#[test]
fn a_seat_is_free_again_once_it_is_dropped() {
    let table = table(2, 10);
    let mut seats = [(); 2].map(|()| Some(table.seat(None).unwrap()));
    assert!(table.is_full());
    assert_eq!(table.seat(None).unwrap_err(), NoSeat::Full);
    let key = seats[0].take().unwrap().key();
    assert!(!table.is_full());
    assert_eq!(table.seat(None).unwrap().key(), key);
    assert_eq!(table.open(), 1);
}

#[test]
fn shares_that_nobody_holds_cost_no_memory() {
    let table = table(2, 1);
    for host in 0..=255_u8 {
        drop(table.seat(Some(SocketAddr::from(([192, 0, 2, host], 1)))).unwrap());
    }
    assert!(locked(&table.per_address).is_empty());
}
