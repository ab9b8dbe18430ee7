"""Fixtures for pytest: an S3 server for the session, and what a test needs of it.

Installed with the package. Nothing is imported before a test asks for one of these fixtures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from twisted_s3.testing import S3Server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server over HTTP for the whole session; with pytest-xdist one for each worker."""
    from twisted_s3.testing import S3Server

    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server_tls() -> Iterator[S3Server]:
    """The same over HTTPS, where SDKs send uploads in chunks with a checksum behind. Trust its ``ca_file``."""
    from twisted_s3.testing import S3Server

    with S3Server(tls=True) as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> Iterator[str]:
    """The name of a bucket that is new, and gone after the test."""
    with _calm(s3_server):
        name = s3_server.create_bucket()
        yield name
        s3_server.delete_bucket(name)


@pytest.fixture
def s3_client(s3_server: S3Server) -> Iterator[Any]:
    """A boto3 client of the server."""
    with _calm(s3_server):
        yield s3_server.client()


@pytest.fixture
def s3_bucket_tls(s3_server_tls: S3Server) -> Iterator[str]:
    """As ``s3_bucket``, on the server over HTTPS."""
    with _calm(s3_server_tls):
        name = s3_server_tls.create_bucket()
        yield name
        s3_server_tls.delete_bucket(name)


@pytest.fixture
def s3_client_tls(s3_server_tls: S3Server) -> Iterator[Any]:
    """As ``s3_client``, for the server over HTTPS."""
    with _calm(s3_server_tls):
        yield s3_server_tls.client()


@pytest.fixture
def s3_environment(s3_server: S3Server) -> Iterator[Mapping[str, str]]:
    """The environment in which SDKs and tools find the server by themselves, for the test and its processes."""
    with _calm(s3_server):
        yield from _environment(s3_server.environment)


@pytest.fixture
def s3_environment_tls(s3_server_tls: S3Server) -> Iterator[Mapping[str, str]]:
    """As ``s3_environment``, for the server over HTTPS."""
    with _calm(s3_server_tls):
        yield from _environment(s3_server_tls.environment)


@contextmanager
def _calm(server: S3Server) -> Iterator[None]:
    """One test's use of a server that others use: no fault, moved clock or client of it stays behind."""
    server.requests.clear()
    try:
        yield
    finally:
        server.calm()
        server.close_clients()


#: Variables of one's own account that would go before those of the server.
_FOREIGN = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)


def _environment(variables: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    before = {name: os.environ.pop(name, None) for name in {*variables, *_FOREIGN}}
    os.environ.update(variables)
    _forget_default_session()
    try:
        yield variables
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        _forget_default_session()


def _forget_default_session() -> None:
    """boto3 keeps what its default session found in the environment."""
    boto3 = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = None  # type: ignore[attr-defined]
