"""Builds and starts the programs that are measured.

Invariant: what was started is stopped when the caller's `ExitStack` is left, and nothing that is set on this machine for
a server of ours, or for a proxy, reaches it.
"""

import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PEER = ROOT / "benches" / "peer-axum"
OURS = ROOT / "target" / "release" / "userprofiles"
SAMPLE = ROOT / "config" / "sample-users.jsonl"
USERNAME = "johndoe"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10


class Failure(Exception):
    """Something that makes the numbers worthless, in words for whoever runs this."""


def run(script, work):
    """Does the work of a script; what keeps it from doing so is told in one line."""
    # Turns a TERM into the same orderly way out as Ctrl-C: the servers are stopped on it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        work()
    except Failure as failure:
        sys.exit(f"{script}: {failure}")
    except KeyboardInterrupt:
        sys.exit(f"{script}: interrupted")


def builds(words):
    """The programs of `--compare NAME=PATH…`, by their names."""
    named = dict(word.partition("=")[::2] for word in words)
    for name, path in named.items():
        if not name or not os.access(path, os.X_OK):
            raise Failure(f"--compare {name}={path}: there is no program to run at that path")
    if len(named) < 2 or len(named) < len(words):
        raise Failure("--compare needs two builds or more, each of its own name")
    return {name: pathlib.Path(path).resolve() for name, path in named.items()}


def programs(compare):
    """The builds of `--compare`; without it, ours, built now."""
    if compare:
        return builds(compare)
    cargo_build(ROOT)
    return {"ours": OURS}


def raise_file_limit(needed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Failure(f"{needed} open files are needed and {hard} allowed; raise it: ulimit -Hn {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def cargo_build(folder, *flags):
    print(f"building {folder.relative_to(ROOT.parent)}", flush=True)
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(folder / "target"), *flags]
    if subprocess.run(command, cwd=folder).returncode != 0:
        raise Failure(f"{folder} does not build")


def environment():
    """Ours, without what would change a setting, and without proxies: nothing here is anywhere else."""
    ignored = re.compile(r"USERPROFILES_.*|RUST_LOG|.*_proxy", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not ignored.fullmatch(name)}


def our_command(program, folder):
    # An empty file of settings, so that no other one on this machine is read.
    settings = folder / "userprofiles.toml"
    settings.touch()
    return [str(program), "--config", str(settings)]


def import_sample(command, folder, variables=None):
    variables = environment() | (variables or {})
    if subprocess.run([*command, "import", str(SAMPLE)], cwd=folder, env=variables).returncode != 0:
        raise Failure(f"{SAMPLE} could not be imported")


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def serve(stack, folder, name, command, listen, variables=None):
    """Starts a server that the stack stops, and waits until it answers: the URL to ask, and the process."""
    log_path = folder / f"{name}.log"
    log = stack.enter_context(log_path.open("wb"))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment() | (variables or {}),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    stack.callback(stop, process)
    url = f"http://{listen}/users/{USERNAME}"
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            fetch(url)
            return url, process
        time.sleep(0.05)
    raise Failure(f"{name} does not answer at {url}; it said:\n{log_path.read_text(errors='replace')[-2000:]}")


def stop(process):
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def fetch(url):
    # No proxy: these are our own children on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise Failure(f"{url} answers {error.code}, not 200: {error.read(500)!r}") from error


def check_bodies(urls):
    bodies = {name: fetch(url) for name, url in urls.items()}
    (model, body), *others = bodies.items()
    for name, other in others:
        if other != body:
            raise Failure(f"{name} answers with another body than {model}")
