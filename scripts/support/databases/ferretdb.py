"""FerretDB, which speaks the protocol of MongoDB and keeps its data in SQLite: a second opinion.

It has no logins that a driver could use here, and no TLS. `ferretdb/main.go` builds it into a program of ours.
"""

import pathlib

from .installing import carry_out
from .mongodb import COLLECTION, DATABASE
from .server import Server

SOURCES = pathlib.Path(__file__).with_name("ferretdb")
PROGRAM = "ferretdb-node"


class FerretDb(Server):
    name = "ferretdb"
    version = "1.24.2"
    size = "150 MB, and a minute or two of compiling"
    install_tools = ("go",)

    def files(self):
        return {name: (SOURCES / name).read_text() for name in ("main.go", "go.mod", "go.sum")}

    def install(self, run):
        run("go", "build", "-trimpath", "-ldflags=-s", "-o", PROGRAM, ".")

    def create(self, installed, instance):
        data = instance.folder / "data"
        data.mkdir()
        command = [installed / PROGRAM, data, "create", DATABASE, COLLECTION]
        carry_out("making the collection of FerretDB", command, instance.folder)

    def command(self, installed, instance):
        return [installed / PROGRAM, "data", str(instance.port)]

    def is_ready(self, instance):
        return instance.listens()

    def settings(self, instance):
        return {
            "USERPROFILES_BUCKET_DATABASE": "mongodb",
            "USERPROFILES_MONGODB_URI": f"mongodb://{instance.address}/",
            "USERPROFILES_MONGODB_DATABASE": DATABASE,
            "USERPROFILES_MONGODB_COLLECTION": COLLECTION,
        }
