"""`forebay demo` for the Python suites, and a browser without JavaScript to sign in with. A suite's conftest.py brings it in."""

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx
import pytest

CALLBACK = "http://127.0.0.1:9999/callback"
WEB = ("demowebapp0000000000000001", "demo_secret_for_the_sample_web_app_0001")
MACHINE = ("demomachine000000000000001", "demo_secret_for_the_machine_client_0001")


@dataclass
class Demo:
    origin: str
    acme: str
    globex: str

    pool = "us-local-1_Forebay01"

    @property
    def issuer(self):
        return f"{self.origin}/{self.pool}"


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def fresh_database():
    """A new database on the server that POSTGRES_URL names; without one, the demo makes its own."""
    server = os.environ.get("POSTGRES_URL")
    if not server:
        return []
    name = f"interop_{secrets.token_hex(6)}"
    subprocess.run(["psql", server, "-q", "-v", "ON_ERROR_STOP=1", "-c", f"CREATE DATABASE {name}"], check=True)
    return ["--empty-database", urlunsplit(urlsplit(server)._replace(path=f"/{name}"))]


@pytest.fixture(scope="session")
def demo():
    port, app, acme, globex = free_ports(4)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOREBAY_")}
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/output", "w+") as output:
        command = [os.environ["FOREBAY_BIN"], "demo", "--port", port, "--app-port", app, "--acme-port", acme, "--globex-port", globex]
        command += fresh_database()
        process = subprocess.Popen(
            [str(word) for word in command], cwd=folder, env=kept, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            demo = Demo(f"http://localhost:{port}", f"http://127.0.0.1:{acme}", f"http://127.0.0.1:{globex}")
            wait_for(f"{demo.issuer}/.well-known/openid-configuration", process, output)
            wait_for(f"{demo.acme}/.well-known/openid-configuration", process, output)
            yield demo
        finally:
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert code == 0


def wait_for(url, process, output):
    deadline = time.monotonic() + 20
    while True:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            output.seek(0)
            raise AssertionError(f"{url} does not answer:\n{output.read()}")
        time.sleep(0.01)


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, html):
        super().__init__()
        self.action, self.fields, self.inside = None, {}, False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and self.action is None:
            self.action, self.inside = attrs.get("action") or "", True
        elif tag == "input" and self.inside and attrs.get("name"):
            self.fields[attrs["name"]] = attrs.get("value") or ""

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


class Browser:
    """Follows redirects up to `stop_at`; keeps cookies per host, Secure ones too, for localhost is secure to a browser."""

    def __init__(self, stop_at=CALLBACK):
        self.stop_at = stop_at
        self.cookies = {}

    def request(self, method, url, data=None):
        for _ in range(20):
            if self.stop_at and url.startswith(self.stop_at):
                return url, None
            jar = self.cookies.setdefault(urlsplit(url).hostname, {})
            headers = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
            response = httpx.request(method, url, data=data, headers=headers)
            for line in response.headers.get_list("set-cookie"):
                for name, morsel in SimpleCookie(line).items():
                    if morsel["max-age"] == "0":
                        jar.pop(name, None)
                    else:
                        jar[name] = morsel.value
            if response.status_code not in (302, 303, 307):
                return url, response
            url = urljoin(url, response.headers["location"])
            if response.status_code != 307:
                method, data = "GET", None
        raise AssertionError(f"too many redirects, last to {url}")

    def sign_in(self, url, person="ada@acme.test"):
        """From an authorize URL through the stand-in Okta's form; returns where it ends, and the response if there is one."""
        url, response = self.request("GET", url)
        form = Form(response.text)
        assert "username" in form.fields, f"no sign-in form at {url}:\n{response.text[:2000]}"
        filled = form.fields | {"username": person, "password": "demo"}
        return self.request("POST", urljoin(url, form.action), filled)
