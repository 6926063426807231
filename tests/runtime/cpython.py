# SPDX-License-Identifier: GPL-2.0-or-later
"""One module of CPython's own tests, run by the packaged interpreter.

usage: cpython.py SOURCE MODULE    SOURCE: CPython's source tree as compiled
Prints one JSON object: "run" and "skipped" (counts) and "failed" (name of a test: last line of its error).
What is not in the package (unittest, test, ...) comes from the source tree, behind what is.
"""

import io
import json
import os
import sys
import tempfile
import types
from pathlib import Path

source, name = Path(sys.argv[1]), sys.argv[2]
paths = [str(source / "Lib"), str(source / (source / "pybuilddir.txt").read_text())]
sys.path += paths
os.environ["PYTHONPATH"] = os.pathsep.join(paths)

# The limits of C that the tests read from a module which is not built.
limits = types.ModuleType("_testcapi")
limits.__dict__.update(
    INT_MIN=-(2**31), INT_MAX=2**31 - 1, UINT_MAX=2**32 - 1, ULONG_MAX=2**32 - 1, PY_SSIZE_T_MAX=2**31 - 1,
    ULLONG_MAX=2**64 - 1,
)  # fmt: skip
sys.modules["_testcapi"] = limits

import unittest  # noqa: E402

loader = unittest.defaultTestLoader
directory = source / "Lib/test" / name
if directory.is_dir():
    suite = loader.discover(str(directory), top_level_dir=paths[0])
else:
    suite = loader.loadTestsFromName(f"test.{name}")
with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    os.chdir("/")
failed = {test.id(): text.strip().splitlines()[-1] for test, text in result.errors + result.failures}
sys.stdout.write("\n" + json.dumps({"run": result.testsRun, "skipped": len(result.skipped), "failed": failed}))
