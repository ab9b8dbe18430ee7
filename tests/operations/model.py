"""The inputs of operations, as botocore's service model has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import botocore.session


@attrs.frozen
class Input:
    """An input of an operation.

    :ivar place: ``header``, ``query`` or ``body``.
    :ivar name: on the wire; of an element in a document the path.
    :ivar required: whether no request can do without it.
    :ivar shape: botocore's.
    """

    place: str
    name: str
    required: bool
    shape: Any = attrs.field(eq=False, repr=False)


def service_model() -> Any:
    """Botocore's model of S3."""
    return botocore.session.get_session().get_service_model("s3")


def inputs(model: Any, operation: str) -> Iterator[Input]:
    """All inputs of an operation but the bucket and the key."""
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return
    places = {"header": "header", "headers": "header", "querystring": "query", None: "body"}
    for member, inner in shape.members.items():
        location = inner.serialization.get("location")
        if location == "uri":
            continue
        name = inner.serialization.get("name", member)
        yield Input(places[location], name, member in shape.required_members, inner)
        if location is None:
            yield from _elements(name, inner)


def _elements(path: str, shape: Any) -> Iterator[Input]:
    if shape.type_name == "structure":
        for member, inner in shape.members.items():
            name = f"{path}/{inner.serialization.get('name', member)}"
            yield Input("body", name, member in shape.required_members, inner)
            yield from _elements(name, inner)
    elif shape.type_name == "list":
        yield from _elements(path, shape.member)
