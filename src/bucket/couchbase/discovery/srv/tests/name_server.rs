//! A name server on this machine that can be as bad as real ones.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

pub const NXDOMAIN: u8 = 3;
pub const SERVFAIL: u8 = 2;
const FORMERR: u8 = 1;

/// What the name server says to a question.
#[derive(Clone, Debug)]
pub enum Says {
    /// These records: priority, weight, name.
    Records(Vec<(u16, u16, &'static str)>),
    /// The record lies under another name.
    Alias(&'static str, Vec<(u16, u16, &'static str)>),
    /// No records, and this code.
    Code(u8),
    /// First an answer with another id and one to another question, then these records.
    AfterForgeries(Vec<(u16, u16, &'static str)>),
    /// By UDP that the answer is too long, by TCP these records.
    OnlyByTcp(Vec<(u16, u16, &'static str)>),
    /// By UDP that the answer is too long, by TCP a byte now and then.
    DripsByTcp,
    /// To questions with extensions that it does not understand them.
    OnlyWithoutExtensions(Vec<(u16, u16, &'static str)>),
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing.
    Nothing,
}

/// A name server on one port of UDP and TCP, until the test ends.
pub struct NameServer {
    pub address: SocketAddr,
    pub says: Arc<Mutex<Says>>,
    pub asked: Arc<AtomicUsize>,
}

impl NameServer {
    pub fn start(says: Says) -> Self {
        // The port that UDP got may be taken for TCP.
        let (udp, tcp) = (0..100)
            .find_map(|_| {
                let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
                let tcp = TcpListener::bind(udp.local_addr().unwrap()).ok()?;
                Some((udp, tcp))
            })
            .unwrap();
        let address = udp.local_addr().unwrap();
        let says = Arc::new(Mutex::new(says));
        let asked = Arc::new(AtomicUsize::new(0));
        let (its_own, counter) = (Arc::clone(&says), Arc::clone(&asked));
        let by_udp = move || {
            let mut buffer = [0; 2048];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
                let says = its_own.lock().unwrap().clone();
                counter.fetch_add(1, Ordering::Relaxed);
                for message in answers_by_udp(&says, &buffer[..length]) {
                    let _ = udp.send_to(&message, peer);
                }
            }
        };
        let its_own = Arc::clone(&says);
        let by_tcp = move || {
            for mut stream in tcp.incoming().flatten() {
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut question).unwrap();
                let says = its_own.lock().unwrap().clone();
                match says {
                    Says::OnlyByTcp(records) => {
                        let message = answer(&question, 0, None, &records);
                        let length = u16::try_from(message.len()).unwrap();
                        stream.write_all(&[&length.to_be_bytes()[..], &message].concat()).unwrap();
                    }
                    // Until the client is gone.
                    _ => {
                        while stream.write_all(&[1]).is_ok() {
                            std::thread::sleep(Duration::from_millis(50));
                        }
                    }
                }
            }
        };
        Builder::new().name("dns-udp".to_owned()).spawn(by_udp).unwrap();
        Builder::new().name("dns-tcp".to_owned()).spawn(by_tcp).unwrap();
        Self { address, says, asked }
    }

    pub fn now_says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn answers_by_udp(says: &Says, question: &[u8]) -> Vec<Vec<u8>> {
    let has_extensions = question[11] > 0;
    match says {
        Says::Alias(name, records) => vec![answer(question, 0, Some(name), records)],
        Says::Code(code) => vec![answer(question, *code, None, &[])],
        Says::AfterForgeries(records) => {
            let good = answer(question, 0, None, records);
            let forged = answer(question, 0, None, &[(0, 0, "forged.example")]);
            let (mut other_id, mut other_name) = (forged.clone(), forged);
            other_id[0] ^= 0xff;
            other_name[13] = b'x';
            vec![other_id, other_name, good]
        }
        Says::OnlyByTcp(_) | Says::DripsByTcp => {
            let mut message = answer(question, 0, None, &[]);
            message[2] |= 2;
            vec![message]
        }
        Says::OnlyWithoutExtensions(_) if has_extensions => vec![answer(question, FORMERR, None, &[])],
        Says::Records(records) | Says::OnlyWithoutExtensions(records) => vec![answer(question, 0, None, records)],
        Says::Bytes(bytes) => vec![bytes.clone()],
        Says::Nothing => Vec::new(),
    }
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

/// RFC 1035 §4.1: the question again, and behind it the records, whose names point back to it.
fn answer(question: &[u8], code: u8, alias: Option<&str>, records: &[(u16, u16, &str)]) -> Vec<u8> {
    let end_of_name = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let count = u16::try_from(records.len() + usize::from(alias.is_some())).unwrap();
    let mut message = question[..2].to_vec();
    message.extend([0x81, 0x80 | code, 0, 1]);
    message.extend(count.to_be_bytes());
    message.extend([0; 4]);
    message.extend(&question[12..end_of_name + 4]);
    let mut owner = vec![0xc0, 12];
    if let Some(alias) = alias {
        let target = wire_name(alias);
        message.extend(&owner);
        message.extend([0, 5, 0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(target.len()).unwrap().to_be_bytes());
        message.extend(&target);
        owner = target;
    }
    for (priority, weight, name) in records {
        let target = wire_name(name);
        message.extend(&owner);
        message.extend([0, 33, 0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(target.len() + 6).unwrap().to_be_bytes());
        message.extend(priority.to_be_bytes());
        message.extend(weight.to_be_bytes());
        message.extend(11207_u16.to_be_bytes());
        message.extend(&target);
    }
    message
}
