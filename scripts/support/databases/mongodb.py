"""MongoDB, as secantusdb, which keeps its data as MongoDB does (in WiredTiger): the only one with logins to be had.

It stands under the GPL: it is a tool of our tests, a process of its own, and is never passed on. With TLS it accepts
one client at a time, so one that connects and says nothing keeps all others out.
"""

import json
import pathlib
import secrets

from . import certificates, python
from .installing import carry_out
from .server import Server

DATABASE, COLLECTION = "app", "users"
ADMIN, USER, READER = "admin", "userprofiles", "reader"
CREATE = pathlib.Path(__file__).with_name("mongodb_create.py")


class MongoDb(Server):
    name = "mongodb"
    version = "0.7.0b3"
    size = "24 MB"
    has_tls = True

    def files(self):
        return {python.REQUIREMENTS: f"secantusdb=={self.version}\npymongo==4.20.1\n"}

    def install(self, run):
        python.install(run)

    def new_login(self):
        return {
            "admin": ADMIN,
            "admin_password": secrets.token_hex(16),
            "username": USER,
            "password": secrets.token_hex(16),
            "reader": READER,
            "reader_password": secrets.token_hex(16),
        }

    def create(self, installed, instance):
        login = instance.login
        users = [
            (login["admin"], login["admin_password"], [{"role": "root", "db": "admin"}]),
            (login["username"], login["password"], [{"role": "readWrite", "db": DATABASE}]),
            (login["reader"], login["reader_password"], [{"role": "read", "db": DATABASE}]),
        ]
        order = {
            "folder": str(instance.folder / "data"),
            "database": DATABASE,
            "collection": COLLECTION,
            "users": [{"createUser": name, "pwd": password, "roles": roles} for name, password, roles in users],
            # Who has this certificate needs no password.
            "subject": f"CN={certificates.CLIENT}",
        }
        command = [python.program(installed), "-B", CREATE]
        carry_out("making the users of secantusdb", command, instance.folder, json.dumps(order))

    def command(self, installed, instance):
        server = [python.program(installed), "-m", "secantus", "--host", "127.0.0.1", "--port", str(instance.port)]
        server += ["--storage-path", "data", "--cache-size", "256M", "--log-level", "WARNING", "--auth"]
        # Else a kill loses what was written just before.
        server += ["--sync-on-commit"]
        # Errors on demand, for the administrator only.
        server += ["--enable-test-commands"]
        if instance.tls:
            server += ["--tls-cert-file", "tls/server.pem", "--tls-key-file", "tls/server.key"]
        if instance.tls == "mutual":
            server += ["--tls-ca-file", "tls/ca.pem", "--tls-require-client-cert"]
        return server

    def is_ready(self, instance):
        # It reads its data before it listens.
        return instance.listens()

    def settings(self, instance):
        return {
            "USERPROFILES_BUCKET_DATABASE": "mongodb",
            "USERPROFILES_MONGODB_URI": f"mongodb://{instance.address}/" + ("?tls=true" if instance.tls else ""),
            "USERPROFILES_MONGODB_DATABASE": DATABASE,
            "USERPROFILES_MONGODB_COLLECTION": COLLECTION,
            "USERPROFILES_MONGODB_USERNAME": instance.login["username"],
            "USERPROFILES_MONGODB_PASSWORD": instance.login["password"],
            **certificates.settings(instance, "MONGODB"),
        }
