# SPDX-License-Identifier: GPL-2.0-or-later
"""One module of CPython's own tests, run by the packaged interpreter.

usage: cpython.py SOURCE MODULE    SOURCE: runtime/build's src
Prints one JSON object: "run" and "skipped" (counts) and "failed" (the error by the test's name).
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

# The limits of C, of which these two ask a module that is not built; the others do without.
if name in ("test_socket", "test_sqlite3"):
    limits = types.ModuleType("_testcapi")
    vars(limits).update(INT_MIN=-(2**31), INT_MAX=2**31 - 1)
    vars(limits).update(UINT_MAX=2**32 - 1, ULONG_MAX=2**32 - 1, ULLONG_MAX=2**64 - 1)
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
failed = {test.id(): text for test, text in result.errors + result.failures}
sys.stdout.write("\n" + json.dumps({"run": result.testsRun, "skipped": len(result.skipped), "failed": failed}))
