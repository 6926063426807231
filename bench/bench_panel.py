# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel through its Apache: the front page's first byte, and a creation from click to accepted mail."""

import base64
import http.client
import re
import smtplib
import statistics
import time
import urllib.parse
from contextlib import closing

from measure import DOMAINS, fill

SIZES = (10, 1_000, 10_000)
TIMES = 5
PANEL = "/server-manager/cgi-bin/mxbackup"
STATIC = "/server-common/css/sme_core.css"
LOG_IN = {"Authorization": "Basic " + base64.b64encode(b"admin:sandbox").decode()}
NEW = "one-more.example.org"


def first_byte(path: str) -> float:
    """Return the median seconds to the first byte of the answer."""
    return statistics.median(ask(path)[0] for _ in range(TIMES))


def ask(path: str, form: dict[str, str] | None = None, cookie: str = "") -> tuple[float, str, str]:
    """Send a request; return the seconds to the first byte of the answer, the answer and its session cookie."""
    body = urllib.parse.urlencode(form) if form else None
    headers = {**LOG_IN, "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    with closing(http.client.HTTPConnection("127.0.0.1", 980, timeout=300)) as connection:
        start = time.perf_counter()
        connection.request("POST" if form else "GET", path, body, headers)
        answer = connection.getresponse()
        seconds = time.perf_counter() - start
        found = re.match("mxbackup-session=[0-9a-f]+", answer.getheader("Set-Cookie") or "")
        if answer.status >= 400:
            raise RuntimeError(f"{path}: {answer.status} {answer.reason}")
        return seconds, answer.read().decode(), found[0] if found else ""


def creation() -> float:
    """Return the seconds from the click on "Add" to qpsmtpd's 250 for the new name."""
    _, page, cookie = ask(f"{PANEL}?page=new")
    token = re.findall(r'name="token" value="([0-9a-f]+)"', page)[0]
    start = time.perf_counter()
    ask(PANEL, {"token": token, "do": "save", "name": NEW}, cookie)
    with smtplib.SMTP("127.0.0.1", 25, timeout=60) as client:
        client.helo("anything.other.org")
        client.mail("admin@anything.other.org")
        code, reply = client.rcpt(f"jean@{NEW}")
        if code != 250:
            raise RuntimeError(f"refused: {code} {reply!r}")
    return time.perf_counter() - start


def main() -> None:
    """Print the table; seconds, and ratios to a static file from the same Apache and to the smallest database."""
    before = DOMAINS.read_bytes()
    static = first_byte(STATIC)
    print(f"  rules  first byte   ratio  creation   ratio    (static file: {static:.4f} s)")
    smallest: tuple[float, float] | None = None
    for size in SIZES:
        fill(size)
        page, made = first_byte(PANEL), creation()
        smallest = smallest or (page, made)
        print(
            f"{size:>7}  {page:>10.3f}  {page / smallest[0]:>6.1f}  {made:>8.3f}  {made / smallest[1]:>6.1f}",
            flush=True,
        )
    DOMAINS.write_bytes(before)


if __name__ == "__main__":
    main()
