//! The bare loops of MongoDB's and Cassandra's own drivers: one client for all threads, as their documentation wants it, each of
//! which waits for one read after the other.

use std::time::Duration;

use userprofiles::config::Settings;

use crate::Failure;

/// How long each read took.
type Times = Result<Vec<Duration>, Failure>;

#[cfg(feature = "mongodb")]
pub fn mongodb(settings: &Settings, threads: u32, seconds: Duration) -> Times {
    use mongodb::bson::{RawDocumentBuf, doc};
    use mongodb::options::{ClientOptions, Credential};
    use secrecy::ExposeSecret;

    let own = &settings.mongodb;
    let runtime = runtime()?;
    let collection = runtime.block_on(async {
        let mut options = ClientOptions::parse(&own.uri).await?;
        options.max_pool_size = Some(threads);
        if let (Some(user), Some(password)) = (&own.login.username, &own.login.password) {
            let password = password.expose_secret().to_owned();
            options.credential = Some(Credential::builder().username(user.clone()).password(password).build());
        }
        let client = mongodb::Client::with_options(options)?;
        Ok::<_, Failure>(client.database(&own.database).collection::<RawDocumentBuf>(&own.collection))
    })?;
    crate::run(threads, seconds, || {
        Ok(Box::new(|| {
            let found = runtime.block_on(async { collection.find_one(doc! { "_id": ID }).await })?;
            found.map(drop).ok_or_else(|| "the document was not found".into())
        }))
    })
}

#[cfg(feature = "cassandra")]
pub fn cassandra(settings: &Settings, threads: u32, seconds: Duration) -> Times {
    use scylla::client::session_builder::SessionBuilder;
    use secrecy::ExposeSecret;

    let own = &settings.cassandra;
    let runtime = runtime()?;
    let (session, statement) = runtime.block_on(async {
        let mut builder = SessionBuilder::new().known_nodes(&own.nodes);
        if let (Some(user), Some(password)) = (&own.login.username, &own.login.password) {
            builder = builder.user(user, password.expose_secret());
        }
        let session = builder.build().await?;
        let text = format!("SELECT id, doc FROM {}.{} WHERE id = ?", own.keyspace, own.table);
        let statement = session.prepare(text).await?;
        Ok::<_, Failure>((session, statement))
    })?;
    crate::run(threads, seconds, || {
        Ok(Box::new(|| {
            let result = runtime.block_on(async { session.execute_unpaged(&statement, (ID,)).await })?;
            if result.into_rows_result()?.rows_num() == 1 { Ok(()) } else { Err("the row was not found".into()) }
        }))
    })
}

/// Whom everybody asks for.
#[cfg(any(feature = "cassandra", feature = "mongodb"))]
const ID: &str = "userprofile::johndoe";

#[cfg(any(feature = "cassandra", feature = "mongodb"))]
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

#[cfg(not(feature = "mongodb"))]
pub fn mongodb(_: &Settings, _: u32, _: Duration) -> Times {
    Err("build it with --features mongodb".into())
}

#[cfg(not(feature = "cassandra"))]
pub fn cassandra(_: &Settings, _: u32, _: Duration) -> Times {
    Err("build it with --features cassandra".into())
}
