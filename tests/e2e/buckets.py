"""A bucket of Ceph's object gateway, as tests see it: through another client than ours."""

import sys
from pathlib import Path

import botocore.config
import botocore.session

sys.path.append(str(Path(__file__).resolve().parent.parent / "s3"))

import radosgw
from harness import Scratch, main

KEYS = {"S3_KEY": radosgw.KEY, "S3_SECRET": radosgw.SECRET}


class Bucket:
    """A bucket of its own."""

    def __init__(self, gateway, name):
        self.name = name
        self.client = botocore.session.get_session().create_client(
            "s3", region_name="us-east-1", endpoint_url=gateway.plain,
            aws_access_key_id=radosgw.KEY, aws_secret_access_key=radosgw.SECRET,
            config=botocore.config.Config(s3={"addressing_style": "path"}))
        self.client.create_bucket(Bucket=name)

    def put(self, key, data):
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def keys(self, prefix=""):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name,
                                                                      Prefix=prefix)
        return sorted(one["Key"] for page in pages for one in page.get("Contents", []))

    def get(self, key):
        answer = self.client.get_object(Bucket=self.name, Key=key)
        return answer["Body"].read(), answer["ContentType"]


def store_toml(gateway, secret="S3_SECRET"):
    port = gateway.tls.rsplit(":", 1)[1]
    return (f'[s3.ceph]\nendpoint = "https://127.0.0.1:{port}"\nca_file = "{gateway.certificate}"\n'
            f'access_key_id = {{ env = "S3_KEY" }}\nsecret_access_key = {{ env = "{secret}" }}\n')


def with_gateway(test, gateway):
    def run():
        test(gateway)
    return run


def main_with_gateway(tests):
    """Runs what begins with test_, each with one gateway for all."""
    with Scratch() as folder, radosgw.Gateway(folder) as gateway:
        main({name: with_gateway(test, gateway) for name, test in list(tests.items())
              if name.startswith("test_")})
