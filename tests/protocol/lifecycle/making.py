"""Rules and documents for tests of lifecycles."""

from __future__ import annotations

from hypothesis import strategies as st

from twisted_s3.protocol.lifecycle.documents import parse_lifecycle
from twisted_s3.protocol.lifecycle.rules import Filter, Lifecycle

FILTER = "<Filter><Prefix>a</Prefix></Filter>"
EXPIRES = "<Expiration><Days>1</Days></Expiration>"


def rule(content: str, scope: str = FILTER, id: str = "", status: str = "Enabled") -> str:
    """The element of a rule."""
    return f"<Rule>{f'<ID>{id}</ID>' if id else ''}{scope}<Status>{status}</Status>{content}</Rule>"


def body(*rules: str) -> bytes:
    """A document."""
    return f"<LifecycleConfiguration>{''.join(rules)}</LifecycleConfiguration>".encode()


def lifecycle(*rules: str) -> Lifecycle:
    """A configuration."""
    return parse_lifecycle(body(*rules))


def filters() -> st.SearchStrategy[Filter]:
    """Filters that S3 takes."""
    tags = st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"), max_size=2).map(lambda d: tuple(d.items()))
    sizes = st.none() | st.integers(0, 3)

    def sound(filter: Filter) -> bool:
        return filter.larger is None or filter.smaller is None or filter.larger < filter.smaller

    prefixes = st.none() | st.sampled_from(["", "a", "ab", "b"])
    return st.builds(Filter, prefixes, tags, sizes, st.none() | st.integers(1, 4)).filter(sound)
