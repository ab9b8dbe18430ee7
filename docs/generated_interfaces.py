"""A Sphinx directive for the interfaces of ``zope.interface``, which autodoc does not know.

``.. interfaces:: twisted_s3.interfaces`` describes every interface of a module, with all its methods.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from zope.interface.interface import InterfaceClass, Method


def _indented(text: str, depth: int) -> Iterator[str]:
    for line in inspect.cleandoc(text).splitlines():
        yield " " * depth + line
    yield ""


def describe(interface: InterfaceClass, module: str) -> Iterator[str]:
    """The reStructuredText for one interface."""
    yield f".. py:class:: {interface.__name__}"
    yield f"   :module: {module}"
    yield ""
    yield from _indented(interface.__doc__ or "", 3)
    members = sorted(interface.namesAndDescriptions(all=False), key=lambda item: getattr(item[1], "order", 0))
    for name, member in members:
        if isinstance(member, Method):
            yield f"   .. py:method:: {name}{member.getSignatureString()}"
        else:
            yield f"   .. py:attribute:: {name}"
        yield ""
        yield from _indented(member.__doc__ or "", 6)


class Interfaces(SphinxDirective):
    """All interfaces that a module defines, in its order."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the descriptions where the directive stands."""
        module = import_module(self.arguments[0])
        lines: list[str] = []
        for found in vars(module).values():
            if isinstance(found, InterfaceClass) and found.__module__ == module.__name__:
                lines += describe(found, module.__name__)
        container = nodes.container()
        self.state.nested_parse(StringList(lines, "generated"), self.content_offset, container)
        return list(container.children)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx about the directive."""
    app.add_directive("interfaces", Interfaces)
    return {"parallel_read_safe": True}
