"""Asks database servers that speak JSON over HTTP. They are on this machine, so no proxy is asked."""

import base64
import http.client
import json

from support.servers import Failure

# A server that is suspended accepts connections and never answers.
TIMEOUT_S = 10


def ask(instance, method, path, body=None, login=None):
    """Status and value of an answer; the value is None where it is not JSON. `login` is a name and a password."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if login:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
    finally:
        connection.close()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


def change(instance, method, path, body, login=None, done=()):
    """Changes something; `done` are the statuses that say it was so already."""
    try:
        status, value = ask(instance, method, path, body, login)
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{method} {instance.url}{path} got no answer: {error}") from error
    if status not in (200, 201, 202, *done):
        raise Failure(f"{method} {instance.url}{path} was answered with {status}: {value}")
