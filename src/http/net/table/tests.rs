//! Slots: how many there are, and whose.

use super::*;
use crate::clock;

fn table(max_connections: usize, max_per_address: usize) -> Arc<Table> {
    let poller = Arc::new(Poller::new().unwrap());
    Table::new(max_connections, max_per_address, &poller, clock::now())
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn an_address_gets_its_share_and_no_more() {
    let table = table(10, 2);
    let take = |address| table.take_slot(Some(ip(address)));
    let first = take("192.0.2.1").unwrap();
    let _second = take("::ffff:192.0.2.1").unwrap();
    assert_eq!(take("192.0.2.1").unwrap_err(), NoSlot::ShareTaken);
    assert_eq!(table.open(), 2, "a connection that was turned away keeps no slot");
    let _other = take("192.0.2.2").unwrap();
    let _network = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
    assert_eq!(take("2001:db8::ffff:0:0:1").unwrap_err(), NoSlot::ShareTaken);
    drop(first);
    let _again = take("192.0.2.1").unwrap();
    assert_eq!(take("192.0.2.1").unwrap_err(), NoSlot::ShareTaken);
}

#[test]
fn loopback_and_unix_peers_have_no_share() {
    let table = table(10, 1);
    let addresses = ["127.0.0.1", "127.0.0.1", "::1", "::1"];
    let peers = addresses.map(|address| Some(ip(address))).into_iter().chain([None, None]);
    let _slots: Vec<Slot> = peers.map(|ip| table.take_slot(ip).unwrap()).collect();
    assert_eq!(table.open(), 6);
}

#[test]
fn a_running_server_can_allow_more_and_fewer() {
    let table = table(1, 10);
    let first = table.take_slot(None).unwrap();
    assert!(table.is_full());
    table.set_limits(3, 10);
    assert!(!table.is_full());
    let others = [(); 2].map(|()| table.take_slot(None).unwrap());
    table.set_limits(2, 10);
    assert_eq!(table.take_slot(None).unwrap_err(), NoSlot::Full);
    drop(first);
    assert!(table.is_full(), "those that are too many go first");
    drop(others);
    assert_eq!((table.open(), table.capacity()), (0, 2));
}

#[test]
fn a_slot_is_free_again_once_it_is_dropped() {
    let table = table(2, 10);
    let mut slots = [(); 2].map(|()| Some(table.take_slot(None).unwrap()));
    assert!(table.is_full());
    assert_eq!(table.take_slot(None).unwrap_err(), NoSlot::Full);
    let key = slots[0].take().unwrap().key();
    assert!(!table.is_full());
    assert_eq!(table.take_slot(None).unwrap().key(), key);
    assert_eq!(table.open(), 1);
}
