"""Whether a bucket policy is public.

"The meaning of public" in the Amazon S3 User Guide
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html): a policy is, unless
all that it allows is for fixed principals or under a condition that fixes where requests come from.
"""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

from twisted_s3.protocol.policy.conditions import FOR_ALL, Condition
from twisted_s3.protocol.policy.evaluation import Decision, Policy, Statement

_FIXING_KEYS = frozenset(
    (
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    )
)
_FIXING_OPERATORS = frozenset(("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"))

#: The shortest prefixes of networks that are not the public at large.
_MIN_PREFIX_V4, _MIN_PREFIX_V6 = 8, 32


def is_public(policy: Policy) -> bool:
    """Whether a bucket policy lets the public in."""
    return any(_lets_everybody_in(statement) for statement in policy.statements)


def _lets_everybody_in(statement: Statement) -> bool:
    return (
        statement.effect is Decision.ALLOW
        and (statement.principals is None or statement.principals.everybody or "Principal" in statement.inverse)
        and not any(_fixes(condition) for condition in statement.conditions)
    )


def _fixes(condition: Condition) -> bool:
    """Whether a condition only lets in what has certain values of a key that tells who or where from."""
    name = condition.name
    # A request without the key would pass these, whatever the values.
    if name.operator is None or name.if_exists or name.quantifier == FOR_ALL:
        return False
    if condition.key == "aws:sourceip":
        return name.operator.name == "IpAddress" and all(map(_narrow, condition.values))
    if condition.key not in _FIXING_KEYS or name.operator.name not in _FIXING_OPERATORS:
        return False
    return not any("*" in value or "?" in value or "${" in value for value in condition.values)


def _narrow(text: str) -> bool:
    network = ip_network(text, strict=False)
    return network.prefixlen >= (_MIN_PREFIX_V4 if isinstance(network, IPv4Network) else _MIN_PREFIX_V6)
