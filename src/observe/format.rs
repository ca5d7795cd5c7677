//! How a log line looks: as text for people and the journal, or as one JSON object.
//!
//! Invariant: a record is one line, whatever is in it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use log::kv::{Error, Key, Value, VisitSource, VisitValue};
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::lines::ACCESS;
use super::writer::{Importance, LogQueue};
use super::{Observation, Observer};
use crate::clock;
use crate::config::{LogFormat, LogSettings};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// The journal knows the time, and reads the priority off the beginning of the line (`sd-daemon(3)`).
    Journal,
    /// Time, level, text.
    Text,
    /// One JSON object.
    Json,
}

impl Style {
    const ALL: [Self; 3] = [Self::Journal, Self::Text, Self::Json];

    fn of(format: LogFormat) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Auto if is_journal() => Self::Journal,
            LogFormat::Auto => Self::Text,
        }
    }
}

/// Changes how lines look while the program runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogFormatter(Arc<AtomicU8>);

impl LogFormatter {
    /// Writes lines in this format from now on.
    pub fn set(&self, format: LogFormat) {
        self.0.store(Style::of(format) as u8, Ordering::Relaxed);
    }

    fn style(&self) -> Style {
        let number = self.0.load(Ordering::Relaxed);
        Style::ALL.into_iter().find(|style| *style as u8 == number).unwrap_or(Style::Text)
    }
}

/// How lines get to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By the thread that logs: for commands, which have nothing better to do than to wait.
    Direct,
    /// By a thread of its own, so that nothing waits for whoever reads them: for a server.
    Queued,
}

/// Sets the process's logger up. `rust_log` has filters in the place of the level of the settings. To be called once.
///
/// # Errors
/// If the operating system has no thread for the log.
pub fn init(
    settings: &LogSettings,
    rust_log: Option<&str>,
    delivery: Delivery,
    observer: &Observer,
) -> io::Result<LogFormatter> {
    let formatter = LogFormatter(Arc::new(AtomicU8::new(Style::of(settings.format) as u8)));
    let style = formatter.clone();
    let mut builder = env_logger::Builder::new();
    match rust_log {
        Some(filters) => builder.filter_level(settings.level).parse_filters(filters),
        // The crate `log` keeps the level, so that it can be changed later.
        None => builder.filter_level(LevelFilter::Trace),
    };
    let filter = builder.build();
    log::set_max_level(filter.filter());
    let queue = match delivery {
        Delivery::Direct => None,
        Delivery::Queued => {
            let observer = observer.clone();
            Some(LogQueue::start(io::stderr(), move |lines| {
                observer.emit(&Observation::LogLinesDropped { lines });
                dropped(style.style(), lines)
            })?)
        }
    };
    // A second call finds the logger in place: nothing is lost.
    let _ = log::set_boxed_logger(Box::new(Logger { filter, formatter: formatter.clone(), queue }));
    if rust_log.is_none() {
        set_level(settings.level);
    }
    std::panic::set_hook(Box::new(|info| {
        // The message of a panic can hold anything, a document too; the place cannot.
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        log::error!("panicked at {place}");
    }));
    Ok(formatter)
}

/// `env_logger` says which records are wanted.
struct Logger {
    filter: env_logger::Logger,
    formatter: LogFormatter,
    queue: Option<Arc<LogQueue>>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record) {
        if !self.filter.matches(record) {
            return;
        }
        let line = line(self.formatter.style(), record);
        match &self.queue {
            Some(queue) if record.target() == ACCESS => queue.push(&line, Importance::Access),
            Some(queue) => queue.push(&line, Importance::Other),
            // There is nowhere to say that standard error is closed.
            None => drop(io::stderr().write_all(line.as_bytes())),
        }
    }

    fn flush(&self) {
        if let Some(queue) = &self.queue {
            queue.flush();
        }
    }
}

fn dropped(style: Style, lines: u64) -> String {
    let text = format!("{lines} lines of the log were dropped, because nobody took them from standard error");
    let mut record = Record::builder();
    record.level(Level::Warn).target(module_path!());
    line(style, &record.args(format_args!("{text}")).build())
}

