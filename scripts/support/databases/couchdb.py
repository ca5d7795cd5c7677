"""CouchDB, as pouchdb-server: the only one to be had from a package registry.

It answers as CouchDB 1 does, and not as CouchDB 3, in some places: a login without rights gets 401 and never 403, there
is no `/_up`, and creating a database without being an administrator ends the server.
"""

import json
import secrets

from . import rest
from .server import Server

DATABASE = "userprofiles"
ADMIN, USER = "admin", "userprofiles"


class CouchDb(Server):
    name = "couchdb"
    version = "4.2.0"
    size = "44 MB"
    run_tools = ("node",)
    install_tools = ("npm",)

    def files(self):
        return {"package.json": json.dumps({"private": True, "dependencies": {"pouchdb-server": self.version}}) + "\n"}

    def install(self, run):
        # Its store for disks is built already, for the usual machines, so no script of a package needs to run.
        run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")

    def new_login(self):
        return {
            "admin": ADMIN,
            "admin_password": secrets.token_hex(16),
            "username": USER,
            "password": secrets.token_hex(16),
        }

    def create(self, _, instance):
        # A server without an administrator takes everybody for one. This one hashes the password when it starts.
        admins = {instance.login["admin"]: instance.login["admin_password"]}
        config = {"admins": admins, "log": {"level": "warning"}}
        (instance.folder / "config.json").write_text(json.dumps(config))

    def command(self, installed, instance):
        program = installed / "node_modules" / "pouchdb-server" / "bin" / "pouchdb-server"
        return ["node", program, "--host", "127.0.0.1", "--port", str(instance.port), "--dir", "data", "--no-color"]

    def is_ready(self, instance):
        return rest.ask(instance, "GET", "/")[0] == 200

    def prepare(self, instance):
        login = (instance.login["admin"], instance.login["admin_password"])
        name, password = instance.login["username"], instance.login["password"]
        user = {"name": name, "password": password, "roles": [], "type": "user"}
        rest.change(instance, "PUT", f"/_users/org.couchdb.user:{name}", user, login, done=[409])
        rest.change(instance, "PUT", f"/{DATABASE}", None, login, done=[412])
        members = {"names": [name], "roles": []}
        security = {"admins": {"names": [], "roles": ["_admin"]}, "members": members}
        rest.change(instance, "PUT", f"/{DATABASE}/_security", security, login)

    def settings(self, instance):
        return {
            "USERPROFILES_BUCKET_DATABASE": "couchdb",
            "USERPROFILES_COUCHDB_URLS": instance.url,
            "USERPROFILES_COUCHDB_DATABASE": DATABASE,
            "USERPROFILES_COUCHDB_USERNAME": instance.login["username"],
            "USERPROFILES_COUCHDB_PASSWORD": instance.login["password"],
        }
