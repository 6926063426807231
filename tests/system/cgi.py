# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests to the panel without a browser, honest and hostile ones."""

import base64
import http.client
import re
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlencode

from tests.system.browser import PANEL, PASSWORD, USER
from tests.system.machine import Sandbox

ENTRY = "/etc/e-smith/web/functions/mxbackup"
LINK = "/etc/e-smith/web/panels/manager/cgi-bin/mxbackup"
CGI = {
    "REQUEST_METHOD": "GET",
    "REMOTE_USER": "admin",
    "SERVER_NAME": "sme",
    "SERVER_PORT": "980",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "QUERY_STRING": "",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# Each variable would have root run a program of the attacker's, which leaves its mark.
HOSTILE = {
    "PATH": "/tmp/evil",
    "PERL5LIB": "/tmp/evil",
    "PERLLIB": "/tmp/evil",
    "PERL5OPT": "-Mstrict",
    "PYTHONPATH": "/tmp/evil",
    "PYTHONHOME": "/tmp/evil",
    "PYTHONSTARTUP": "/tmp/evil/sitecustomize.py",
    "LD_PRELOAD": "/tmp/evil/preload.so",
    "LD_LIBRARY_PATH": "/tmp/evil",
    "IFS": "/",
    "ENV": "/tmp/evil/env.sh",
    "BASH_ENV": "/tmp/evil/env.sh",
    "MXBACKUP_ROOT": "/tmp/evil",
    "SCRIPT_NAME": '"><script>',
    "HTTP_COOKIE": "mxbackup-session=\n\x01",
    "HTTP_ACCEPT_LANGUAGE": "$(touch /tmp/evil/mark-shell)",
}


class Visitor:
    """An HTTP client that keeps the cookie of the session."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.log_in = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}

    def ask(self, method: str, query: str = "", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection(self.address, timeout=60)) as connection:
            connection.request(method, f"/{PANEL}{query}", body, self.log_in | headers)
            answer = connection.getresponse()
            found = re.match(r"mxbackup-session=\w+", answer.getheader("Set-Cookie") or "")
            if found:
                self.log_in["Cookie"] = found[0]
            return answer.status, answer.read().decode()

    def token(self) -> str:
        tokens: list[str] = re.findall(r'name="token" value="([\w.-]+)"', self.ask("GET", "?page=new")[1])
        return tokens[0]

    def submit(self, **fields: str) -> tuple[int, str]:
        """Send a form of this session."""
        return self.ask("POST", body=urlencode({"token": self.token(), **fields}).encode(), **FORM)


def lay_traps(server: Sandbox) -> None:
    """Make what `HOSTILE` points at."""
    server.sh(
        "rm -rf /tmp/evil; mkdir -p /tmp/evil/mxbackup; cd /tmp/evil\n"
        "for name in sh python3 perl mxbackup db signal-event; do\n"
        "    printf '#!/bin/sh\\n/usr/bin/touch /tmp/evil/mark-'$name'\\n' > $name\n"
        "done\n"
        'echo \'open("/tmp/evil/mark-sitecustomize", "w")\' > sitecustomize.py\n'
        "cp sitecustomize.py mxbackup/__init__.py\n"
        'echo \'open(my $m, ">", "/tmp/evil/mark-perl5lib"); 1;\' > strict.pm\n'
        "echo '/usr/bin/touch /tmp/evil/mark-env' > env.sh\n"
        "echo '__attribute__((constructor)) void f(void) { __builtin_trap(); }' > preload.c\n"
        "cc -shared -fPIC -o preload.so preload.c\n"
        "chmod -R a+rwx /tmp/evil"
    )


def trapped(server: Sandbox) -> str:
    """Return the marks of what root has run of it, empty when that is nothing."""
    return server.sh("ls /tmp/evil | grep mark || true")


def call(server: Sandbox, user: str, program: str, environment: Mapping[str, str]) -> str:
    """Run a CGI program as that user, whatever its status, and return all that it prints."""
    variables = [f"{name}={value}" for name, value in environment.items()]
    command = [
        "setpriv",
        f"--reuid={user}",
        f"--regid={user}",
        "--init-groups",
        "/usr/bin/env",
        "-i",
        *variables,
        program,
    ]
    done = server.run(command, check=False)
    return (done.stdout + done.stderr).replace("\r\n", "\n")
