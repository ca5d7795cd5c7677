"""OpenSearch and Elasticsearch: one real node each, which `SearchNode.java` builds, without login and TLS.

Elasticsearch stands under a licence of its own: it is a tool of our tests and is never passed on.
"""

import os
import pathlib

from . import maven, rest
from .server import Server

INDEX = "userprofiles"
# Documents are kept as they are: no field of theirs is looked into.
MAPPING = {
    "settings": {"number_of_shards": 1, "number_of_replicas": 0},
    "mappings": {"enabled": False},
}
CLASS = "SearchNode"
SOURCE = f"{CLASS}.java"


class SearchServer(Server):
    run_tools = ("java",)
    install_tools = ("javac", "mvn")
    product = ""
    libraries = ()

    def files(self):
        source = pathlib.Path(__file__).with_name(SOURCE).read_text()
        return {"pom.xml": maven.pom(*self.libraries), SOURCE: source.replace("org.PRODUCT.", f"org.{self.product}.")}

    def install(self, run):
        run(*maven.COPY)
        run("javac", "-cp", "lib/*", "-d", ".", SOURCE)

    def create(self, _, instance):
        (instance.folder / "tmp").mkdir()

    def command(self, installed, instance):
        return [
            "java",
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            # Cold reads matter here, and what compiles better takes a core from the tests for minutes. A warm read
            # takes 0.19 ms in place of 0.15 ms.
            "-XX:TieredStopAtLevel=1",
            f"-Djava.io.tmpdir={instance.folder / 'tmp'}",
            "-cp",
            os.pathsep.join([f"{installed}/lib/*", str(installed)]),
            CLASS,
            str(instance.folder),
            str(instance.port),
        ]

    def is_ready(self, instance):
        # That the node answers is no proof: it does so before it has read its index.
        return rest.ask(instance, "GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")[0] == 200

    def prepare(self, instance):
        if rest.ask(instance, "HEAD", f"/{INDEX}")[0] == 404:
            rest.change(instance, "PUT", f"/{INDEX}", MAPPING)

    def settings(self, instance):
        return {
            "USERPROFILES_BUCKET_DATABASE": "elasticsearch",
            "USERPROFILES_ELASTICSEARCH_URLS": instance.url,
            "USERPROFILES_ELASTICSEARCH_INDEX": INDEX,
        }


class OpenSearch(SearchServer):
    name = product = "opensearch"
    version = "2.19.6"
    size = "45 MB"
    libraries = (
        f"org.opensearch:opensearch:{version}",
        f"org.opensearch.plugin:transport-netty4-client:{version}",
        "org.apache.logging.log4j:log4j-core:2.25.4",
    )


class Elasticsearch(SearchServer):
    name = product = "elasticsearch"
    version = "7.17.29"
    size = "32 MB"
    libraries = (
        f"org.elasticsearch:elasticsearch:{version}",
        f"org.elasticsearch.plugin:transport-netty4-client:{version}",
    )
