"""Measures with wrk, and puts what was measured into words.

Invariant: ratios are taken within a round, whose programs ran one after the other, and their median counts: a busy
moment of the machine meets all of them.
"""

import contextlib
import os
import pathlib
import platform
import random
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass

from .servers import PEER, ROOT, Failure


@dataclass(frozen=True)
class Shape:
    name: str
    connections: int
    headers: tuple = ()


@dataclass(frozen=True)
class Result:
    rate: float
    p50_us: float
    p99_us: float


def need_wrk():
    if not shutil.which("wrk"):
        raise Failure("wrk is not installed; to get it: apt-get install wrk")


def run_rounds(shape, urls, rounds, seconds):
    """The results of each program in this shape, a list by its name, the rounds in order."""
    results = {name: [] for name in urls}
    for number in range(1, rounds + 1):
        print(f"{shape.name}, round {number} of {rounds}:", end="", flush=True)
        # In another order each time: whoever comes behind a certain other one does not always do so.
        for name in random.sample(list(urls), len(urls)):
            result = wrk(urls[name], shape, seconds)
            results[name].append(result)
            print(f" {name} {rate_text(result.rate)};", end="", flush=True)
        print()
    return results


def wrk(url, shape, seconds):
    command = ["wrk", "-t1", f"-c{shape.connections}", f"-d{seconds}s", "--latency"]
    for header in shape.headers:
        command += ["-H", header]
    run = subprocess.run([*command, url], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    output = run.stdout + run.stderr
    if run.returncode != 0 or "Socket errors" in output or "Non-2xx" in output:
        raise Failure(f"{' '.join(command)} {url} met errors, so nothing can be said:\n{output}")
    return Result(
        rate=float(find(r"Requests/sec:\s+([\d.]+)", output)),
        p50_us=microseconds(find(r"^\s+50%\s+(\S+)", output)),
        p99_us=microseconds(find(r"^\s+99%\s+(\S+)", output)),
    )


def pingpong(seconds):
    program = PEER / "target" / "release" / "pingpong"
    output = subprocess.run([program, str(seconds)], check=True, capture_output=True, text=True).stdout
    rate, p50, p99 = re.fullmatch(r"(\d+)/s p50 ([\d.]+) µs p99 ([\d.]+) µs\n", output).groups()
    return Result(float(rate), float(p50), float(p99))


def find(pattern, text):
    match = re.search(pattern, text, re.MULTILINE)
    if not match:
        raise Failure(f"wrk printed something that is not understood here:\n{text}")
    return match.group(1)


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}[unit]


def median_result(results):
    fields = ("rate", "p50_us", "p99_us")
    return Result(*(statistics.median(getattr(result, field) for result in results) for field in fields))


def ratios(results, over, under, field="rate"):
    """The ratios of the rounds."""
    return [getattr(a, field) / getattr(b, field) for a, b in zip(results[over], results[under])]


def ratio_text(values):
    return f"{statistics.median(values):.2f}"


def spread_text(values):
    """The median, and the lowest and the highest of the rounds."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def rate_text(rate):
    return f"{rate / 1000:.1f} k/s"


def time_text(us):
    return f"{us:.0f} µs" if us < 1000 else f"{us / 1000:.1f} ms"


def cell(result):
    return f"{rate_text(result.rate)}; {time_text(result.p50_us)}, {time_text(result.p99_us)}"


def table(head, rows):
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def machine(load_before):
    load = ", ".join(f"{value:.1f}" for value in load_before)
    return f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load {load} before"


def cpu_model():
    with contextlib.suppress(OSError):
        match = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if match:
            return match.group(1)
    return platform.processor() or platform.machine()


def versions(peers, with_ours=True):
    """The versions of ours, of the crates that the peer is made of, and of the tools."""
    rustc = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    # `wrk -v` says its version, and then that it would like arguments.
    wrk_version = subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split()[1]
    ours = [f"userprofiles {locked_version(ROOT, 'userprofiles')}{commit()}"] if with_ours else []
    return ", ".join(
        [*ours, *(f"{name} {locked_version(PEER, name)}" for name in peers), f"rustc {rustc}", f"wrk {wrk_version}"]
    )


def locked_version(folder, package):
    lock = (folder / "Cargo.lock").read_text()
    return re.search(rf'^name = "{package}"\nversion = "(.+)"$', lock, re.MULTILINE).group(1)


def commit():
    command = ["git", "describe", "--always", "--dirty"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return f" ({run.stdout.strip()})" if run.returncode == 0 else ""
