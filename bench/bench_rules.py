# SPDX-License-Identifier: GPL-2.0-or-later
"""Rendering one target, and the whole of adding a rule, against a native Perl fragment."""

from pathlib import Path

from measure import SIZES, Cost, cost, fill, settle

NATIVE = str(Path(__file__).with_name("native_fragment.pl"))


def row(size: int, native: Cost, rendered: Cost, added: Cost) -> str:
    """One line of the table."""
    return (
        f"{size:>7}  {native.seconds:>8.3f}  {rendered.seconds:>8.3f}  {rendered.seconds / native.seconds:>6.1f}"
        f"  {added.seconds:>8.3f}  {added.seconds / native.seconds:>6.1f}"
        f"  {native.mebibytes:>6.0f}  {rendered.mebibytes:>6.0f}  {added.mebibytes:>6.0f}"
    )


def main() -> None:
    """Print the table; times in seconds, memory in MiB, ratios to the native fragment."""
    print("  rules    native    render   ratio       add   ratio  native  render     add (MiB)")
    for size in SIZES:
        fill(size)
        settle()
        native = cost(["/usr/bin/perl", NATIVE])
        rendered = cost(["/usr/bin/mxbackup", "render", "rcpthosts"])
        fill(size)
        added = cost(["/usr/bin/mxbackup", "add", "one-more.example.org"], times=1)
        print(row(size, native, rendered, added), flush=True)


if __name__ == "__main__":
    main()
