"""An S3 store for the tests that every store passes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest
import s3fs

from tests.support.aws import moto

ACCESS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket on moto, which the environment leads to, as it leads an installation to its own."""
    with moto() as url, pytest.MonkeyPatch.context() as patch:
        for name, value in (ACCESS | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        name = f"tests-{uuid4().hex}"
        client = boto3.client("s3")
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        client.close()
        yield name
        s3fs.S3FileSystem.clear_instance_cache()
        gc.collect()  # its connections end with the file system
