//! What one read through a bucket costs beside the same bytes over a bare socket: `cargo bench --bench exchange`.
//!
//! All ask one service of this process that has one answer (`support/constant.rs`), one exchange each in turns of a
//! random order, so that a busy moment of the machine meets them alike. Ratios are taken of the medians of a round; the
//! median of the rounds is printed. Beside the time on the clock stands the processor's time of the asking thread, in
//! the program and in the kernel, which other programs disturb less.
//!
//! Words in the arguments leave out those whose names hold none of them: a profile of one alone is what
//! `perf record cargo bench --bench exchange -- kept` makes.

#[path = "support/constant.rs"]
mod constant;
#[path = "../tests/support/settings.rs"]
mod settings;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::Builder;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use userprofiles::bucket::Database;
use userprofiles::bucket::driver::IfMissing;
use userprofiles::bucket::drivers;
use userprofiles::clock::{self, Deadline};
use userprofiles::config::BucketSettings;
use userprofiles::observe::Observer;
use userprofiles::{Bucket, BucketTimeouts, Username, get_bucket, get_user};

/// Whatever went wrong: then there are no numbers.
type Failure = Box<dyn Error + Send + Sync>;

/// Who asks, and how.
type Asker = Box<dyn FnMut() -> Result<(), Failure>>;

const BARE: &str = "bare socket";
const OURS: &str = "get_bucket, get_user";
const UREQ: &str = "ureq, a fresh agent";
const BARE_KEPT: &str = "bare socket, kept";
const OURS_KEPT: &str = "get_user, bucket kept";

const RATIOS: [(&str, &str); 3] = [(OURS, BARE), (UREQ, BARE), (OURS_KEPT, BARE_KEPT)];

/// How much is measured.
#[derive(Clone, Copy)]
struct Extent {
    rounds: usize,
    exchanges: usize,
}

/// What `cargo bench` asks for. `cargo test` only wants to know whether this works.
const MEASUREMENT: Extent = Extent { rounds: 5, exchanges: 2000 };
const TRIAL: Extent = Extent { rounds: 1, exchanges: 10 };

/// Longer than the service takes to notice the end of a connection and to wait for the next one.
const SETTLING: Duration = Duration::from_micros(100);

/// One exchange, or the median of many.
#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    processor: Duration,
}

