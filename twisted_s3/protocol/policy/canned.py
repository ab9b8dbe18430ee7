"""Ready-made policies for users, by name: ``readwrite``, ``readonly``, ``writeonly`` and ``administrator``.

Each is for all buckets, or for some: ``readonly:photos,backups-*``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from twisted_s3.protocol.policy.documents import CURRENT_VERSION, parse_user_policy
from twisted_s3.protocol.policy.evaluation import ARN_PREFIX, Policy

_LISTING = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions")
_READING = ("s3:GetObject*", "s3:ListMultipartUploadParts", "s3:ListObject*")
_WRITING = ("s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging")

#: Each name, and the actions that it allows in buckets and on their objects.
#: ``readwrite`` does not reach the configuration of a bucket, nor ACLs, nor past the locks of objects.
CANNED: Mapping[str, Sequence[str]] = {
    "administrator": ("s3:*",),
    "readonly": ("s3:GetBucketVersioning", *_LISTING, *_READING),
    "readwrite": (
        "s3:CreateBucket",
        "s3:DeleteObject*",
        "s3:GetBucketVersioning",
        "s3:RestoreObject",
        *_LISTING,
        *_READING,
        *_WRITING,
    ),
    "writeonly": ("s3:GetBucketLocation", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts", *_WRITING),
}

_BUCKETS = re.compile(r"[a-z0-9.*?_-]+", re.ASCII | re.IGNORECASE)


def canned_document(name: str) -> Mapping[str, Any]:
    """The document of a ready-made policy.

    :raise ValueError: when there is none of this name.
    """
    base, colon, names = name.partition(":")
    buckets = [bucket.strip() for bucket in names.split(",")] if colon else ["*"]
    if base not in CANNED:
        raise ValueError(f"no ready-made policy {base!r}; there are {', '.join(sorted(CANNED))}")
    for bucket in buckets:
        if not _BUCKETS.fullmatch(bucket):
            raise ValueError(f"not the name of a bucket: {bucket!r}")
    resources = [f"{ARN_PREFIX}{bucket}{rest}" for bucket in buckets for rest in ("", "/*")]
    return {
        "Version": CURRENT_VERSION,
        "Statement": [
            {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
            {"Effect": "Allow", "Action": list(CANNED[base]), "Resource": resources},
        ],
    }


def canned_policy(name: str) -> Policy:
    """A ready-made policy, compiled.

    :raise ValueError: when there is none of this name.
    """
    return parse_user_policy(json.dumps(canned_document(name)).encode())
