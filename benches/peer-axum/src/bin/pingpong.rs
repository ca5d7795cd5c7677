//! The floor: two threads, one kept TCP connection over loopback, 80 bytes there and 200 bytes back, nothing parsed.
//!
//! `pingpong [SECONDS]` prints one line: `N/s p50 N.N µs p99 N.N µs`. No server that answers one client one request at
//! a time can be quicker than this on the same machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const REQUEST_BYTES: usize = 80;
const ANSWER_BYTES: usize = 200;
const DEFAULT_SECONDS: f64 = 2.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => DEFAULT_SECONDS,
    };
    let duration = Duration::try_from_secs_f64(seconds)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || listener.accept().and_then(|(stream, _)| answer(stream)));
    let mut times = ask(TcpStream::connect(address)?, duration)?;
    server.join().map_err(|_| "the answering thread panicked")??;
    if times.is_empty() {
        return Err("no exchange was finished in the time given: give it more seconds".into());
    }

    times.sort_unstable();
    let total: Duration = times.iter().sum();
    let percentile = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    let rate = times.len() as f64 / total.as_secs_f64();
    println!("{rate:.0}/s p50 {:.1} µs p99 {:.1} µs", percentile(50), percentile(99));
    Ok(())
}

/// Answers until the other side closes.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = [0; REQUEST_BYTES];
    loop {
        match stream.read_exact(&mut request) {
            Ok(()) => stream.write_all(&[b'a'; ANSWER_BYTES])?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Asks for that long, and says how long each exchange took.
fn ask(mut stream: TcpStream, duration: Duration) -> io::Result<Vec<Duration>> {
    stream.set_nodelay(true)?;
    let mut answer = [0; ANSWER_BYTES];
    let mut times = Vec::with_capacity(1 << 20);
    let start = Instant::now();
    while start.elapsed() < duration {
        let sent = Instant::now();
        stream.write_all(&[b'q'; REQUEST_BYTES])?;
        stream.read_exact(&mut answer)?;
        times.push(sent.elapsed());
    }
    Ok(times)
}
