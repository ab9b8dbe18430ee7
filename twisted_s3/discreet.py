"""Values with something in them that nobody is to read in a log."""

from __future__ import annotations

from typing import Any, ClassVar


class Discreet:
    """Before ``Struct`` among the bases of a class: its ``repr`` leaves fields out.

    :cvar HIDDEN: their names.
    """

    __slots__ = ()

    HIDDEN: ClassVar[tuple[str, ...]] = ()
    __struct_fields__: ClassVar[tuple[str, ...]]

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What Rich shows of it, in tracebacks too."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.HIDDEN]

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(shown)})"
