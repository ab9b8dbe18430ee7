"""The parts of a server by name, for a process that is this server and nothing else."""

from __future__ import annotations

import gc

from twisted.python.reflect import namedAny

from twisted_s3.serving import Compose


def load_compose(name: str) -> Compose:
    """Import what puts a server together. :param name: the full name of a :data:`twisted_s3.serving.Compose`.

    What is there then stays until the process ends, so from now on it is not searched for garbage: that takes a part
    of the start, and would later hold up requests for as long as it takes to look at every function and class.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        compose: Compose = namedAny(name)  # type: ignore[no-untyped-call]
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
    return compose
