//! `constant_couchbase LISTEN`: a Couchbase node that finds the same user for everybody. It prints its address and
//! serves until it is killed.

#[path = "../../../support/constant.rs"]
mod constant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).ok_or("usage: constant_couchbase LISTEN")?;
    println!("{}", constant::start(listen)?);
    loop {
        std::thread::park();
    }
}
