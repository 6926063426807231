# SPDX-License-Identifier: GPL-2.0-or-later
"""What --json prints, held to docs/mxbackup.schema.json by Debian's jsonschema, in a process of its own."""

import atexit
import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mxbackup.cli.documents import DOCUMENTS

SCHEMA = Path(__file__).parents[1] / "docs/mxbackup.schema.json"
JUDGE = """
import json, sys
from jsonschema import Draft202012Validator as Validator
schema = json.load(open(sys.argv[1]))
Validator.check_schema(schema)
for line in sys.stdin:
    name, document = json.loads(line)
    found = Validator({**schema, "anyOf": [{"$ref": f"#/$defs/{one}"} for one in name]}).iter_errors(document)
    print(json.dumps([error.message for one in found for error in (one.context or [one])]), flush=True)
"""


def judge(names: Sequence[str], document: object) -> list[str]:
    """Return what is wrong with a document that must be one of those named."""
    process = _judge()
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps([names, document]) + "\n")
    process.stdin.flush()
    found: list[str] = json.loads(process.stdout.readline())
    return found


def hold(arguments: Sequence[str], out: str) -> None:
    """Fail when what a command printed is JSON of no document of its."""
    if "--json" not in arguments or not out.startswith("{"):
        return
    command = next(word for word in arguments if word in DOCUMENTS)
    names = (
        ["check-replay"] if "--replay" in arguments else ["show", "show-draining"] if command == "show" else [command]
    )
    assert judge(names, json.loads(out)) == []


@cache
def _judge() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        ["/usr/bin/python3", "-c", JUDGE, str(SCHEMA)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.kill)
    return process
