"""Compiled policies, kept."""

from __future__ import annotations

from twisted_s3.protocol.policy.documents import parse_bucket_policy, parse_user_policy
from twisted_s3.protocol.policy.evaluation import Policy


class PolicyCache:
    """Keeps the compiled policies of the buckets and users that were asked for last.

    The text is the key, so that an entry can not be out of date.

    :param size: how many.
    """

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._policies: dict[tuple[str | None, bytes], Policy] = {}

    def __len__(self) -> int:
        return len(self._policies)

    def get(self, text: bytes, bucket: str | None) -> Policy:
        """The compiled policy of a bucket; of a user where ``bucket`` is None.

        :raise S3Error: ``MalformedPolicy``.
        """
        policy = self._policies.pop((bucket, text), None)
        if policy is None:
            policy = parse_user_policy(text) if bucket is None else parse_bucket_policy(text, bucket)
            if len(self._policies) >= self._size:
                del self._policies[next(iter(self._policies))]
        self._policies[bucket, text] = policy
        return policy
