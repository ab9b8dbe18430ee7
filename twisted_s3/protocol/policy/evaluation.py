"""What policies say of a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cached_property

from msgspec import Struct

from twisted_s3.protocol.policy.actions import ActionSet
from twisted_s3.protocol.policy.conditions import Condition
from twisted_s3.protocol.policy.principals import Principal, Principals
from twisted_s3.protocol.policy.variables import Keys, Pattern, any_matches

ARN_PREFIX = "arn:aws:s3:::"

#: How the condition keys begin that name a tag of the object as it is.
EXISTING_TAG = "s3:existingobjecttag/"


class Decision(Enum):
    """What statements say of a request; ``NEUTRAL``: nothing."""

    ALLOW = "Allow"
    DENY = "Deny"
    NEUTRAL = "Neutral"


def resource_arn(bucket: str, key: str | None = None) -> str:
    """The ARN of a bucket, or of an object in it. For the whole account: ``*`` as the bucket."""
    return f"{ARN_PREFIX}{bucket}" if key is None else f"{ARN_PREFIX}{bucket}/{key}"


class Request(Struct, frozen=True, dict=True):
    """What is asked of policies.

    :ivar action: ``s3:GetObject``.
    :ivar resource: the ARN of what is to be acted on.
    :ivar keys: the condition keys, by lower-case name; a key that the request does not have is absent.
    """

    principal: Principal
    action: str
    resource: str
    keys: Keys = {}

    @cached_property
    def folded_action(self) -> str:
        """The action in lower case."""
        return self.action.lower()


class Statement(Struct, frozen=True):
    """A compiled statement.

    :ivar effect: ``ALLOW`` or ``DENY``.
    :ivar principals: None in the policy of a user, which speaks of that user only.
    :ivar inverse: which of ``Principal``, ``Action`` and ``Resource`` are inverted: ``NotAction``.
    """

    effect: Decision
    principals: Principals | None
    actions: ActionSet
    resources: tuple[Pattern, ...]
    conditions: tuple[Condition, ...] = ()
    inverse: frozenset[str] = frozenset()
    sid: str = ""

    def applies(self, request: Request) -> bool:
        """Whether it says anything of a request."""
        inverse = self.inverse
        if self.actions.includes(request.folded_action) == ("Action" in inverse):
            return False
        if self.principals is not None and self.principals.includes(request.principal) == ("Principal" in inverse):
            return False
        allowing = self.effect is Decision.ALLOW
        inverted = "Resource" in inverse
        if any_matches(self.resources, request.keys, inverted and allowing)(request.resource) == inverted:
            return False
        return all(condition.holds(request.keys, allowing) for condition in self.conditions)


class Policy(Struct, frozen=True, dict=True):
    """A compiled policy.

    :ivar version: ``2012-10-17`` or ``2008-10-17``.
    """

    statements: tuple[Statement, ...]
    version: str
    id: str = ""

    @cached_property
    def needs_existing_tags(self) -> bool:
        """Whether it looks at the tags that an object has, so that they have to be loaded first."""
        return any(map(_mentions_tags, self.statements))


def _mentions_tags(statement: Statement) -> bool:
    texts = [pattern.text for pattern in statement.resources]
    for condition in statement.conditions:
        texts += (condition.key, *condition.values)
    return any(EXISTING_TAG in text.lower() for text in texts)


def evaluate(statements: Iterable[Statement], request: Request) -> Decision:
    """What statements, of one policy or of several, say of a request: one that denies wins over all that allow."""
    decision = Decision.NEUTRAL
    for statement in statements:
        if statement.effect is decision or not statement.applies(request):
            continue
        if statement.effect is Decision.DENY:
            return Decision.DENY
        decision = Decision.ALLOW
    return decision


EFFECTS: Mapping[str, Decision] = {"Allow": Decision.ALLOW, "Deny": Decision.DENY}
