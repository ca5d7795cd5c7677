//! Reads of one document by so many threads, through a pooled bucket of ours or in a bare loop of `ureq` or of the database's own
//! driver: what `scripts/bench-databases` compares, which says how to reach the database by the environment of the program.
//!
//! `cargo bench --bench database_reads -- ours|bare THREADS SECONDS` prints one line: `N/s p50 N.N µs p99 N.N µs`.

mod drivers_alone;

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use userprofiles::bucket::driver::IfMissing;
use userprofiles::bucket::{BucketPool, PoolOptions, Trace, drivers};
use userprofiles::clock::{self, Deadline};
use userprofiles::config::{DatabaseName, Settings, Sources, load};
use userprofiles::observe::Observer;
use userprofiles::{Username, get_user};

/// Whatever went wrong: then there are no numbers.
type Failure = Box<dyn Error + Send + Sync>;

/// One read.
type Read<'a> = Box<dyn FnMut() -> Result<(), Failure> + 'a>;

/// The document's address, and the value of `Authorization`, for the bare loop.
const URL: &str = "BARE_URL";
const AUTHORIZATION: &str = "BARE_AUTHORIZATION";

/// Whom everybody asks for.
const USERNAME: &str = "johndoe";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [who, threads, seconds] = arguments.as_slice() else {
        println!("usage: cargo bench --bench database_reads -- ours|bare THREADS SECONDS");
        return Ok(());
    };
    let (threads, seconds): (u32, _) = (threads.parse()?, Duration::try_from_secs_f64(seconds.parse()?)?);
    let settings = settings()?;
    let timeout = settings.bucket.operation_timeout;
    let mut times = match who.as_str() {
        "ours" => {
            let observer = Observer::default();
            let database = drivers::open(&settings, IfMissing::Refuse, &observer)?;
            let pool = BucketPool::new(Arc::clone(&database), PoolOptions::new(&settings.bucket, threads), &observer);
            run(threads, seconds, || ours(&pool, timeout))?
        }
        "bare" => match settings.bucket.database {
            DatabaseName::Mongodb => drivers_alone::mongodb(&settings, threads, seconds)?,
            DatabaseName::Cassandra => drivers_alone::cassandra(&settings, threads, seconds)?,
            _ => run(threads, seconds, bare)?,
        },
        other => return Err(format!("{other}: ours or bare").into()),
    };
    times.sort_unstable();
    if times.is_empty() {
        return Err("no read was finished in the time given: give it more seconds".into());
    }
    let percentile = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    let rate = f64::from(u32::try_from(times.len())?) / seconds.as_secs_f64();
    println!("{rate:.0}/s p50 {:.1} µs p99 {:.1} µs", percentile(50), percentile(99));
    Ok(())
}

/// Those of the environment; bucket connections are kept.
fn settings() -> Result<Settings, Failure> {
    let sources = Sources {
        search: Vec::new(),
        environment: std::env::vars_os()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(b"USERPROFILES_"))
            .collect(),
        set: vec!["bucket.connections=pooled".to_owned()],
        ..Sources::default()
    };
    Ok(load(&sources).map_err(|errors| errors.to_string())?.settings)
}

/// Has so many threads read for that long, and returns how long each read took.
fn run<'a>(
    threads: u32,
    seconds: Duration,
    reader: impl Fn() -> Result<Read<'a>, Failure> + Sync,
) -> Result<Vec<Duration>, Failure> {
    let times = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| -> Result<Vec<Duration>, Failure> {
                    let mut read = reader()?;
                    let (mut times, end) = (Vec::with_capacity(1 << 16), Deadline::after(clock::now(), seconds));
                    loop {
                        let start = clock::now();
                        if end.is_over(start) {
                            return Ok(times);
                        }
                        read()?;
                        times.push(clock::now().saturating_duration_since(start));
                    }
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().map_err(|_| "a thread panicked")?).collect::<Result<Vec<_>, _>>()
    });
    Ok(times?.concat())
}

/// As a request does it: a connection of the pool, and a profile of what it brings.
fn ours(pool: &BucketPool, timeout: Duration) -> Result<Read<'_>, Failure> {
    let username = Username::parse(USERNAME)?;
    Ok(Box::new(move || {
        let deadline = Deadline::after(clock::now(), timeout);
        let user = pool.with_bucket(deadline, &Trace::default(), |bucket| get_user(bucket, &username))?;
        user.map(drop).ok_or_else(|| "the user was not found".into())
    }))
}

/// An agent that keeps its connection, as its documentation shows it; nothing of the answer is understood but its end.
fn bare<'a>() -> Result<Read<'a>, Failure> {
    let url = std::env::var(URL).map_err(|_| format!("{URL} is not set"))?;
    let authorization = std::env::var(AUTHORIZATION).ok();
    let agent = ureq::Agent::new_with_defaults();
    Ok(Box::new(move || {
        let mut request = agent.get(&url).header("accept", "application/json");
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.call()?.body_mut().read_to_vec()?;
        if answer.trim_ascii_end().ends_with(b"}") { Ok(()) } else { Err("an answer that ends in its middle".into()) }
    }))
}
