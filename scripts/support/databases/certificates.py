"""Certificates for a server with TLS, by openssl: an authority of its own, the server's, and one for its clients."""

import ssl

from .installing import carry_out, need

NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"
# The name in the certificate of clients.
CLIENT = "userprofiles"


def make(server, instance):
    """Makes them all: PEM, without passphrases, as `ca`, `server` and `client` with the ends `.pem` and `.key`."""
    need(server, ("openssl",))
    folder = instance.folder / "tls"
    folder.mkdir()
    issue(folder, "ca", "userprofiles tests", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
    leaf = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key")
    issue(folder, "server", "localhost", *leaf, "extendedKeyUsage=serverAuth", NAMES, options=signed)
    issue(folder, "client", CLIENT, *leaf, "extendedKeyUsage=clientAuth", options=signed)


def issue(folder, name, subject, *extensions, options=()):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    # Nothing that this machine has set for openssl.
    command += ["-config", "/dev/null", "-days", "3650", "-subj", f"/CN={subject}", *options]
    command += ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
    for extension in extensions:
        command += ["-addext", extension]
    carry_out(f"openssl for {name}.pem", command, folder)


def file(instance, name):
    return instance.folder / "tls" / name


def context(instance):
    """What a client of ours verifies and shows."""
    context = ssl.create_default_context(cafile=file(instance, "ca.pem"))
    context.load_cert_chain(file(instance, "client.pem"), file(instance, "client.key"))
    return context


def settings(instance, section):
    """The settings of userprofiles for TLS with this instance."""
    if instance.tls is None:
        return {}
    names = {"CA_FILE": "ca.pem"}
    if instance.tls == "mutual":
        names |= {"CLIENT_CERTIFICATE_FILE": "client.pem", "CLIENT_KEY_FILE": "client.key"}
    return {f"USERPROFILES_{section}_{key}": str(file(instance, name)) for key, name in names.items()}
