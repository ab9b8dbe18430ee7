"""System calls as strace prints them, put back together where threads interrupted each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)

#: What strace must watch.
WATCHED = (
    "write", "writev", "pwrite64", "pwritev", "pwritev2", "copy_file_range", "ftruncate", "fsetxattr", "fsync",
    "fdatasync", "link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "send",
    "sendto", "sendmsg",
)  # fmt: skip


class SystemCall(Struct, frozen=True):
    """A call that succeeded.

    :ivar begun: the number of the line on which it began.
    :ivar ended: the number of the line on which it had returned; what began later came after it.
    """

    name: str
    arguments: str
    begun: int
    ended: int

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"


def command(output: str) -> Sequence[str]:
    """What runs a program under strace. The program keeps its process id: the tracer is a descendant of its own."""
    # No -z: it would hold back the line of a call that begins until its end is known.
    return ("strace", "-D", "-f", "-y", "-qq", "-s", "64", "-e", f"trace={','.join(WATCHED)}", "-o", output)


def parse(text: str) -> Iterator[SystemCall]:
    """The calls that succeeded, in the order in which they ended."""
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(text.splitlines()):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        thread, rest = match.groups()
        start = number
        if rest.endswith(_UNFINISHED):
            begun[thread] = (number, rest.removesuffix(_UNFINISHED))
            continue
        resumed = _RESUMED.fullmatch(rest)
        if resumed is not None and thread in begun:
            start, first = begun.pop(thread)
            rest = first + resumed[1]
        call = _CALL.fullmatch(rest)
        if call is not None and not call[3].startswith(("-", "?")):
            yield SystemCall(call[1], call[2], start, number)
