"""Who a policy speaks of, and who asks.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct


class Principal(Struct, frozen=True):
    """Who sends a request.

    :ivar canonical_id: "" for an anonymous request.
    :ivar name: the user's name, as in ``arn:aws:iam::ACCOUNT:user/NAME``.
    :ivar account: the account that the user is in; "" where there are none, then each user is an account of its own,
        whose id is the canonical id.
    :ivar service: the service that asks in place of a user, as ``logging.s3.amazonaws.com``; else "".
    """

    canonical_id: str = ""
    name: str = ""
    account: str = ""
    service: str = ""

    @property
    def anonymous(self) -> bool:
        """Whether nobody signed the request."""
        return not self.canonical_id and not self.service

    @property
    def arn(self) -> str:
        """The user's ARN, "" for nobody and for a service."""
        return "" if not self.canonical_id else f"arn:aws:iam::{self.account}:user/{self.name}"


#: Who sends a request that nobody signed.
ANONYMOUS = Principal()


class Principals(Struct, frozen=True):
    """The ``Principal`` element of a statement.

    Roles and federated users are understood, but nobody here is one of them.

    :ivar everybody: whether it is ``*``, which includes anonymous requests.
    :ivar canonical_ids: of users.
    :ivar accounts: whose users are all meant.
    :ivar users: account and name.
    :ivar services: by the names of their domains.
    """

    everybody: bool = False
    canonical_ids: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    users: frozenset[tuple[str, str]] = frozenset()
    services: frozenset[str] = frozenset()

    def includes(self, principal: Principal) -> bool:
        """Whether a principal is one of them."""
        if self.everybody:
            return True
        if principal.service or principal.anonymous:
            return principal.service in self.services
        account, canonical_id, name = principal.account, principal.canonical_id, principal.name
        return (
            canonical_id in self.canonical_ids
            or canonical_id in self.accounts
            or account in self.accounts
            or any((place, name) in self.users for place in {account, canonical_id, ""})
        )


_ACCOUNT = re.compile(r"[0-9]{12}|[0-9a-f]{64}", re.ASCII)
_CANONICAL_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII)
_ARN = re.compile(
    r"arn:aws(?:-[a-z-]+)?:(?P<service>iam|sts)::(?P<account>[^:*?]*):"
    r"(?:(?P<root>root)|(?P<kind>user|role|assumed-role|federated-user)/(?P<name>[^*?]+))",
    re.ASCII,
)


def parse_principals(values: Iterable[tuple[str, str]]) -> Principals | None:
    """Read the pairs of kind and value; None if one is invalid.

    The kinds are ``AWS``, ``CanonicalUser``, ``Service`` and ``Federated``. A ``*`` stands alone for everybody: it is
    no wildcard within a name.
    """
    everybody = False
    canonical_ids: set[str] = set()
    accounts: set[str] = set()
    users: set[tuple[str, str]] = set()
    services: set[str] = set()
    for kind, value in values:
        if kind == "AWS" and value == "*":
            everybody = True
        elif kind == "AWS" and _ACCOUNT.fullmatch(value):
            accounts.add(value)
        elif kind == "AWS" and (match := _ARN.fullmatch(value)):
            if match["root"] and not match["account"]:
                return None
            if match["root"]:
                accounts.add(match["account"])
            elif match["kind"] == "user":
                users.add((match["account"], match["name"]))
        elif kind == "CanonicalUser" and _CANONICAL_ID.fullmatch(value):
            canonical_ids.add(value)
        elif kind == "Service" and _DOMAIN.fullmatch(value):
            services.add(value)
        elif kind != "Federated" or "*" in value:
            return None
    return Principals(everybody, frozenset(canonical_ids), frozenset(accounts), frozenset(users), frozenset(services))
