"""Processes that outlive the script that started them.

Invariant: a process is known by its id and its start time together, so that another one which was given the same id
later is never waited for and never sent a signal.
"""

import contextlib
import os
import pathlib
import select
import signal
from dataclasses import dataclass

STOP_TIMEOUT_S = 10


@dataclass(frozen=True)
class Process:
    pid: int
    # In clock ticks since the machine was started.
    started: int

    @classmethod
    def of(cls, pid):
        """The process that has this id now, or nothing."""
        return next((cls(pid, started) for state, started in status_of(pid) if state not in "ZX"), None)

    def is_running(self):
        return Process.of(self.pid) == self

    @contextlib.contextmanager
    def handle(self):
        """A file descriptor that stands for this very process, whatever becomes of its id; or None if it has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield descriptor if self.is_running() else None
        finally:
            os.close(descriptor)

    def stop(self):
        """Ends it, and returns when it is gone."""
        with self.handle() as handle:
            if handle is None:
                return
            # One that is suspended would not notice a TERM alone.
            send(handle, signal.SIGTERM, signal.SIGCONT)
            if not select.select([handle], [], [], STOP_TIMEOUT_S)[0]:
                send(handle, signal.SIGKILL)
                select.select([handle], [], [])

    def resume(self):
        """Lets it go on if it is suspended."""
        with self.handle() as handle:
            if handle is not None:
                send(handle, signal.SIGCONT)


def send(handle, *signals):
    # It may end at any moment, also between two of them.
    with contextlib.suppress(ProcessLookupError):
        for number in signals:
            signal.pidfd_send_signal(handle, number)


def wait_for_any(processes):
    """Returns when one of them has ended."""
    with contextlib.ExitStack() as stack:
        handles = [stack.enter_context(process.handle()) for process in processes]
        if None not in handles:
            select.select(handles, [], [])


def status_of(pid):
    """State and start time of a process; nothing if there is none."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        # The name before the last ")" may hold spaces and brackets itself.
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # proc(5) counts from 1 and has two fields before these: the state is 3, the start time 22.
        return [(fields[0], int(fields[19]))]
    return []
