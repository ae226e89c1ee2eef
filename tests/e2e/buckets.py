"""A bucket of a real store, as tests see it: through another client than ours."""

import sys
from pathlib import Path

import botocore.config
import botocore.session

sys.path.append(str(Path(__file__).resolve().parent.parent / "s3"))

import radosgw
from harness import Scratch, main


def keys_of(store):
    return {"S3_KEY": store.key, "S3_SECRET": store.secret}


KEYS = keys_of(radosgw.Gateway)


class Bucket:
    """A bucket of its own."""

    def __init__(self, gateway, name):
        self.name = name
        self.client = botocore.session.get_session().create_client(
            "s3", region_name="us-east-1", endpoint_url=gateway.plain,
            aws_access_key_id=gateway.key, aws_secret_access_key=gateway.secret,
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


def store_toml(gateway, secret="S3_SECRET", endpoint=""):
    trust = f'ca_file = "{gateway.certificate}"\n' if gateway.certificate else ""
    return (f'[s3.ceph]\nendpoint = "{endpoint or gateway.by_path}"\n{trust}'
            f'access_key_id = {{ env = "S3_KEY" }}\nsecret_access_key = {{ env = "{secret}" }}\n')


def with_store(test, store):
    def run():
        test(store)
    return run


def main_with_gateway(tests, make=radosgw.Gateway):
    """Runs what begins with test_, each with one store for all."""
    with Scratch() as folder, make(folder) as store:
        main({name: with_store(test, store) for name, test in list(tests.items())
              if name.startswith("test_")})
