"""Real database servers on this machine, for tests: how each is installed and run, and what keeps them apart.

A server is one class, in a file of its own, that says what is special about it (`server.Server`); everything else is
the same for all. To add one, write its class and name it here.
"""

from .cassandra import Cassandra
from .couchdb import CouchDb
from .ferretdb import FerretDb
from .mongodb import MongoDb
from .search import Elasticsearch, OpenSearch

ALL = (CouchDb(), OpenSearch(), Elasticsearch(), MongoDb(), FerretDb(), Cassandra())
SERVERS = {server.name: server for server in ALL}