/// Sets the level from now on. It is for those who have no filters of `RUST_LOG`.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// True if standard error is the journal's socket (`systemd.exec(5)`, `$JOURNAL_STREAM`).
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    if io::stderr().is_terminal() {
        return false;
    }
    let stderr = io::stderr();
    rustix::fs::fstat(stderr.as_fd()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn line(style: Style, record: &Record) -> String {
    let mut line = String::with_capacity(256);
    // Writing to a string cannot fail, so no result of it is looked at.
    match style {
        Style::Journal => {
            let _ = write!(line, "<{}>", priority(record.level()));
            text(&mut line, record);
        }
        Style::Text => {
            let time = humantime::format_rfc3339_millis(clock::wall());
            let _ = write!(line, "{time} {:5} ", record.level());
            text(&mut line, record);
        }
        Style::Json => json(&mut line, record),
    }
    line.push('\n');
    line
}

/// The priorities of `syslog(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn text(line: &mut String, record: &Record) {
    let message = record.args().to_string();
    push_visible(line, &message);
    let _ = record.key_values().visit(&mut TextFields(line));
}

struct TextFields<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for TextFields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let _ = write!(self.0, " {key}=");
        match value.to_borrowed_str() {
            Some(text) if is_plain(text) => self.0.push_str(text),
            Some(text) => {
                let _ = write!(self.0, "{text:?}");
            }
            None if is_null(&value) => self.0.push('-'),
            None => {
                let _ = write!(self.0, "{value}");
            }
        }
        Ok(())
    }
}

fn is_null(value: &Value) -> bool {
    let mut json = ToJson(serde_json::Value::Bool(false));
    value.visit(&mut json).is_ok() && json.0.is_null()
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '\u{2028}' && c != '\u{2029}')
}

/// The text with whatever could end a line, or pass for something else, escaped.
fn push_visible(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            let _ = write!(line, "{}", c.escape_default());
        } else {
            line.push(c);
        }
    }
}

fn json(line: &mut String, record: &Record) {
    let mut fields = serde_json::Map::new();
    fields.insert("time".into(), humantime::format_rfc3339_millis(clock::wall()).to_string().into());
    fields.insert("level".into(), record.level().as_str().to_ascii_lowercase().into());
    fields.insert("target".into(), record.target().into());
    fields.insert("message".into(), record.args().to_string().into());
    let _ = record.key_values().visit(&mut JsonFields(&mut fields));
    line.push_str(&serde_json::Value::Object(fields).to_string());
}

struct JsonFields<'a>(&'a mut serde_json::Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for JsonFields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let mut json = ToJson(serde_json::Value::Null);
        value.visit(&mut json)?;
        self.0.insert(key.to_string(), json.0);
        Ok(())
    }
}

struct ToJson(serde_json::Value);

impl VisitValue<'_> for ToJson {
    fn visit_any(&mut self, value: Value) -> Result<(), Error> {
        self.0 = value.to_string().into();
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        self.0 = serde_json::Value::Null;
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style, message: &str, path: &str) -> String {
        let fields = [("path", Value::from(path)), ("status", Value::from(200_u64))];
        line(
            style,
            &Record::builder()
                .level(Level::Warn)
                .target("userprofiles::access")
                .args(format_args!("{message}"))
                .key_values(&fields)
                .build(),
        )
    }

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        for style in [Style::Journal, Style::Text, Style::Json] {
            let line = written(style, "a\nb\u{2028}\u{1b}[31m", "/x\r\n<3>forged y=\"z\"");
            assert_eq!(line.matches(['\n', '\r', '\u{1b}']).count(), 1, "{line:?}");
            assert!(line.ends_with('\n'));
        }
    }

    #[test]
    fn text_has_the_fields_behind_the_message() {
        assert_eq!(written(Style::Journal, "answered", "/users/a"), "<4>answered path=/users/a status=200\n");
        assert!(written(Style::Text, "answered", "/users/a").ends_with("Z WARN  answered path=/users/a status=200\n"));
    }

    #[test]
    fn json_has_numbers_as_numbers() {
        let line = written(Style::Json, "answered", "/users/\"a\"");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["status"], 200);
        assert_eq!(value["path"], "/users/\"a\"");
        assert_eq!(value["level"], "warn");
    }
}
