# SPDX-License-Identifier: GPL-2.0-or-later
"""Times, spans of time and sizes, as people read them."""

import time

from mxbackup.words.lexicon import Lexicon


def span(seconds: int, words: Lexicon) -> str:
    """Return a span of time in the unit that says most; less than none is none."""
    minutes = max(0, seconds) // 60
    if minutes < 120:
        return words.text("{count} min", count=minutes)
    if minutes < 2880:
        return words.text("{count} h", count=minutes // 60)
    return words.text("{count} days", count=minutes // 1440)


def since(when: int, words: Lexicon) -> str:
    """Return how long ago that was."""
    return span(int(time.time()) - when, words)


def moment(when: int) -> str:
    """Return a time, given in seconds since 1970, as the clock of this server shows it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def day(when: int) -> str:
    """Return the day of a time, given in seconds since 1970."""
    return moment(when).partition(" ")[0]


def size(number: int, words: Lexicon) -> str:
    """Return a number of bytes, rounded up."""
    if number < 1024:
        return words.text("{count} bytes", count=number)
    if number < 1024 * 1024:
        return words.text("{count} KB", count=-(-number // 1024))
    return words.text("{count} MB", count=-(-number // (1024 * 1024)))
