"""The rules of a lifecycle configuration, as values.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from twisted_s3.model import ObjectVersion

#: What the small are spared: they do not move between classes, unless a rule speaks of sizes itself.
SMALL = 128 * 1024

#: The values of ``x-amz-transition-default-minimum-object-size``; the first is the default.
ALL_CLASSES = "all_storage_classes_128K"
BY_CLASS = "varies_by_storage_class"


class Filter(Struct, frozen=True):
    """Which objects a rule is about: those that meet all that is said. None: nothing is said.

    :ivar larger: objects of more bytes than this.
    :ivar smaller: objects of fewer bytes than this.
    """

    prefix: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    larger: int | None = None
    smaller: int | None = None

    @property
    def sized(self) -> bool:
        """Whether it speaks of sizes."""
        return self.larger is not None or self.smaller is not None

    def admits_key(self, key: str) -> bool:
        """Whether the rule can be about anything with this key."""
        return key.startswith(self.prefix or "")

    def admits(self, version: ObjectVersion) -> bool:
        """Whether the rule is about a version. A delete marker has no bytes and no tags."""
        if not self.admits_key(version.key):
            return False
        if self.larger is not None and version.size <= self.larger:
            return False
        if self.smaller is not None and version.size >= self.smaller:
            return False
        has: Mapping[str, str] = version.properties.tags
        return all(has.get(key) == value for key, value in self.tags)


class Expiration(Struct, frozen=True):
    """When a current version expires: one of three is given.

    :ivar days: after it was made.
    :ivar date: a midnight (UTC), from which on all expire.
    :ivar markers: whether a delete marker goes when it is all that is left of a key.
    """

    days: int | None = None
    date: float | None = None
    markers: bool | None = None


class Transition(Struct, frozen=True):
    """When a current version gets another storage class: so many days after it was made, or from a date on."""

    storage_class: str
    days: int | None = None
    date: float | None = None


class NoncurrentExpiration(Struct, frozen=True):
    """When a noncurrent version expires.

    :ivar days: after it became noncurrent.
    :ivar newer: how many newer noncurrent versions there have to be.
    """

    days: int
    newer: int | None = None


class NoncurrentTransition(Struct, frozen=True):
    """When a noncurrent version gets another storage class; as :class:`NoncurrentExpiration` has it."""

    storage_class: str
    days: int
    newer: int | None = None


class Rule(Struct, frozen=True):
    """A rule.

    :ivar plain: whether its prefix stood outside of a filter, in the older form of the document.
    :ivar abort_days: after which an unfinished multipart upload is dropped.
    """

    id: str
    enabled: bool
    filter: Filter
    plain: bool = False
    expiration: Expiration | None = None
    transitions: tuple[Transition, ...] = ()
    noncurrent_expiration: NoncurrentExpiration | None = None
    noncurrent_transitions: tuple[NoncurrentTransition, ...] = ()
    abort_days: int | None = None


class Lifecycle(Struct, frozen=True):
    """A lifecycle configuration.

    :ivar minimum: ``x-amz-transition-default-minimum-object-size``.
    """

    rules: tuple[Rule, ...]
    minimum: str = ALL_CLASSES

    @property
    def enabled(self) -> tuple[Rule, ...]:
        """The rules that count."""
        return tuple(rule for rule in self.rules if rule.enabled)
