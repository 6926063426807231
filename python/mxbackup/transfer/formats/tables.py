# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules as JSON and as CSV (RFC 4180), to be kept, edited and read back: `export | import` is the identity.

A spreadsheet takes a cell that begins with one of `= + - @` for a formula, which may send what the sheet holds to a
stranger. Such a cell is written with an apostrophe before it, as OWASP advises against "CSV Injection": spreadsheets
show it as text. When it is read back, that apostrophe is taken away.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence

from mxbackup.errors import InvalidInput, Message
from mxbackup.esmith import printable
from mxbackup.rules import PROPERTIES, Rule
from mxbackup.transfer.entries import Entry, Reading, Remark

COLUMNS = ("name", *(prop.name for prop in PROPERTIES))
# Also at their full width, as OWASP says; apostrophes before one are counted among it, so that all come back.
_ACTIVE = re.compile("'*[=+@\uff1d\uff0b\uff20\uff0d-]")
# What the columns of a CSV file without a heading mean.
PLAIN_COLUMNS = ("name", "kind", "route", "description")


def write_json(exported: Iterable[Rule]) -> str:
    """Return the rules as JSON: `{"rules": [{"name": ..., "kind": ...}]}`, without what a rule does not have."""
    rows = [{"name": rule.name, **_values(rule)} for rule in exported]
    return printable.lines(printable.legible(json.dumps({"rules": rows}, indent=2, ensure_ascii=False))) + "\n"


def write_lines(exported: Iterable[Rule], *, ascii: bool) -> str:
    """Return the same with a rule a line, for a person to read; with `ascii` in nothing else."""
    texts = [json.dumps({"name": rule.name, **_values(rule)}, ensure_ascii=False) for rule in exported]
    rows = [json.dumps(json.loads(printable.legible(text)), ensure_ascii=ascii) for text in texts]
    return printable.lines('{"rules": [\n' + ",\n".join(rows) + "\n]}\n")


def write_csv(exported: Iterable[Rule]) -> str:
    """Return the rules as CSV with a heading, a comma between cells and CRLF behind each row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({key: _inert(cell) for key, cell in _row(rule).items()} for rule in exported)
    return printable.legible(out.getvalue())


def read_json(text: str) -> Reading:
    """Read what `write_json` wrote, or the bare list of rules. A line is the rule's place in the list.

    Raises InvalidInput when it is not JSON or not that.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits
        raise InvalidInput("This begins like JSON and is none: {reason}.", reason=_no_json(error)) from error
    rows = found.get("rules") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise InvalidInput('This JSON holds no rules. It must be as "mxbackup export" writes it.')
    reading = Reading()
    for place, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not all(type(cell) in (str, int) for cell in row.values()):
            reason = Message("A rule must be an object whose values are texts or numbers.")
            reading.problems.append(Remark(place, json.dumps(row), reason))
        elif unknown := ", ".join(row.keys() - set(COLUMNS)):
            reason = Message("The key {unknown} is unknown.", unknown=unknown)
            reading.problems.append(Remark(place, json.dumps(row), reason))
        else:
            _take(reading, place, {prop: str(row.get(prop, "")) for prop in COLUMNS})
    return reading


def read_csv(text: str) -> Reading:
    """Read rows with a comma or a semicolon between cells; a heading that begins with `name` names the columns.

    An empty cell of kind leaves the kind as it is, any other empty cell removes the property.
    Raises InvalidInput when the heading names an unknown column.
    """
    reading = Reading()
    columns: Sequence[str] = ()
    source = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text), strict=True)
    while True:
        line = source.line_num + 1
        try:
            cells = [cell.strip() for cell in next(source)]
        except StopIteration:
            return reading
        except csv.Error as error:
            raise InvalidInput("Line {line} is no CSV: {reason}.", line=line, reason=_no_csv(error)) from error
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not columns:
            columns = _heading(cells)
            if columns is not PLAIN_COLUMNS:
                continue
        if len(cells) > len(columns):
            reason = Message("There are more cells than columns ({count}).", count=len(columns))
            reading.problems.append(Remark(line, ",".join(cells), reason))
        else:
            _take(reading, line, {column: _typed(cell) for column, cell in zip(columns, cells, strict=False)})


def delimiter(text: str) -> str:
    """Return what stands between cells: a comma, or the semicolon that French spreadsheets write."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return ";" if first.count(";") > first.count(",") else ","


def _values(rule: Rule) -> dict[str, object]:
    return {prop.name: getattr(rule, prop.name) for prop in PROPERTIES if prop.recorded(rule)}


def _row(rule: Rule) -> dict[str, str]:
    return {"name": rule.name, **{prop.name: prop.recorded(rule) or "" for prop in PROPERTIES}}


def _inert(cell: str) -> str:
    """The cell as no spreadsheet takes it for a formula: behind an apostrophe."""
    return f"'{cell}" if _ACTIVE.match(cell) else cell


def _typed(cell: str) -> str:
    """What `_inert` was given; any other cell as it is."""
    return cell[1:] if cell.startswith("'") and _ACTIVE.match(cell[1:]) else cell


def _heading(cells: list[str]) -> Sequence[str]:
    columns = [cell.lower() for cell in cells]
    if columns[0] != "name":
        return PLAIN_COLUMNS
    if unknown := [column for column in columns if column not in COLUMNS]:
        raise InvalidInput(
            'The column "{unknown}" is unknown. Columns: {known}.',
            unknown=unknown[0],
            known=", ".join(COLUMNS),
        )
    return columns


def _take(reading: Reading, line: int, row: dict[str, str]) -> None:
    name = reading.name(line, row["name"])
    if name is None:
        return
    stated = [prop for prop in PROPERTIES if prop.name in row and (row[prop.name] or not prop.always)]
    reading.entries.append(Entry(line, name, {prop.key: row[prop.name] or None for prop in stated}))


def _no_json(error: Exception) -> Message:
    if isinstance(error, json.JSONDecodeError):
        return Message("see line {line}, column {column}", line=error.lineno, column=error.colno)
    if isinstance(error, RecursionError):
        return Message("it is nested too deep")
    return Message("it holds a number that is too long")


def _no_csv(error: csv.Error) -> Message:
    """The module `csv` tells its errors apart by their words only."""
    if "unexpected end" in str(error):
        return Message("a quotation mark has no end")
    if "field larger" in str(error):
        return Message("a cell is too long")
    return Message("a quotation mark ends within a cell")
