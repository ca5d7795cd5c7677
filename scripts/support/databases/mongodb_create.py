"""Makes the users and the collection of a new secantusdb: run by the Python of its installation.

A server that asks for logins lets nobody make the first user. So it is run here without them, on another port, before
it has ever listened on its own.
"""

import json
import sys

from pymongo import MongoClient
from secantus.server import SecantusDBServer


def main():
    order = json.load(sys.stdin)
    with SecantusDBServer(storage_path=order["folder"]) as server, MongoClient(server.uri) as client:
        for user in order["users"]:
            client["admin"].command(user)
        roles = [{"role": "readWrite", "db": order["database"]}]
        user = {"createUser": order["subject"], "roles": roles, "mechanisms": ["MONGODB-X509"]}
        client["$external"].command(user)
        client[order["database"]].create_collection(order["collection"])


if __name__ == "__main__":
    main()
