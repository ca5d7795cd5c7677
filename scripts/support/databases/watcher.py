"""Stops a server when the process that it was started for has ended: a process of its own, which `own` starts."""

import sys

from . import SERVERS, instances
from .processes import Process, wait_for_any


def main(name, *numbers):
    pid, started, owner_pid, owner_started = (int(number) for number in numbers)
    process, owner = Process(pid, started), Process(owner_pid, owner_started)
    wait_for_any([process, owner])
    instances.stop_for_owner(SERVERS[name], process)


if __name__ == "__main__":
    main(*sys.argv[1:])
