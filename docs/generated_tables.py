"""Sphinx directives for the tables that are drawn from the code, so that they can not differ from it.

``.. settings-table::`` lists every setting; ``.. operations-table:: bucket`` every operation of a level,
``.. inputs-table::`` what is done with their inputs, and ``.. rivals-table::`` what other servers say that they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from rivals import RIVALS
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from twisted_s3.operations.inputs import HONOURED, IGNORED, REFUSED, TREATMENTS, UNHEEDED, Treatment
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
        return list_table(rows, "30 40 22 8")


class InputsTable(_Generated):
    """What is done with each input, by what is done."""

    def text(self) -> str:
        """A table of every header, parameter and element that is treated apart."""
        found: dict[tuple[str, Treatment], list[str]] = {}
        for (operation, name), treatment in TREATMENTS.items():
            found.setdefault((name, treatment), []).append(operation)
        order = (REFUSED, UNHEEDED, IGNORED, HONOURED)
        rows: list[Sequence[str]] = [("Input", "Of", "What is done", "")]
        for (name, treatment), operations in sorted(
            found.items(), key=lambda item: (order.index(item[0][1].what), item[1], item[0][0])
        ):
            whose = "all that have it" if operations == ["*"] else ", ".join(operations)
            rows.append((f"``{name}``", whose, treatment.what, treatment.note))
        return list_table(rows, "30 30 16 24")


class RivalsTable(_Generated):
    """What other servers say that they have, beside what is here."""

    def text(self) -> str:
        """The sources, and the table."""
        rows: list[Sequence[str]] = [("Operation", "twisted-s3", *(rival.name for rival in RIVALS))]
        for operation in sorted(OPERATIONS, key=lambda op: op.name):
            words = [rival.word(operation.name) for rival in RIVALS]
            if operation.handler is not None or any(word.startswith("yes") for word in words):
                rows.append((operation.name, "501" if operation.handler is None else "**yes**", *words))
        sources = "".join(f"* {rival.name}: {rival.source}\n" for rival in RIVALS)
        return f"{sources}\n{list_table(rows, '32 12 12 16 16 16')}"


def list_table(rows: Sequence[Sequence[str]], widths: str) -> str:
    """A table whose first row is its head."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in rows:
        lines += [f"   {' ' if column else '*'} - {cell}".rstrip() for column, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx about the directives."""
    app.add_directive("settings-table", SettingsTable)
    app.add_directive("operations-table", OperationsTable)
    app.add_directive("inputs-table", InputsTable)
    app.add_directive("rivals-table", RivalsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
