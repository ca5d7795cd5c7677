"""Asks Cassandra in its own language and protocol (version 4), as far as making users and tables takes it."""

import socket
import struct

from support.servers import Failure

from . import certificates

# A server that is suspended accepts connections and never answers.
TIMEOUT_S = 10
REQUEST, VERSION = struct.Struct(">BBhBi"), 4
# Kinds of frames.
ERROR, STARTUP, AUTHENTICATE, QUERY, AUTH_RESPONSE = 0x00, 0x01, 0x03, 0x07, 0x0F
ONE = 1


class Refused(Exception):
    """An answer that says no."""


def accepts(instance, login):
    """Whether the server lets this name and password in."""
    try:
        connect(instance, login).close()
    except Refused:
        return False
    return True


def change(instance, login, statements):
    """Carries out statements, one after the other."""
    try:
        with connect(instance, login) as connection:
            for statement in statements:
                ask(connection, QUERY, long_text(statement) + struct.pack(">HB", ONE, 0))
    except (OSError, Refused) as error:
        raise Failure(f"{instance.address} does not do what makes our roles and our table: {error}") from error


def connect(instance, login):
    connection = socket.create_connection(("127.0.0.1", instance.port), TIMEOUT_S)
    try:
        if instance.tls:
            connection = certificates.context(instance).wrap_socket(connection, server_hostname="127.0.0.1")
        if ask(connection, STARTUP, struct.pack(">H", 1) + text("CQL_VERSION") + text("3.0.0")) == AUTHENTICATE:
            secret = "".join(f"\0{word}" for word in login).encode()
            ask(connection, AUTH_RESPONSE, struct.pack(">i", len(secret)) + secret)
    except BaseException:
        connection.close()
        raise
    return connection


def ask(connection, kind, body):
    """The kind of the answer."""
    connection.sendall(REQUEST.pack(VERSION, 0, 0, kind, len(body)) + body)
    with connection.makefile("rb") as answers:
        _, _, _, kind, length = REQUEST.unpack(read(answers, REQUEST.size))
        body = read(answers, length)
    if kind == ERROR:
        # Behind the code and the length of the message.
        raise Refused(body[6:].decode(errors="replace"))
    return kind


def read(answers, length):
    data = answers.read(length)
    if len(data) < length:
        raise ConnectionError("the connection was closed")
    return data


def text(words):
    return struct.pack(">H", len(words)) + words.encode()


def long_text(words):
    return struct.pack(">i", len(words)) + words.encode()
