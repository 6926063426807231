# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `mxbackup`. What templates and events call is told apart here, so that it starts fast."""

import gc
import importlib.util
import io
import os
import sys

NOT_POSSIBLE = 3


def main() -> None:
    """Run the command line of this process and exit with its status."""
    _load_inspect_late()
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
        case ["render", target] if _is_target(target):
            from mxbackup.hooks import actions

            sys.exit(actions.render(target))
        case ["action", name, *_]:
            from mxbackup.hooks import actions

            sys.exit(actions.event_action(name))
        case ["panel"]:
            from mxbackup import panel

            panel.main()
        case ["tend"] if _is_idle():
            pass
        case _:
            from mxbackup.words import terminal

            terminal.take_up()
            from mxbackup.cli import main as command_line

            command_line()


def _load_inspect_late() -> None:
    """Load `inspect` when it is first used, as importlib's documentation shows under "Implementing lazy imports".

    dataclasses imports it for classes without a docstring, and its own imports take a tenth of an event.
    """
    spec = importlib.util.find_spec("inspect")
    if spec and spec.loader and "inspect" not in sys.modules:
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules["inspect"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


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
