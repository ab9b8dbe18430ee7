"""Sphinx directives for the tables that are drawn from the code, so that they can not differ from it.

``.. settings-table::`` lists every setting; ``.. operations-table:: bucket`` every operation of a level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from twisted_s3.operations.table import BUCKET, OBJECT, OPERATIONS, SERVICE, Operation
from twisted_s3.settings import docs_table

PATHS = {SERVICE: "/", BUCKET: "/bucket", OBJECT: "/bucket/key"}


class _Generated(SphinxDirective):
    """A directive whose content is reStructuredText that the code gives."""

    def text(self) -> str:
        """The reStructuredText."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the text where the directive stands."""
        container = nodes.container()
        self.state.nested_parse(StringList(self.text().splitlines(), "generated"), self.content_offset, container)
        return list(container.children)


class SettingsTable(_Generated):
    """Every setting: option, variable, default, meaning."""

    def text(self) -> str:
        """The table that the schema draws of itself."""
        return docs_table()


def request_line(operation: Operation) -> str:
    """How a request for an operation looks: ``PUT /bucket/key?partNumber&uploadId``."""
    query = "&".join(sorted(operation.selectors, key=lambda name: (name != operation.subresource, name)))
    line = f"{operation.method} {PATHS[operation.level]}" + ("?" + query if query else "")
    return f"``{line}``" + (" with ``x-amz-copy-source``" if operation.copies else "")


class OperationsTable(_Generated):
    """Every operation of one level: its request, the right it needs, and whether it is there."""

    required_arguments = 1

    def text(self) -> str:
        """The table of the level that the argument names."""
        rows: list[Sequence[str]] = [("Operation", "Request", "Action", "Answer")]
        for operation in sorted(OPERATIONS, key=lambda op: (op.handler is None, op.name)):
            if operation.level == self.arguments[0]:
                answer = "501" if operation.handler is None else "**yes**"
                rows.append((operation.name, request_line(operation), f"``{operation.action}``", answer))
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 40 22 8", ""]
        for row in rows:
            lines += [f"   {' ' if column else '*'} - {cell}" for column, cell in enumerate(row)]
        return "\n".join(lines) + "\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx about the directives."""
    app.add_directive("settings-table", SettingsTable)
    app.add_directive("operations-table", OperationsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
