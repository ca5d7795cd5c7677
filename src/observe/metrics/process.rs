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
        let figures = Figures::read();
        if let Some(cpu_s) = figures.cpu_s {
            let counter = ConstCounter::new(cpu_s);
            let help = "Processor time that the process has used";
            counter.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?)?;
        }
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Memory that the process has in RAM", figures.resident_bytes),
            ("process_virtual_memory_bytes", "Address space of the process", figures.virtual_bytes),
            ("process_open_fds", "Open files and sockets", figures.open_files),
            ("process_max_fds", "Files and sockets that may be open (LimitNOFILE)", figures.max_files),
            ("process_threads", "Threads of the process", figures.threads),
            ("process_start_time_seconds", "When the process was started, as Unix time", figures.started_at_s),
        ] {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Figures {
    cpu_s: Option<f64>,
    resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    open_files: Option<f64>,
    max_files: Option<f64>,
    threads: Option<f64>,
    started_at_s: Option<f64>,
}

impl Figures {
    #[cfg(target_os = "linux")]
    #[allow(clippy::cast_precision_loss, reason = "metrics are doubles")]
    fn read() -> Self {
        use procfs::process::{LimitValue, Process};
        use procfs::{CurrentSI, KernelStats};

        let Ok(process) = Process::myself() else { return Self::default() };
        let stat = process.stat().ok();
        let ticks_per_second = procfs::ticks_per_second() as f64;
        let booted_at_s = KernelStats::current().ok().map(|stats| stats.btime as f64);
        Self {
            cpu_s: stat.as_ref().map(|stat| (stat.utime + stat.stime) as f64 / ticks_per_second),
            resident_bytes: stat.as_ref().map(|stat| (stat.rss * procfs::page_size()) as f64),
            virtual_bytes: stat.as_ref().map(|stat| stat.vsize as f64),
            open_files: process.fd_count().ok().map(|count| count as f64),
            max_files: process.limits().ok().map(|limits| match limits.max_open_files.soft_limit {
                LimitValue::Value(limit) => limit as f64,
                LimitValue::Unlimited => f64::INFINITY,
            }),
            threads: stat.as_ref().map(|stat| stat.num_threads as f64),
            started_at_s: stat.zip(booted_at_s).map(|(stat, boot)| boot + stat.starttime as f64 / ticks_per_second),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn read() -> Self {
        Self::default()
    }
}
