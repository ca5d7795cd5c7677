"""Installs servers, each once, into a folder that all checkouts and tests may share.

Invariant: a folder with the name of an installation is a whole one: it is made under another name and renamed at the
end, by one process at a time.
"""

import contextlib
import fcntl
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

from support.servers import ROOT, Failure

INSTALL_TIMEOUT_S = 900
SHORT_TIMEOUT_S = 60
# How much of a log says what went wrong: Java is long-winded.
TAIL_CHARACTERS = 4000

# The packages of Debian that programs are in.
PACKAGES = {
    "java": "default-jdk-headless",
    "javac": "default-jdk-headless",
    "mvn": "maven",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
}
# Those that Debian 12 has too old.
ELSEWHERE = {"go": "install Go 1.24 or newer from https://go.dev/dl"}


def installed(server):
    """The folder with the installation of a server, which is made if there is none."""
    need(server, server.run_tools)
    folder = cache() / f"{server.name}-{server.version}"
    if not is_current(folder, server):
        with lock(cache() / f"{folder.name}.lock"):
            if not is_current(folder, server):
                need(server, server.install_tools)
                install(server, folder)
    return folder


def cache():
    default = ROOT / "target" / "databases" / "installed"
    return pathlib.Path(os.environ.get("DATABASES_INSTALLED") or default).resolve()


def is_current(folder, server):
    """Whether it is installed, and from the files that we would install it from today."""
    try:
        return all((folder / name).read_text() == text for name, text in server.files().items())
    except FileNotFoundError:
        return False


def need(server, tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        ways = [ELSEWHERE[tool] for tool in missing if tool in ELSEWHERE]
        if packages := sorted({PACKAGES[tool] for tool in missing if tool in PACKAGES}):
            ways.append(f"apt-get install {' '.join(packages)}")
        raise Failure(f"{server.name} needs {' and '.join(missing)}; to get it: {'; '.join(ways)}")


def install(server, folder):
    tell(f"installing {server.name} {server.version} ({server.size})")
    for leftover in folder.parent.glob(f"{folder.name}.*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    # A name of its own: what was begun by a process that was killed may still be writing into its folder.
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    for name, text in server.files().items():
        (partial / name).write_text(text)
    server.install(lambda *command: run(server, partial, command))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def run(server, folder, command):
    """Carries out one command of an installation."""
    path = folder / "install.log"
    with path.open("ab") as log:
        try:
            result = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_TIMEOUT_S,
            )
            outcome = f"ended with {result.returncode}" if result.returncode else None
        except subprocess.TimeoutExpired:
            outcome = f"took longer than {INSTALL_TIMEOUT_S} s"
    if outcome:
        what = f"{server.name} {server.version} cannot be installed: `{shlex.join(command)}` {outcome}"
        raise Failure(f"{what}. Its last lines:\n{tail(path)}")


def carry_out(what, command, folder, order=""):
    """Carries out a short command, which reads its order from standard input.

    If this process is killed meanwhile, the command keeps the lock until it has ended: nobody else touches its files.
    """
    try:
        subprocess.run(
            command,
            cwd=folder,
            input=order,
            capture_output=True,
            text=True,
            timeout=SHORT_TIMEOUT_S,
            check=True,
            close_fds=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{what} took longer than {SHORT_TIMEOUT_S} s") from late
    except subprocess.CalledProcessError as failed:
        raise Failure(f"{what} ended with {failed.returncode}:\n{failed.stderr[-TAIL_CHARACTERS:].strip()}") from failed


def tail(path):
    """The end of a log, from the beginning of a line if that leaves any."""
    text = path.read_text(errors="replace").strip()
    end = text[-TAIL_CHARACTERS:]
    return end if end == text else end.partition("\n")[2] or end


@contextlib.contextmanager
def lock(path):
    """Keeps other processes out, also when this one is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        # For `carry_out`: other commands do not get it.
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another process, which holds {path}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def tell(text):
    """On standard error: standard output is for settings alone."""
    print(f"scripts/databases: {text}", file=sys.stderr, flush=True)
