"""Cassandra, a real node, which is built from its libraries."""

import pathlib
import secrets

from . import certificates, cql, maven
from .server import Server

KEYSPACE, TABLE = "app", "users"
# Whom Cassandra makes by itself: it may do everything.
ADMIN = "cassandra"
USER, READER = "userprofiles", "reader"
CONFIG = pathlib.Path(__file__).with_name("cassandra.yaml")

LOGBACK = """\
<configuration>
  <appender name="OUTPUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{ISO8601} %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="OUTPUT"/></root>
</configuration>
"""

TLS = """\
client_encryption_options:
  enabled: true
  optional: false
  require_client_auth: {mutual}
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
  keystore: {pair}
  truststore: {ca}
"""

MODULES = (
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
)


class Cassandra(Server):
    name = "cassandra"
    version = "5.0.8"
    size = "67 MB"
    run_tools = ("java",)
    install_tools = ("mvn",)
    has_tls = True

    def files(self):
        return {"pom.xml": maven.pom(f"org.apache.cassandra:cassandra-all:{self.version}"), "logback.xml": LOGBACK}

    def install(self, run):
        run(*maven.COPY)

    def new_login(self):
        return {
            "admin": ADMIN,
            "admin_password": ADMIN,
            "username": USER,
            "password": secrets.token_hex(16),
            "reader": READER,
            "reader_password": secrets.token_hex(16),
        }

    def create(self, _, instance):
        (instance.folder / "tmp").mkdir()
        config = CONFIG.read_text().replace("PORT", str(instance.port))
        if instance.tls:
            # It wants a key and its certificate in one file.
            both = [certificates.file(instance, name) for name in ("server.key", "server.pem")]
            pair = certificates.file(instance, "pair.pem")
            pair.write_text("".join(file.read_text() for file in both))
            config += TLS.format(
                pair=pair, ca=certificates.file(instance, "ca.pem"), mutual=str(instance.tls == "mutual").lower()
            )
        (instance.folder / "cassandra.yaml").write_text(config)

    def command(self, installed, instance):
        return [
            "java",
            "-Xms64m",
            "-Xmx384m",
            "-XX:MaxDirectMemorySize=128m",
            "-XX:+UseSerialGC",
            # What compiles better takes a core from the tests for minutes.
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            *MODULES,
            f"-Djava.io.tmpdir={instance.folder / 'tmp'}",
            "-Dcassandra-foreground=true",
            f"-Dcassandra.storagedir={instance.folder / 'data'}",
            f"-Dcassandra.config={(instance.folder / 'cassandra.yaml').as_uri()}",
            f"-Dlogback.configurationFile={(installed / 'logback.xml').as_uri()}",
            # One node has nobody to wait for, and nobody who would guess its passwords.
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.superuser_setup_delay_ms=0",
            "-Dcassandra.shutdown_announce_in_ms=0",
            "-Dcassandra.auth_bcrypt_gensalt_log2_rounds=4",
            "-Dcassandra.role_password_update_min_interval_in_ms=0",
            "-cp",
            f"{installed}/lib/*",
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def is_ready(self, instance):
        # On new data it listens before it has made its first user.
        return cql.accepts(instance, (instance.login["admin"], instance.login["admin_password"]))

    def prepare(self, instance):
        table = f"{KEYSPACE}.{TABLE}"
        statements = [
            f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} "
            "WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
            f"CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, doc text)",
        ]
        login = instance.login
        roles = [
            (login["username"], login["password"], ["SELECT", "MODIFY"]),
            (login["reader"], login["reader_password"], ["SELECT"]),
        ]
        for name, password, rights in roles:
            statements.append(f"CREATE ROLE IF NOT EXISTS {name} WITH PASSWORD = '{password}' AND LOGIN = true")
            statements += [f"GRANT {right} ON TABLE {table} TO {name}" for right in rights]
        cql.change(instance, (login["admin"], login["admin_password"]), statements)

    def settings(self, instance):
        return {
            "USERPROFILES_BUCKET_DATABASE": "cassandra",
            "USERPROFILES_CASSANDRA_NODES": instance.address,
            "USERPROFILES_CASSANDRA_KEYSPACE": KEYSPACE,
            "USERPROFILES_CASSANDRA_TABLE": TABLE,
            "USERPROFILES_CASSANDRA_USERNAME": instance.login["username"],
            "USERPROFILES_CASSANDRA_PASSWORD": instance.login["password"],
            **({"USERPROFILES_CASSANDRA_TLS": "true"} if instance.tls else {}),
            **certificates.settings(instance, "CASSANDRA"),
        }
