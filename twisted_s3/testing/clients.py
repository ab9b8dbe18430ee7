"""How clients find a test server: as arguments, as options, as environment, and as a ready client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted_s3.model import User


class ClientFace:
    """What clients need to know of a server.

    :ivar endpoint_url: where it listens.
    :ivar access_key: of its administrator, with ``secret_key``.
    :ivar ca_file: path of the certificate that HTTPS clients must trust; None over HTTP.
    """

    endpoint_url: str
    access_key: str
    secret_key: str
    region: str
    ca_file: str | None

    def _begin_clients(self) -> None:
        self._session: Any = None
        self._clients: list[Any] = []

    def client(self, *, user: User | None = None, config: Any = None, **arguments: Any) -> Any:
        """A boto3 client, which ends with the server.

        :param user: whose keys it uses, by default the administrator's.
        :param config: a ``botocore.config.Config``, over the settings that are made here (addresses by path).
        :param arguments: go over those for ``Session.client``.
        :raise ImportError: when boto3 is not installed.
        """
        from boto3.session import Session
        from botocore.config import Config

        if self._session is None:
            self._session = Session()
        settings = Config(s3={"addressing_style": "path"})
        keys = {} if user is None else {"aws_access_key_id": user.access_key, "aws_secret_access_key": user.secret_key}
        given = {**self.client_arguments, **keys, **arguments}
        made = self._session.client("s3", config=settings.merge(config) if config else settings, **given)
        self._clients.append(made)
        return made

    def close_clients(self) -> None:
        """Close the connections of all clients that `client` made."""
        clients, self._clients = self._clients, []
        for client in clients:
            client.close()

    @property
    def client_arguments(self) -> Mapping[str, Any]:
        """Keyword arguments for ``client("s3", ...)`` of boto3, aioboto3, aiobotocore ..."""
        return {
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region,
            "verify": self.ca_file,
        }

    @property
    def storage_options(self) -> Mapping[str, Any]:
        """``storage_options`` of pandas, dask and others of fsspec; keyword arguments of ``s3fs.S3FileSystem``."""
        more = {"region_name": self.region}
        if self.ca_file is not None:
            more["verify"] = self.ca_file
        return {
            "key": self.access_key,
            "secret": self.secret_key,
            "endpoint_url": self.endpoint_url,
            "client_kwargs": more,
        }

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables with which SDKs and tools find the server, and no other account of the machine."""
        variables = {
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if self.ca_file is not None:
            variables["AWS_CA_BUNDLE"] = self.ca_file
        return variables