fn main() -> Result<(), Failure> {
    let (flags, words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let extent = if flags.iter().any(|flag| flag == "--bench") { MEASUREMENT } else { TRIAL };
    let service = constant::start((Ipv4Addr::LOCALHOST, 0))?;
    let request = recorded_request()?;
    let (path, body) = path_and_body(&request)?;
    let mut askers: Vec<(&str, Asker)> = vec![
        (BARE, bare(service, request.clone())),
        (OURS, ours(service)?),
        (UREQ, ureq(&format!("http://{service}{path}"), body.to_vec())),
        (BARE_KEPT, bare_kept(service, request.clone())?),
        (OURS_KEPT, ours_kept(service)?),
    ];
    askers.retain(|(name, _)| words.is_empty() || words.iter().any(|word| name.contains(word.as_str())));
    let mut rounds = Vec::new();
    for _ in 0..=extent.rounds {
        rounds.push(round(&mut askers, extent.exchanges)?);
    }
    // Warm: caches filled, threads started. Not counted.
    rounds.remove(0);
    print(&askers.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &rounds);
    Ok(())
}

/// Has each one ask in turn, many times. The medians, in the order of the askers.
fn round(askers: &mut [(&str, Asker)], exchanges: usize) -> Result<Vec<Cost>, Failure> {
    let mut costs = vec![Vec::with_capacity(exchanges); askers.len()];
    let mut order: Vec<usize> = (0..askers.len()).collect();
    for _ in 0..exchanges {
        // An exchange leaves caches and the other processor in some state for the next one: no two are always neighbours.
        fastrand::shuffle(&mut order);
        for position in &order {
            let (name, ask) = &mut askers[*position];
            costs[*position].push(measured(ask).map_err(|error| format!("{name}: {error}"))?);
        }
    }
    Ok(costs.iter().map(|costs| median_cost(costs)).collect())
}

fn measured(ask: &mut Asker) -> Result<Cost, Failure> {
    settle();
    let processor_before = processor_time()?;
    let start = clock::now();
    ask()?;
    let time = clock::now().saturating_duration_since(start);
    Ok(Cost { time, processor: processor_time()?.saturating_sub(processor_before) })
}

/// Gives the service the time to be done with the exchange before: who is quick to ask again would find it awake.
fn settle() {
    let end = clock::now() + SETTLING;
    while clock::now() < end {
        std::hint::spin_loop();
    }
}

/// What this thread has used so far.
fn processor_time() -> Result<Duration, Failure> {
    Ok(Duration::try_from(clock_gettime(ClockId::ThreadCPUTime))?)
}

fn print(names: &[&str], rounds: &[Vec<Cost>]) {
    println!("| one read, medians of {} rounds | time, µs | processor, µs |", rounds.len());
    println!("| --- | --- | --- |");
    for (position, name) in names.iter().enumerate() {
        let Cost { time, processor } = median_cost(&rounds.iter().map(|round| round[position]).collect::<Vec<_>>());
        println!("| {name} | {:.1} | {:.1} |", microseconds(time), microseconds(processor));
    }
    println!("\n| ratio | of time | of processor |");
    println!("| --- | --- | --- |");
    for (over_name, under_name) in RATIOS {
        let find = |name: &str| names.iter().position(|other| *other == name);
        let (Some(over), Some(under)) = (find(over_name), find(under_name)) else { continue };
        let of = |part: fn(&Cost) -> Duration| {
            let ratio = |round: &Vec<Cost>| part(&round[over]).div_duration_f64(part(&round[under]));
            let mut ratios: Vec<f64> = rounds.iter().map(ratio).collect();
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        println!("| {over_name} ÷ {under_name} | {:.2} | {:.2} |", of(|cost| cost.time), of(|cost| cost.processor));
    }
}

fn median_cost(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> Duration| {
        let mut parts: Vec<Duration> = costs.iter().map(part).collect();
        parts.sort_unstable();
        parts[parts.len() / 2]
    };
    Cost { time: of(|cost| cost.time), processor: of(|cost| cost.processor) }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Connects, sends, reads the whole answer, closes.
fn bare(service: SocketAddr, request: Vec<u8>) -> Asker {
    let mut answer = vec![0; 16 * 1024];
    Box::new(move || exchange(&TcpStream::connect(service)?, &request, &mut answer))
}

fn bare_kept(service: SocketAddr, request: Vec<u8>) -> Result<Asker, Failure> {
    let stream = TcpStream::connect(service)?;
    let mut answer = vec![0; 16 * 1024];
    Ok(Box::new(move || exchange(&stream, &request, &mut answer)))
}

/// Nothing of the answer is understood but where it ends: at the end of the object that it is.
fn exchange(mut stream: &TcpStream, request: &[u8], answer: &mut [u8]) -> Result<(), Failure> {
    stream.write_all(request)?;
    let mut filled = 0;
    while !answer[..filled].ends_with(b"\n}\n") {
        match stream.read(&mut answer[filled..])? {
            0 => return Err("an answer that ends in its middle, or is too long".into()),
            bytes => filled += bytes,
        }
    }
    Ok(())
}

/// As a request does it whose bucket is `per-request`.
fn ours(service: SocketAddr) -> Result<Asker, Failure> {
    let (database, settings) = database(service)?;
    let timeouts = BucketTimeouts::from(&settings);
    let john = Username::parse("johndoe")?;
    Ok(Box::new(move || {
        let deadline = Deadline::after(clock::now(), timeouts.operation);
        let mut bucket = get_bucket(database.as_ref(), &timeouts, deadline)?;
        read(bucket.as_mut(), &john)
    }))
}

fn ours_kept(service: SocketAddr) -> Result<Asker, Failure> {
    let (database, settings) = database(service)?;
    let timeouts = BucketTimeouts::from(&settings);
    let john = Username::parse("johndoe")?;
    let mut bucket = get_bucket(database.as_ref(), &timeouts, Deadline::after(clock::now(), timeouts.operation))?;
    Ok(Box::new(move || {
        // The database goes when its last connection does.
        let _ = &database;
        bucket.set_deadline(Deadline::after(clock::now(), timeouts.operation));
        read(bucket.as_mut(), &john)
    }))
}

fn read(bucket: &mut dyn Bucket, name: &Username) -> Result<(), Failure> {
    get_user(bucket, name)?.map(|_| ()).ok_or_else(|| "the user was not found".into())
}

/// As its documentation shows it, without any setting.
fn ureq(url: &str, body: Vec<u8>) -> Asker {
    let url = url.to_owned();
    Box::new(move || {
        let request = ureq::post(&url).header("authorization", "Basic YmVuY2g6YmVuY2g=");
        let mut response = request.content_type("application/json").send(&body)?;
        let answer = response.body_mut().read_to_vec()?;
        if answer.ends_with(b"\n}\n") { Ok(()) } else { Err("an answer that ends in its middle".into()) }
    })
}

/// What our own client sends, byte by byte.
fn recorded_request() -> Result<Vec<u8>, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (sender, requests) = mpsc::channel();
    let record = move || -> io::Result<()> {
        let answers = constant::Answers::of_port(address.port());
        // One connection asks for the nodes, the other for the user.
        for _ in 0..2 {
            let (stream, _) = listener.accept()?;
            // Nobody listens any more once the request is known.
            constant::converse(&stream, &answers, |request| _ = sender.send(request.to_vec()))?;
        }
        Ok(())
    };
    let recorder = Builder::new().name("recorder".to_owned()).spawn(record)?;
    ours(address)?()?;
    recorder.join().map_err(|_| "the recorder panicked")??;
    requests.iter().find(|request| request.starts_with(b"POST ")).ok_or_else(|| "no statement was sent".into())
}

fn path_and_body(request: &[u8]) -> Result<(&str, &[u8]), Failure> {
    let head_end = request.windows(4).position(|window| window == b"\r\n\r\n").ok_or("a request without an end")?;
    let path = std::str::from_utf8(&request[..head_end])?.split(' ').nth(1).ok_or("a request without a path")?;
    Ok((path, &request[head_end + 4..]))
}

/// The settings of the tutorial, at this service.
fn database(service: SocketAddr) -> Result<(Arc<dyn Database>, BucketSettings), Failure> {
    let settings = settings::settings(&[service], "bench", "bench", &[]);
    Ok((drivers::open(&settings, IfMissing::Create, &Observer::default())?, settings.bucket))
}
