//! The `process_*` metrics, by the names that every Prometheus library gives them.
//!
//! Invariant: what the operating system does not tell is left out; reading it never fails a scrape.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads the figures at each scrape.
#[derive(Debug)]
pub struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let Some(figures) = Figures::read() else { return Ok(()) };
        let mut counter = |name, help, value: f64| {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
        };
        counter("process_cpu_seconds", "Processor time that the process has used", figures.cpu_s)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Memory that the process has in RAM", figures.resident_bytes),
            ("process_virtual_memory_bytes", "Address space of the process", figures.virtual_bytes),
            ("process_open_fds", "Open files and sockets", figures.open_files),
            ("process_max_fds", "Files and sockets that may be open (LimitNOFILE)", figures.max_files),
            ("process_threads", "Threads of the process", figures.threads),
            ("process_start_time_seconds", "When the process was started, as Unix time", figures.started_at_s),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

struct Figures {
    cpu_s: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    open_files: f64,
    max_files: f64,
    threads: f64,
    started_at_s: f64,
}

impl Figures {
    #[cfg(target_os = "linux")]
    #[allow(clippy::cast_precision_loss, reason = "metrics are doubles")]
    fn read() -> Option<Self> {
        use procfs::process::{LimitValue, Process};
        use procfs::{CurrentSI, KernelStats};

        let process = Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let ticks_per_second = procfs::ticks_per_second() as f64;
        let max_files = match process.limits().ok()?.max_open_files.soft_limit {
            LimitValue::Value(limit) => limit as f64,
            LimitValue::Unlimited => f64::INFINITY,
        };
        Some(Self {
            cpu_s: (stat.utime + stat.stime) as f64 / ticks_per_second,
            resident_bytes: (stat.rss * procfs::page_size()) as f64,
            virtual_bytes: stat.vsize as f64,
            open_files: process.fd_count().ok()? as f64,
            max_files,
            threads: stat.num_threads as f64,
            started_at_s: KernelStats::current().ok()?.btime as f64 + stat.starttime as f64 / ticks_per_second,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn read() -> Option<Self> {
        None
    }
}
