"""signer_oracle_test.py [RUNNER] SIGNER: 200 random signatures are those of botocore, by headers and by query.

Three in four are of S3, with keys whose bytes try every rule of encoding; the others are of a service
whose paths are normalised and encoded twice.
"""

import collections
import datetime
import hashlib
import json
import random
import subprocess
import sys
import types
import urllib.parse

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

COUNT = 200
SEED = 20260301
# What names are made of: reserved, unreserved, two to four bytes of UTF-8, dots and slashes.
PIECES = ["a", "Z", "0", "-", "_", ".", "~", "/", "//", "..", "/./", " ", "  ", "+", "%", "%20", "&", "=",
          "?", "#", ":", ";", "@", "$", ",", "!", "*", "'", "(", ")", "[", "]", "{", "}", "|", "\\", "^",
          "`", '"', "<", ">", "\t", "ü", "ß", "€", "é", "日本", "😀", "key"]
PAYLOADS = ["UNSIGNED-PAYLOAD", hashlib.sha256(b"").hexdigest(), hashlib.sha256(b"some bytes").hexdigest()]
QUERY_NAMES = ["list-type", "prefix", "continuation-token", "uploads", "partNumber", "uploadId", "a", "a-b",
               "A", "versionId", "x y", "ü"]
HEADER_NAMES = ["content-type", "x-amz-meta-Name", "If-None-Match", "Range", "x-amz-copy-source"]


def text(dice, most):
    return "".join(dice.choice(PIECES) for _ in range(dice.randrange(most)))


def quoted(words):
    return urllib.parse.quote(words, safe="-_.~")


def random_case(dice):
    s3 = dice.random() < 0.75
    hosts = ["s3.eu-west-1.amazonaws.com", "bucket.s3.localhost:7481", "127.0.0.1:9000", "[::1]:9000"]
    headers = [["host", dice.choice(hosts)]]
    for name in dice.sample(HEADER_NAMES, dice.randrange(4)):
        headers.append([name, dice.choice(["*", "a  b", " spaced out  ", "bytes=0-9", "image/png", "", "x"])])
    query = [[name, text(dice, 5)] for name in dice.sample(QUERY_NAMES, dice.randrange(5))]
    form = dice.choice(["header", "query"])
    if query and form == "header" and dice.random() < 0.4:  # botocore's links have each name once
        query.append([query[0][0], text(dice, 5)])
    return {"form": form, "path_rule": "as_sent" if s3 else "normalized",
            "method": dice.choice(["GET", "PUT", "HEAD", "POST", "DELETE"]),
            "path": "/" + urllib.parse.quote(text(dice, 12), safe="-_.~/"),
            "query": query, "headers": headers,
            "payload": dice.choice(PAYLOADS) if s3 else PAYLOADS[1],
            "keys": ["AKID" + str(dice.randrange(10**9)), f"{dice.getrandbits(120):x}/+=",
                     dice.choice(["", f"token/{dice.getrandbits(300):x}+=="])],
            "region": dice.choice(["us-east-1", "eu-central-1", "garage"]),
            "service": "s3" if s3 else "service",
            "time": dice.randrange(1_000_000_000, 4_000_000_000), "life": dice.randrange(1, 604800)}


def oracle(case):
    """(signature, Authorization or query) as botocore gives them."""
    moment = datetime.datetime.fromtimestamp(case["time"], datetime.timezone.utc).replace(tzinfo=None)

    class Then(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return moment

    module = botocore.auth.datetime
    botocore.auth.datetime = type("module", (), {"datetime": Then, "timedelta": datetime.timedelta})
    try:
        return _sign(case)
    finally:
        botocore.auth.datetime = module


def _sign(case):
    host = dict(map(tuple, case["headers"]))["host"]
    url = f"https://{host}{case['path']}"
    if case["query"]:
        url += "?" + "&".join(f"{quoted(n)}={quoted(v)}" for n, v in case["query"])
    request = AWSRequest(method=case["method"], url=url)
    for name, value in case["headers"]:
        request.headers[name] = value
    key, secret, token = case["keys"]
    keys = Credentials(key, secret, token or None)
    of_s3 = case["service"] == "s3"
    if case["form"] == "header":
        auth = (botocore.auth.S3SigV4Auth if of_s3 else botocore.auth.SigV4Auth)
        if of_s3:  # botocore hashes the body itself; one that hashes as the case says stands for it
            request.data = b"some bytes" if case["payload"] == PAYLOADS[2] else b""
            signs = case["payload"] != "UNSIGNED-PAYLOAD"
            request.context["client_config"] = types.SimpleNamespace(s3={"payload_signing_enabled": signs})
        auth(keys, case["service"], case["region"]).add_auth(request)
        value = request.headers["Authorization"]
        return value.rsplit("=", 1)[1], value
    auth = botocore.auth.S3SigV4QueryAuth if of_s3 else botocore.auth.SigV4QueryAuth
    auth(keys, case["service"], case["region"], expires=case["life"]).add_auth(request)
    query = request.url.split("?", 1)[1]
    return query.rsplit("=", 1)[1], query


def main():
    dice = random.Random(SEED)
    cases = [random_case(dice) for _ in range(COUNT)]
    for case in cases:  # a link of S3 never signs its payload
        if case["form"] == "query" and case["service"] == "s3":
            case["payload"] = "UNSIGNED-PAYLOAD"
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run(sys.argv[1:], input=lines, capture_output=True, text=True, check=True)
    ours = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = 0
    seen = collections.Counter()
    for case, mine in zip(cases, ours, strict=True):
        signature, whole = oracle(case)
        seen[case["service"], case["form"]] += 1
        same = mine["signature"] == signature
        if case["form"] == "header":
            same = same and mine["authorization"] == whole
        else:
            same = same and sorted(mine["query"].split("&")) == sorted(whole.split("&"))
        if not same:
            wrong += 1
            print(f"{json.dumps(case)}\n  ours     {mine}\n  botocore {whole}")
    print(", ".join(f"{service} by {form}: {n}" for (service, form), n in sorted(seen.items())))
    print(f"{COUNT - wrong} of {COUNT} signatures are botocore's")
    sys.exit(1 if wrong else 0)


main()
