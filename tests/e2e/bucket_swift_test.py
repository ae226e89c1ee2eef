"""A bucket of OpenStack Swift, which knows no conditional PUT, as inbox and as outbox: the promises
are those of any bucket."""

import os

from bucket_inbox_test import (command, convert_and_amid_the_first_request,
                               convert_killed_five_times, fill,
                               test_a_watched_bucket_is_converted_as_it_fills)
from bucket_link_test import convert_killed_five_times_by_link
from buckets import Bucket, keys_of, main_with_gateway
from commands_test import User
from harness import ApiServer, Scratch
from swift_store import Store


def test_killed_five_times_every_object_is_converted_once(store):
    convert_killed_five_times(store, 40)


def test_killed_five_times_every_object_is_converted_once_by_its_link(store):
    convert_killed_five_times_by_link(store, 5000 if os.environ.get("MILLRACE_LONG") else 40)


def test_what_somebody_else_puts_there_meanwhile_stays(store):
    with Scratch() as home, ApiServer("--latency-ms", "2000") as api:
        user, bucket = User(home), Bucket(store, "theirs")
        fill(bucket, ["a.png"])
        words = command(home, store, api, "s3://ceph@theirs/in/", "--out", "s3://ceph@theirs/out/")
        convert_and_amid_the_first_request(lambda: bucket.put("out/a.webp", b"somebody's"), user, api,
                                           words, keys_of(store))
        assert bucket.get("out/a.webp")[0] == b"somebody's"
        assert bucket.keys() == ["in/a.png", "out/a.webp"], bucket.keys()


if __name__ == "__main__":
    main_with_gateway(globals(), Store)
