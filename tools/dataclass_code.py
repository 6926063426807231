# SPDX-License-Identifier: GPL-2.0-or-later
"""Print the module `mxbackup.dataclass_code`: the methods that dataclasses writes for the classes that an event loads.

Each is there as the text that dataclasses would give to `exec`, and its code by that text, for mxbackup.__main__.
"""

import dataclasses
from importlib import import_module

# What actions of events load, at once and while they run.
EVENT = ("mxbackup.hooks.actions", "mxbackup.hosts.esmith", "mxbackup.targets.qpsmtpdplugin")


def written() -> list[str]:
    """Import what an event does; return the texts that were compiled for it, each once."""
    texts: dict[str, None] = {}

    def note(text: str, names: dict[str, object], made: dict[str, object]) -> None:
        texts[text] = None
        exec(text, names, made)  # noqa: S102 - what dataclasses itself would do

    dataclasses.__dict__["exec"] = note
    for module in EVENT:
        import_module(module)
    return list(texts)


def main() -> None:
    """Print the module."""
    print("CODE = {}")
    for text in written():
        print(f"{text}\nCODE[{text!r}] = __create_fn__.__code__")


if __name__ == "__main__":
    main()
