"""What a database server has to say about itself, and what is known of one that runs.

Invariant: an instance on disk is always whole (its file is replaced, never written into) and readable by its owner
only, because it holds passwords.
"""

import dataclasses
import json
import os
import pathlib
import socket
from dataclasses import dataclass, field

from .processes import Process

CONNECT_TIMEOUT_S = 10


class Server:
    """One kind of server. The defaults are those of one that needs no login and no preparation."""

    name = ""
    version = ""
    # What installing brings, for whoever waits for it.
    size = ""
    # The programs that running it and installing it take.
    run_tools = ()
    install_tools = ()
    # Whether it can be started with TLS.
    has_tls = False

    def files(self):
        """What is written into the folder of the installation, by file names; when it changes, we install again."""
        return {}

    def install(self, run):
        """Installs the server beside those files; `run` carries out a command in the folder."""
        raise NotImplementedError

    def new_login(self):
        """The names and passwords of a new instance, which its state keeps."""
        return {}

    def create(self, installed, instance):
        """Makes what must be there before the server is started on new data."""

    def command(self, installed, instance):
        """What starts the server: one process, which TERM ends. It runs in the folder of the instance."""
        raise NotImplementedError

    def is_ready(self, instance):
        """Whether requests are served. A refused or broken connection means no, and may be raised."""
        raise NotImplementedError

    def prepare(self, instance):
        """Makes our user and an empty database, where they are missing."""

    def settings(self, instance):
        """The settings of userprofiles to reach it, by the names that they have in the environment."""
        raise NotImplementedError


@dataclass
class Instance:
    """A server of ours with its data."""

    folder: pathlib.Path
    port: int
    login: dict
    # Nothing, "server" (it shows a certificate), or "mutual" (its clients have to show one, too).
    tls: str | None = None
    process: Process | None = None
    # Those whose end is also the end of the server.
    owners: list = field(default_factory=list)

    @property
    def url(self):
        return f"http://{self.address}"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def listens(self):
        """True, or a refused connection."""
        socket.create_connection(("127.0.0.1", self.port), CONNECT_TIMEOUT_S).close()
        return True

    @property
    def log(self):
        return self.folder / "output.log"

    def is_running(self):
        return self.process is not None and self.process.is_running()

    @classmethod
    def load(cls, folder):
        """The instance in a folder, or nothing."""
        try:
            state = json.loads((folder / "state.json").read_text())
        except FileNotFoundError:
            return None
        process = Process(**state["process"]) if state["process"] else None
        owners = [Process(**owner) for owner in state["owners"]]
        return cls(folder, state["port"], state["login"], state.get("tls"), process, owners)

    def save(self):
        state = {name: value for name, value in dataclasses.asdict(self).items() if name != "folder"}
        new = self.folder / "state.json.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file, indent=2)
        new.replace(self.folder / "state.json")
