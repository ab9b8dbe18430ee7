"""Policy variables: ``${aws:username}``, with a default ``${aws:username, 'x'}``, and ``${*}``, ``${?}``, ``${$}``.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from twisted_s3.protocol.policy.patterns import Matcher, Tokens, Wild, tokens_of

#: The condition keys of a request: lower-case name to its values.
Keys = Mapping[str, Sequence[str]]

_ESCAPES = frozenset("*?$")


class Variable(Struct, frozen=True):
    """A variable. ``name`` is the condition key, in lower case, whose one value it stands for."""

    name: str
    default: str | None = None

    def value(self, keys: Keys) -> str | None:
        """What it stands for; None when the request has no value for it, or several, and there is no default."""
        values = keys.get(self.name, ())
        return values[0] if len(values) == 1 else self.default


def _variable(body: str) -> str | Variable | None:
    """What ``${body}`` means, None if it is no variable."""
    body = body.strip()
    if body in _ESCAPES:
        return body
    name, comma, default = (piece.strip() for piece in body.partition(","))
    if not name:
        return None
    if not comma:
        return Variable(name.lower())
    if len(default) < 2 or default[0] != "'" or default[-1] != "'":
        return None
    return Variable(name.lower(), default[1:-1])


def _split(text: str, wildcards: bool, variables: bool) -> Sequence[str | Wild | Variable]:
    pieces: list[str | Wild | Variable] = []
    position = 0

    def add(literal: str) -> None:
        if literal:
            pieces.extend(tokens_of(literal) if wildcards else (literal,))

    while variables:
        start = text.find("${", position)
        end = text.find("}", start) if start >= 0 else -1
        if end < 0:
            break
        found = _variable(text[start + 2 : end])
        add(text[position:start])
        if found is None:
            add(text[start : end + 1])
        else:
            pieces.append(found)
        position = end + 1
    add(text[position:])
    return tuple(pieces)


class Pattern(Struct, frozen=True):
    """A value of a policy that may hold wildcards and variables.

    :ivar text: as the policy has it.
    :ivar parts: in pieces.
    """

    text: str
    parts: Sequence[str | Wild | Variable]
    _build: Callable[[Tokens], Matcher]
    _static: Matcher | None

    def matcher(self, keys: Keys) -> Matcher | None:
        """What matches texts for a request with these keys; None when a variable has no value.

        The value of a variable stands for itself, wildcards in it have no meaning.
        """
        if self._static is not None:
            return self._static
        tokens: list[str | Wild] = []
        for part in self.parts:
            if isinstance(part, Variable):
                value = part.value(keys)
                if value is None:
                    return None
                tokens.append(value)
            else:
                tokens.append(part)
        return self._build(tuple(token for token in tokens if token != ""))

    @property
    def fixed(self) -> bool:
        """Whether it holds neither a wildcard nor a variable."""
        return all(isinstance(part, str) and not _ESCAPES & set(part) - {"$"} for part in self.parts)

    @property
    def tokens(self) -> Tokens:
        """Its tokens, with a variable as what it may become: anything."""
        return tuple(Wild.MANY if isinstance(part, Variable) else part for part in self.parts)


def compile_pattern(text: str, build: Callable[[Tokens], Matcher], wildcards: bool, variables: bool) -> Pattern:
    """Compile a value of a policy.

    :param build: turns tokens into what matches.
    :param wildcards: whether ``*`` and ``?`` have their meaning.
    :param variables: whether ``${...}`` has its meaning, which is so from version 2012-10-17 on.
    """
    parts = _split(text, wildcards, variables)
    tokens = [part for part in parts if not isinstance(part, Variable)]
    return Pattern(text, parts, build, build(tokens) if len(tokens) == len(parts) else None)


def any_matches(patterns: Sequence[Pattern], keys: Keys, unresolved: bool = False) -> Matcher:
    """What matches texts that any of the patterns matches.

    :param unresolved: whether a pattern with a variable that has no value matches everything, or nothing.
    """
    if len(patterns) == 1:
        only = patterns[0].matcher(keys)
        return only if only is not None else lambda text: unresolved

    def matches(text: str) -> bool:
        for pattern in patterns:
            matcher = pattern.matcher(keys)
            if unresolved if matcher is None else matcher(text):
                return True
        return False

    return matches
