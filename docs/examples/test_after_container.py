"""After: no container. What asked LocalStack or MinIO for its address asks the fixture."""

import boto3
import pytest

# Before, with LocalStack:
#
#     @pytest.fixture(scope="session")
#     def endpoint():
#         with LocalStackContainer(image="localstack/localstack:3") as container:
#             yield container.get_url(), "test", "test"
#
# Before, with MinIO:
#
#     @pytest.fixture(scope="session")
#     def endpoint():
#         with MinioContainer() as container:
#             config = container.get_config()
#             yield f"http://{config['endpoint']}", config["access_key"], config["secret_key"]


@pytest.fixture(scope="session")
def endpoint(s3_server):
    return s3_server.endpoint_url, s3_server.access_key, s3_server.secret_key


@pytest.fixture
def client(endpoint):
    url, access_key, secret_key = endpoint
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
    )


def test_upload(client):
    client.create_bucket(Bucket="uploads")
    client.put_object(Bucket="uploads", Key="k", Body=b"...", Metadata={"colour": "red"})
    assert client.head_object(Bucket="uploads", Key="k")["Metadata"] == {"colour": "red"}
