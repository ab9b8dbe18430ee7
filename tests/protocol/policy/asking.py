"""Shorthand for policies and what is asked of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted_s3.errors import S3Error
from twisted_s3.protocol.policy.documents import parse_bucket_policy, parse_user_policy
from twisted_s3.protocol.policy.evaluation import Decision, Policy, Request, evaluate, resource_arn
from twisted_s3.protocol.policy.principals import Principal

ALICE = Principal("a" * 64, "alice")
BOB = Principal("b" * 64, "bob", "111122223333")
ALLOW, DENY, NEUTRAL = Decision.ALLOW, Decision.DENY, Decision.NEUTRAL


def statement(**changes: Any) -> dict[str, Any]:
    """A statement that lets everybody get every object of the bucket ``b``, changed; None takes a field away."""
    fields = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", **changes}
    return {name: value for name, value in fields.items() if value is not None}


def document(*statements: Any, version: str = "2012-10-17") -> bytes:
    """The text of a policy."""
    return json.dumps({"Version": version, "Statement": list(statements)}).encode()


def bucket_policy(*statements: Any, version: str = "2012-10-17") -> Policy:
    """The policy of the bucket ``b``."""
    return parse_bucket_policy(document(*statements, version=version), "b")


def user_policy(*statements: Any) -> Policy:
    """The policy of a user."""
    return parse_user_policy(document(*statements))


def ask(
    policy: Policy,
    principal: Principal = ALICE,
    action: str = "s3:GetObject",
    key: str | None = "key",
    keys: Mapping[str, Sequence[str]] | None = None,
    bucket: str = "b",
) -> Decision:
    """What a policy says of a request."""
    return evaluate(
        policy.statements, Request(principal, action, resource_arn(bucket, key), {} if keys is None else keys)
    )


def refusal(call: Callable[[], object]) -> tuple[str, str] | None:
    """Code and message of the S3Error that a call raises, None if it raises none."""
    try:
        call()
    except S3Error as error:
        return error.code, error.message
    return None
