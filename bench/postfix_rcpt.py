# SPDX-License-Identifier: GPL-2.0-or-later
"""RCPT at Postfix with our tables and with one written by hand, and what putting them into force costs."""

import smtplib
import statistics
import subprocess
import time
from pathlib import Path

from measure import DOMAINS, Cost, fill, one_cost

CONNECTIONS = 50
SIZES = (1, 100_000)
BY_HAND = Path("/etc/postfix/by_hand")
PARAMETERS = ("relay_domains", "transport_maps")


def rcpt(recipient: str) -> float:
    """Return the median seconds from RCPT to its answer, once in each of several connections."""
    seconds = []
    for _ in range(CONNECTIONS):
        client = smtplib.SMTP("127.0.0.1", 25, local_hostname="client.example.org", timeout=60)
        client.helo()
        client.mail("sender@example.org")
        start = time.perf_counter()
        code, text = client.rcpt(recipient)
        seconds.append(time.perf_counter() - start)
        client.quit()
        if code != 250:
            raise RuntimeError(f"{code} {text!r}")
    return statistics.median(seconds)


def use(relay_domains: str, transport_maps: str) -> None:
    """Have Postfix read these tables, and no smtpd remain that has others open."""
    values = [f"{name} = {value}" for name, value in zip(PARAMETERS, (relay_domains, transport_maps), strict=True)]
    subprocess.run(["/usr/sbin/postconf", "-e", *values], check=True)
    subprocess.run(["/usr/sbin/postfix", "reload"], check=True, capture_output=True)
    time.sleep(2)


def by_hand(size: int) -> Cost:
    """Write the table that an administrator would, and have it compiled; return what that costs."""
    BY_HAND.write_text("".join(f"customer{number:06}.example.com relay\n" for number in range(size)))
    return one_cost(["/usr/sbin/postmap", str(BY_HAND)])


def mxbackup(*arguments: str) -> Cost:
    """Run a command of ours; return what it costs. What it says ends in 1 where a rule is not in force yet."""
    return one_cost(["/usr/bin/mxbackup", *arguments])


def main() -> None:
    """Print the table; the ratios are to what was written by hand, and to one rule."""
    kind = subprocess.run(
        ["/usr/sbin/postconf", "-h", "default_database_type"], capture_output=True, text=True, check=True
    ).stdout.strip()
    DOMAINS.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/usr/sbin/postconf", "-e", "mynetworks = 192.0.2.200/32"], check=True)
    print("  rules  by hand ms   ours ms  ratio  to 1 rule  postmap s  apply s  ratio  again s  apply MiB", flush=True)
    first = None
    for size in SIZES:
        recipient = f"user@www.customer{size // 2:06}.example.com"
        compiled = by_hand(size)
        use(f"{kind}:{BY_HAND}", "")
        theirs = rcpt(recipient)
        use("", "")
        fill(size)
        applied = mxbackup("apply", "--configure", "--confirm")
        again = mxbackup("apply", "--configure", "--confirm")
        time.sleep(2)
        ours = rcpt(recipient)
        first = first or ours
        print(
            f"{size:>7}  {theirs * 1000:>10.2f}  {ours * 1000:>8.2f}  {ours / theirs:>5.2f}  {ours / first:>9.2f}"
            f"  {compiled.seconds:>9.2f}  {applied.seconds:>7.2f}  {applied.seconds / compiled.seconds:>5.1f}"
            f"  {again.seconds:>7.2f}  {applied.mebibytes:>9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
