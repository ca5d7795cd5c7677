"""Starts, finds and stops servers. Each has a folder in the home of all: its data, its log and `state.json`.

Invariant: one process at a time changes an instance (there is a lock beside its folder), and a server is written down
before it exists, so that it can be found and stopped even if the script that started it was killed.
"""

import http.client
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import time

from support.servers import ROOT, Failure

from . import certificates
from .installing import installed, lock, tail
from .processes import Process
from .server import Instance

START_TIMEOUT_S = 120
# Below those that Linux gives to outgoing connections (from 32768): none of them takes the port of a server that is
# to come back.
PORTS = range(20000, 32768)


def home():
    return pathlib.Path(os.environ.get("DATABASES_HOME") or ROOT / "target" / "databases").resolve()


def load(server):
    return Instance.load(home() / server.name)


def lock_of(server):
    # Beside the folder and not in it, because a fresh start deletes that one.
    return lock(home() / f"{server.name}.lock")


def start(server, fresh, tls, owner):
    """Makes sure that a server runs, until its owner ends if it is given one: the settings to reach it."""
    if tls and not server.has_tls:
        raise Failure(f"{server.name} is not to be had with TLS here")
    program = installed(server)
    with lock_of(server):
        if fresh:
            delete(server)
        instance = load(server) or create(server, program, tls)
        if tls and instance.tls != tls:
            raise Failure(f"{server.name} was made with other settings of TLS: begin anew with --fresh")
        if instance.is_running():
            instance.process.resume()
            own(server, instance, owner)
        # One that was just killed may seem to run a little longer.
        if not (instance.is_running() and becomes_ready(server, instance)):
            spawn(server, program, instance)
            own(server, instance, owner)
            if not becomes_ready(server, instance):
                raise Failure(f"{server.name} ended instead of becoming ready. Its last lines:\n{tail(instance.log)}")
        server.prepare(instance)
        return server.settings(instance)


def stop(server):
    """Stops a server: whether there was one to stop."""
    with lock_of(server):
        instance = load(server)
        if instance is None or not instance.is_running():
            return False
        instance.process.stop()
        return True


def stop_for_owner(server, process):
    """Stops a server because an owner ended, unless another one is left."""
    if not (home() / server.name).exists():
        # Somebody deleted the folder under it.
        process.stop()
        return
    with lock_of(server):
        instance = load(server)
        if instance is None or instance.process != process or not any(other.is_running() for other in instance.owners):
            process.stop()


def running(servers):
    """The instances that run, by the names of their servers."""
    instances = {server.name: load(server) for server in servers}
    return {name: instance for name, instance in instances.items() if instance and instance.is_running()}


def delete(server):
    instance = load(server)
    if instance and instance.is_running():
        instance.process.stop()
    # The rest goes when a new one is made. Without this file nobody takes what is there for an instance.
    (home() / server.name / "state.json").unlink(missing_ok=True)


def create(server, program, tls):
    folder = home() / server.name
    if folder.exists():
        shutil.rmtree(folder)
    # Servers write passwords into files of their own, with permissions of their own.
    folder.mkdir(mode=0o700)
    instance = Instance(folder, free_port(), server.new_login(), tls)
    if tls:
        certificates.make(server, instance)
    server.create(program, instance)
    instance.save()
    return instance


def free_port():
    return next(port for port in random.sample(PORTS, len(PORTS)) if is_free(port))


def is_free(port):
    with socket.socket() as probe:
        # As servers do, so that what is left of old connections is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


def spawn(server, program, instance):
    if not is_free(instance.port):
        raise Failure(
            f"port {instance.port}, which {server.name} had, was taken by another process: end that one, or begin anew "
            "with --fresh"
        )
    instance.owners = []

    def write_down():
        instance.process = Process.of(os.getpid())
        instance.save()

    detach(server.command(program, instance), instance, instance.folder, write_down)
    instance.process = load(server).process


def own(server, instance, owner):
    """Has the server stopped when its owner ends."""
    if owner is None:
        return
    instance.owners.append(owner)
    instance.save()
    words = [server.name, *(str(number) for process in (instance.process, owner) for number in vars(process).values())]
    detach([sys.executable, "-B", "-m", "support.databases.watcher", *words], instance, ROOT / "scripts")


def detach(command, instance, folder, before=None):
    """Starts a process that nothing of ours waits for, and that keeps nothing of ours open.

    It does itself what is to be done before the command, so that the one is never done without the other.
    """
    with instance.log.open("ab") as log:
        subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before,
        )


def becomes_ready(server, instance):
    """Waits until the server is ready; False if it ended before."""
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while instance.is_running():
            if answers(server, instance):
                return True
            if time.monotonic() > deadline:
                what = f"{server.name} was not ready within {START_TIMEOUT_S} s and was stopped"
                raise Failure(f"{what}. Its last lines:\n{tail(instance.log)}")
            time.sleep(0.05)
    except BaseException:
        # Also when we are interrupted: nobody would know of it.
        instance.process.stop()
        raise
    return False


def answers(server, instance):
    try:
        return server.is_ready(instance)
    except (OSError, http.client.HTTPException):
        return False
