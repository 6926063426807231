# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `mxbackup`. What templates and events call is told apart here, so that it starts fast."""

import gc
import importlib
import io
import os
import sys
from functools import partial
from types import CodeType, FunctionType, ModuleType

NOT_POSSIBLE = 3


def main() -> None:
    """Run the command line of this process and exit with its status."""
    # Imported for classes without a docstring, and for the text mode of subprocess: a tenth of an event together.
    _load_late("inspect", "locale")
    _open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # records may hold bytes that no locale can say
    gc.disable()  # short-lived, and rules by the hundred thousand hold no cycles
    try:
        _run()
    finally:
        _finish_output()


def _run() -> None:
    match sys.argv[1:]:
        case ["tend"] if _is_idle():
            pass
        case arguments:
            _take_compiled_dataclasses()
            _serve(arguments)


def _serve(arguments: list[str]) -> None:
    match arguments:
        case ["render", target] if _is_target(target):
            from mxbackup.hooks import actions

            sys.exit(actions.render(target))
        case ["action", name, *_]:
            from mxbackup.hooks import actions

            sys.exit(actions.event_action(name))
        case ["panel"]:
            from mxbackup import panel

            panel.main()
        case _:
            from mxbackup.words import terminal

            terminal.take_up()
            from mxbackup.cli import main as command_line

            command_line()


def _load_late(*modules: str) -> None:
    """Have modules loaded when something of them is first used, not when others import them.

    importlib's LazyLoader is no help: the statement `import` itself looks at an attribute of what it finds.
    """
    for module in modules:
        late = sys.modules.setdefault(module, ModuleType(module))
        if late.__spec__ is None:
            late.__dict__["__getattr__"] = partial(_load, late)


def _load(late: ModuleType, attribute: str) -> object:
    if sys.modules.get(late.__name__) is late:
        del sys.modules[late.__name__]
    return getattr(importlib.import_module(late.__name__), attribute)


def _take_compiled_dataclasses() -> None:
    """Have dataclasses take the methods that it writes for classes of ours from where they are compiled already.

    To compile them takes a seventh of an event. The package has them (tools/dataclass_code.py); a checkout does not.
    """
    try:
        code: dict[str, CodeType] = importlib.import_module("mxbackup.dataclass_code").CODE
    except ModuleNotFoundError:
        return
    import dataclasses

    def define(text: str, names: dict[str, object], made: dict[str, object]) -> None:
        if text in code:
            made["__create_fn__"] = FunctionType(code[text], names)
        else:
            exec(text, names, made)  # noqa: S102 - what dataclasses itself would do

    dataclasses.__dict__["exec"] = define  # before Python's own of that name


def _is_target(text: str) -> bool:
    from mxbackup.targets.registry import EXPANDED

    return text in EXPANDED


def _is_idle() -> bool:
    from mxbackup.hooks import idle

    return idle.is_idle(idle.root())


def _open_closed() -> None:
    """Open what a shell closed with >&-, to nowhere: a database must not become the output of an event."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdin, sys.stdout, sys.stderr = (
        stream or open(os.devnull, mode)  # noqa: SIM115 - for as long as the process lives
        for stream, mode in ((sys.stdin, "r"), (sys.stdout, "w"), (sys.stderr, "w"))
    )


def _finish_output() -> None:
    """Exit with NOT_POSSIBLE when what was printed cannot be written; Python itself would exit with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(NOT_POSSIBLE)


if __name__ == "__main__":
    main()
