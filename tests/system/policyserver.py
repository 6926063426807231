#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An HTTPS server with one MTA-STS policy (RFC 8461): policyserver.py ADDRESS CERTIFICATE EXCHANGER..."""

import http.server
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for the one path of the RFC."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/.well-known/mta-sts.txt" else 404)
        self.end_headers()
        lines = ["version: STSv1", "mode: enforce", *(f"mx: {name}" for name in sys.argv[3:]), "max_age: 86400"]
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


def main(address: str, certificate: str) -> None:
    """Serve until killed."""
    server = http.server.ThreadingHTTPServer((address, 443), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:3])
