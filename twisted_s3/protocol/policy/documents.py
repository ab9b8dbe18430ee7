"""Policy documents: what a policy may say, and what AWS answers to one that says anything else.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twisted_s3.errors import S3Error
from twisted_s3.protocol.policy.actions import ACTIONS, BUCKET, OBJECT, ActionSet, matching_actions
from twisted_s3.protocol.policy.conditions import Condition, OperatorName, compile_condition, parse_operator
from twisted_s3.protocol.policy.evaluation import ARN_PREFIX, EFFECTS, Decision, Policy, Statement
from twisted_s3.protocol.policy.keys import actions_with
from twisted_s3.protocol.policy.patterns import Tokens, Wild, glob
from twisted_s3.protocol.policy.principals import Principals, parse_principals
from twisted_s3.protocol.policy.variables import Pattern, compile_pattern

#: Bytes of a bucket policy, without the white space around its elements.
MAX_SIZE = 20480

#: Since when there are policy variables.
CURRENT_VERSION = "2012-10-17"
FIRST_VERSION = "2008-10-17"

_SYNTAX = "Invalid policy syntax."
_PAIRED = ("Principal", "Action", "Resource")
_STATEMENT_FIELDS = frozenset(("Sid", "Effect", "Condition", *_PAIRED, *(f"Not{name}" for name in _PAIRED)))
_VENDOR_ACTION = re.compile(r"[a-z0-9-]+:.+", re.ASCII | re.IGNORECASE)


def malformed(reason: str) -> S3Error:
    """The refusal of a policy. What of the reason could not stand in an XML document becomes ``?``."""
    return S3Error("MalformedPolicy", "".join(one if one.isprintable() else "?" for one in reason[:500]))


def parse_bucket_policy(text: bytes, bucket: str) -> Policy:
    """Read, validate and compile the policy of a bucket.

    :raise S3Error: ``MalformedPolicy``, with AWS's reason.
    """
    document = _load(text)
    if len(text) > MAX_SIZE and _normalized_size(document) > MAX_SIZE:
        raise malformed(f"Normalized policy document exceeds the maximum allowed size of {MAX_SIZE} bytes")
    return _Reader(bucket).policy(document)


def parse_user_policy(text: bytes) -> Policy:
    """Read, validate and compile the policy of a user, which says what that user may do, and names no principals.

    :raise S3Error: ``MalformedPolicy``.
    """
    return _Reader(None).policy(_load(text))


class _Number(str):
    """A number, as it is written."""


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError


def _load(text: bytes) -> Mapping[str, Any]:
    if not text.startswith(b"{"):
        raise malformed("Policies must be valid JSON and the first byte must be '{'")
    try:
        document = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        raise malformed("This policy contains invalid Json") from None
    assert isinstance(document, dict)
    return document


def _normalized_size(document: Mapping[str, Any]) -> int:
    try:
        return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise malformed(_SYNTAX) from None


def _string(value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, _Number):
        raise malformed(_SYNTAX)
    return value


def _strings(value: Any) -> Sequence[str]:
    return [_string(item) for item in value] if isinstance(value, list) else [_string(value)]


def _condition_values(value: Any) -> Sequence[str]:
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool):
            found.append("true" if item else "false")
        elif isinstance(item, str):
            found.append(str(item))
        else:
            raise malformed(_SYNTAX)
    if not found:
        raise malformed(_SYNTAX)
    return found


def _field(statement: Mapping[str, Any], name: str) -> tuple[Any, bool]:
    """The value of a field or of its opposite, and whether it is the opposite."""
    if name in statement and f"Not{name}" in statement:
        raise malformed(f"Statement/policy already has instance of {name}")
    inverted = f"Not{name}" in statement
    if not inverted and name not in statement:
        raise malformed(f"Missing required field {name}")
    value = statement[f"Not{name}" if inverted else name]
    if value in ("", [], {}):
        raise malformed(f"Missing required field {name} cannot be empty!")
    return value, inverted


class _Reader:
    """Reads policies of one kind.

    :param bucket: whose policies; None for those of users.
    """

    def __init__(self, bucket: str | None) -> None:
        self._bucket = bucket
        self._variables = False

    def policy(self, document: Mapping[str, Any]) -> Policy:
        """Read a whole policy."""
        for name in document:
            if name not in ("Version", "Id", "Statement"):
                raise malformed(f"Unknown field {name}")
        version = document.get("Version", FIRST_VERSION)
        if version not in (CURRENT_VERSION, FIRST_VERSION):
            raise malformed("The policy must contain a valid version string")
        self._variables = version == CURRENT_VERSION
        identifier = _string(document.get("Id", ""))
        if "Statement" not in document:
            raise malformed("Missing required field Statement")
        statements = document["Statement"]
        if isinstance(statements, dict):
            statements = [statements]
        if not isinstance(statements, list):
            raise malformed(_SYNTAX)
        if not statements:
            raise malformed("Could not parse the policy: Statement is empty!")
        return Policy(tuple(self._statement(one) for one in statements), version, identifier)

    def _statement(self, statement: Any) -> Statement:
        if not isinstance(statement, dict):
            raise malformed(_SYNTAX)
        for name in statement:
            if name not in _STATEMENT_FIELDS:
                raise malformed(f"Unknown field {name}")
        if "Effect" not in statement:
            raise malformed("Missing required field Effect")
        effect = _string(statement["Effect"])
        if effect not in EFFECTS:
            raise malformed(f"Invalid effect: {effect}")
        inverse = {name for name in _PAIRED if f"Not{name}" in statement}
        principals = self._principals(statement, EFFECTS[effect])
        value, not_action = _field(statement, "Action")
        actions = _strings(value)
        known = self._known_actions(actions)
        value, not_resource = _field(statement, "Resource")
        resources = tuple(self._resource(resource) for resource in _strings(value))
        if self._bucket is not None and not not_action and not not_resource:
            _check_applies(known, resources)
        named = [frozenset(ACTIONS).difference(*known)] if not_action else known
        conditions = self._conditions(statement.get("Condition", {}), named)
        return Statement(
            EFFECTS[effect],
            principals,
            ActionSet.of("s3:*" if action == "*" else action for action in actions),
            resources,
            tuple(conditions),
            frozenset(inverse),
            _string(statement.get("Sid", "")),
        )

    def _principals(self, statement: Mapping[str, Any], effect: Decision) -> Principals | None:
        if self._bucket is None:
            if "Principal" in statement or "NotPrincipal" in statement:
                raise malformed("Policy document should not specify a principal.")
            return None
        value, inverted = _field(statement, "Principal")
        if inverted and effect is Decision.ALLOW:
            raise malformed("Allow with NotPrincipal is not allowed.")
        if value == "*":
            return Principals(everybody=True)
        if not isinstance(value, dict):
            raise malformed(_SYNTAX)
        pairs = [(kind, name) for kind, names in value.items() for name in _strings(names)]
        principals = parse_principals(pairs)
        if principals is None or not all(value.values()):
            raise malformed("Invalid principal in policy")
        return principals

    def _known_actions(self, patterns: Sequence[str]) -> Sequence[frozenset[str]]:
        """For each pattern the actions of S3 that it names."""
        found = []
        for pattern in patterns:
            known = matching_actions("s3:*" if pattern == "*" else pattern)
            if pattern != "*" and not _VENDOR_ACTION.fullmatch(pattern) and self._bucket is None:
                raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            if not known and (self._bucket is not None or pattern.lower().startswith("s3:")):
                raise malformed("Policy has invalid action")
            found.append(known)
        return found

    def _resource(self, text: str) -> Pattern:
        pattern = compile_pattern(text, glob, wildcards=True, variables=self._variables)
        if self._bucket is None:
            if text != "*" and not text.startswith("arn:"):
                raise malformed(f'Resource {text} must be in ARN format or "*".')
            return pattern
        if not text.startswith(ARN_PREFIX) or not glob(_bucket_part(pattern))(ARN_PREFIX + self._bucket):
            raise malformed("Policy has invalid resource")
        return pattern

    def _conditions(self, block: Any, named: Sequence[frozenset[str]]) -> Iterable[Condition]:
        if not isinstance(block, dict):
            raise malformed(_SYNTAX)
        for operator, tests in block.items():
            name = parse_operator(operator)
            if name is None:
                raise malformed(f"Invalid Condition type : {operator}")
            if not isinstance(tests, dict):
                raise malformed(_SYNTAX)
            for key, values in tests.items():
                if self._bucket is not None:
                    _check_key(key.lower(), named)
                yield self._condition(name, key.lower(), _condition_values(values))

    def _condition(self, name: OperatorName, key: str, values: Sequence[str]) -> Condition:
        try:
            return compile_condition(name, key, values, self._variables)
        except ValueError:
            if name.operator is not None and name.operator.name.endswith("IpAddress"):
                raise malformed("Invalid IP address in Conditions") from None
            raise malformed("Policy has an invalid condition value") from None


def _bucket_part(resource: Pattern) -> Tokens:
    """The tokens of an ARN up to the first slash."""
    found: list[str | Wild] = []
    for token in resource.tokens:
        name, slash, _ = token.partition("/") if isinstance(token, str) else (token, "", "")
        found.append(name)
        if slash:
            break
    return found


def _check_applies(known: Iterable[frozenset[str]], resources: Iterable[Pattern]) -> None:
    """Every action must apply to one of the resources, but not every resource needs an action."""
    kinds = set()
    for resource in resources:
        tokens = resource.tokens
        within = any(isinstance(token, str) and "/" in token for token in tokens)
        kinds.add(OBJECT if within else BUCKET)
        if Wild.MANY in tokens:
            kinds.add(OBJECT)
    for actions in known:
        if not any(ACTIONS[action] in kinds for action in actions):
            raise malformed("Action does not apply to any resource(s) in statement")


def _check_key(key: str, named: Iterable[frozenset[str]]) -> None:
    """A condition key must come with every action of the statement, or with one that a wildcard names."""
    try:
        supported = actions_with(key)
    except KeyError:
        raise malformed("Policy has an invalid condition key") from None
    if supported is not None and not all(supported & actions for actions in named):
        raise malformed("Conditions do not apply to combination of actions and resources in statement")
