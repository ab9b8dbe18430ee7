"""Who sent a request: finds the credentials in its head and verifies them.

"Authenticating Requests" in the Amazon S3 API Reference
(https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.model import User
from twisted_s3.protocol import checksums, postform, sigv2, sigv4
from twisted_s3.protocol.head import RequestHead

Claim = sigv4.Claim | sigv2.Claim

_V4_MARKS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature")
_V2_MARKS = ("AWSAccessKeyId", "Signature")
_V4_CREDENTIALS = frozenset({*(name.lower() for name in sigv4.QUERY_PARAMETERS), "x-amz-security-token"})


class Verified(Discreet, Struct, frozen=True):
    """Who sent a request, and what was signed about its body.

    :ivar payload: the ``x-amz-content-sha256`` in force; None when nothing was said about the body.
    :ivar seed: where a chain of chunk signatures begins; None for Version 2.
    :ivar implied: signed ``x-amz-*`` parameters of a presigned URL, by lower-case name, that count as headers.
    :ivar presigned: whether the credentials came in the query.
    """

    HIDDEN: ClassVar = ("implied",)

    user: User
    payload: str | None = None
    seed: sigv4.Seed | None = None
    implied: Mapping[str, str] = {}
    presigned: bool = False


class Authenticator:
    """Verifies requests for one region.

    :param region: that Version 4 scopes must name.
    :param allow_sigv2: whether Version 2 signatures are accepted.
    :param presigned_checksums: whether the checksum of an empty body counts in a presigned URL.
    """

    def __init__(self, region: str, allow_sigv2: bool = True, presigned_checksums: bool = False) -> None:
        self._v4 = sigv4.SignatureV4(region)
        self._allow_sigv2 = allow_sigv2
        self._presigned_checksums = presigned_checksums

    def claim(self, head: RequestHead) -> Claim | None:
        """Who the request says it is from, nothing verified but the form; None for an anonymous request.

        :raise S3Error: ``InvalidArgument``, ``InvalidRequest``, ``AccessDenied``, ``AuthorizationHeaderMalformed``,
            ``AuthorizationQueryParametersError``.
        """
        authorizations = head.headers.get("authorization", ())
        parameters: Mapping[str, str] = head.parameters if head.query else {}
        query_v4 = any(name in parameters for name in _V4_MARKS)
        query_v2 = any(name in parameters for name in _V2_MARKS)
        if len(authorizations) + query_v4 + query_v2 > 1:
            raise S3Error(
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified",
                {"ArgumentName": "Authorization"},
            )
        if query_v4:
            return self._v4.claim_query(head)
        if query_v2:
            self._check_sigv2()
            return sigv2.claim_query(head)
        if not authorizations:
            return None
        authorization = authorizations[0]
        scheme = authorization.partition(" ")[0]
        if scheme == sigv4.ALGORITHM:
            return self._v4.claim_header(head, authorization)
        if scheme == "AWS":
            self._check_sigv2()
            return sigv2.claim_header(authorization)
        # The rest of it may be somebody's password, so it is not repeated in the answer.
        raise S3Error("InvalidArgument", "Unsupported Authorization Type", {"ArgumentName": "Authorization"})

    def verify(
        self, claim: Claim, head: RequestHead, user: User | None, now: float, virtual_bucket: str | None = None
    ) -> Verified:
        """Check that the request comes from the holder of the key, now.

        :param user: who holds the claim's access key; None when nobody does.
        :param now: seconds since the epoch.
        :param virtual_bucket: the bucket that the host names, else None.
        :raise S3Error: ``InvalidAccessKeyId``, ``SignatureDoesNotMatch``, ``AccessDenied``, ``RequestTimeTooSkewed``,
            ``InvalidToken``, ``ExpiredToken``.
        """
        if user is None or user.access_key != claim.access_key:
            raise S3Error("InvalidAccessKeyId", elements={"AWSAccessKeyId": claim.access_key})
        if isinstance(claim, sigv4.Claim):
            seed = self._v4.verify(claim, head, user.secret_key, now)
            presigned = claim.lifetime is not None
            implied = self._without_guesses(sigv4.headers_in_query(head, (), _V4_CREDENTIALS)) if presigned else {}
            verified = Verified(user, claim.payload, seed, implied, presigned)
        else:
            sigv2.verify(claim, head, user.secret_key, now, virtual_bucket)
            presigned = claim.expires is not None
            implied = self._without_guesses(sigv2.implied_headers(head)) if presigned else {}
            verified = Verified(user, head.header("x-amz-content-sha256"), None, implied, presigned)
        check_token(user, _token(head, presigned), now)
        return verified

    def claim_form(self, fields: Mapping[str, str]) -> postform.Claim | None:
        """Who an upload form says it is from, nothing verified but the form; None for an anonymous one.

        :param fields: by lower-case name.
        :raise S3Error: ``InvalidArgument``, ``InvalidRequest``, ``AccessDenied``.
        """
        claim = postform.find_claim(fields, self._v4)
        if claim is not None and not claim.date:
            self._check_sigv2()
        return claim

    def verify_form(self, claim: postform.Claim, user: User | None, now: float) -> User:
        """Check that the policy of an upload form was signed by the holder of the key.

        :param user: who holds the claim's access key; None when nobody does.
        :param now: seconds since the epoch.
        :raise S3Error: ``InvalidAccessKeyId``, ``SignatureDoesNotMatch``, ``AccessDenied``, ``InvalidToken``,
            ``ExpiredToken``.
        """
        if user is None or user.access_key != claim.access_key:
            raise S3Error("InvalidAccessKeyId", elements={"AWSAccessKeyId": claim.access_key})
        postform.verify(claim, user.secret_key, self._v4, now)
        check_token(user, claim.token, now)
        return user

    def _without_guesses(self, implied: Mapping[str, str]) -> Mapping[str, str]:
        if self._presigned_checksums or not implied:
            return implied
        return {name: value for name, value in implied.items() if not _is_of_nothing(name, value)}

    def _check_sigv2(self) -> None:
        if not self._allow_sigv2:
            raise S3Error(
                "InvalidRequest",
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            )


def _is_of_nothing(name: str, value: str) -> bool:
    """Whether a header is the checksum of an empty body.

    SDKs that compute checksums by default sign it into every presigned URL for an upload, before there is a body.
    """
    algorithm = checksums.algorithm_of(name)
    return algorithm is not None and value == checksums.new(algorithm).value()


def _token(head: RequestHead, presigned: bool) -> str | None:
    token = head.header("x-amz-security-token")
    if token is None and presigned:
        for name, value in head.pairs:
            if name.lower() == "x-amz-security-token":
                return value
    return token


def check_token(user: User, token: str | None, now: float) -> None:
    """Hold the session token of a request against the one that goes with the key.

    :raise S3Error: ``InvalidToken``, ``ExpiredToken``.
    """
    if token is not None or user.session_token is not None:
        expected = user.session_token
        same = hmac.compare_digest((token or "").encode("utf-8"), (expected or "").encode("utf-8"))
        if expected is None or not same:
            raise S3Error("InvalidToken")
    if user.expires is not None and now >= user.expires:
        raise S3Error("ExpiredToken")
