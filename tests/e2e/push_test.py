"""Events that a store pushes: Ceph's gateway tells the agent of an object, and it is converted long
before the next listing."""

import http.client
import json
import ssl
import urllib.parse

from bucket_inbox_test import fill
from buckets import KEYS, Bucket, main_with_gateway, store_toml
from harness import (Agent, ApiServer, Scratch, converter_toml, eventually, folder_toml, free_port)
from tls_server import Authority

SECRET = "push+secret/1"


class Topic:
    """A topic of the gateway, whose events go to an address, and a bucket's notification to it."""

    def __init__(self, gateway, bucket, name, target, **attributes):
        import botocore.session
        import radosgw
        self.client = botocore.session.get_session().create_client(
            "sns", region_name="default", endpoint_url=gateway.by_path,
            verify=str(gateway.certificate), aws_access_key_id=radosgw.KEY,
            aws_secret_access_key=radosgw.SECRET)
        made = self.client.create_topic(Name=name, Attributes={"push-endpoint": target, **attributes})
        bucket.client.put_bucket_notification_configuration(
            Bucket=bucket.name, NotificationConfiguration={"TopicConfigurations": [
                {"Id": name, "TopicArn": made["TopicArn"], "Events": ["s3:ObjectCreated:*"]}]})


def push(port, body, path="/"):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    link.request("POST", path, body)
    status = link.getresponse().status
    link.close()
    return status


def agent_at(home, gateway, api, bucket, port, more=""):
    folder = folder_toml("objects", f"s3://ceph@{bucket.name}/in", f"s3://ceph@{bucket.name}/out",
                         poll="1h")
    events = f'[events]\nlisten = "127.0.0.1:{port}"\nsecret = {{ env = "PUSH" }}\n{more}'
    return Agent(home / "agent", folder, converter_toml(api.url) + store_toml(gateway) + events,
                 environment=KEYS | {"PUSH": SECRET})


def test_an_object_that_the_store_tells_of_is_converted_long_before_the_next_listing(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket, port = Bucket(gateway, "pushed"), free_port()
        Topic(gateway, bucket, "by-query", f"http://127.0.0.1:{port}/events?secret=push%2Bsecret/1")
        fill(bucket, ["first.png"])
        with agent_at(home, gateway, api, bucket, port) as agent:
            agent.start()
            eventually(lambda: agent.all_done("objects", 1), 60, "the first listing")
            fill(bucket, ["late.png", "sp ace+plus%41&.png", "deep/ü.png"], seed=10)
            fill(bucket, ["half.part"], seed=20)
            eventually(lambda: agent.all_done("objects", 4), 60, "what was pushed")
            assert len(bucket.keys("out/")) == 4 and api.bill()["posts"] == 4, bucket.keys()
            assert agent.folder("objects")["health"]["how"] == "listed every 1h"
            events = agent.command("status")["events"]
            # The results fall into the bucket as well; no folder reads them.
            assert events["accepted"] >= 4 and events["refused"] == 0, events
            assert events["looked_at"] >= 3 and events["unreadable"] == 0, events
            # Told again, as stores do now and then, it is not paid for again.
            event = {"Records": [{"s3": {"bucket": {"name": bucket.name},
                                         "object": {"key": "in/late.png"}}}]}
            looked_at = events["looked_at"]
            assert push(port, json.dumps(event), "/?secret=push%2Bsecret/1") == 200
            assert agent.command("status")["events"]["looked_at"] > looked_at
            fill(bucket, ["last.png"], seed=30)
            eventually(lambda: agent.all_done("objects", 5), 60, "the last one")
            assert api.bill()["posts"] == 5, api.bill()
            assert SECRET not in agent.read_log()


def test_events_come_over_tls_and_with_the_secret_as_a_password(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket, port = Bucket(gateway, "encrypted"), free_port()
        authority = Authority(home / "ca")
        certificate, key = authority.issue()
        password = urllib.parse.quote(SECRET, safe="")
        # The gateway does not know the authority; a client of our own below does.
        Topic(gateway, bucket, "by-password", f"https://store:{password}@127.0.0.1:{port}/",
              **{"verify-ssl": "false"})
        fill(bucket, ["first.png"])
        files = f'certificate = "{certificate}"\nprivate_key = "{key}"\n'
        with agent_at(home, gateway, api, bucket, port, files) as agent:
            agent.start()
            eventually(lambda: agent.all_done("objects", 1), 60, "the first listing")
            trust = ssl.create_default_context(cafile=authority.ca)
            link = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trust)
            link.request("POST", "/", json.dumps({"Records": []}),
                         {"Authorization": f"Bearer {SECRET}"})
            assert link.getresponse().status == 200
            link.close()
            fill(bucket, ["late.png"], seed=10)
            eventually(lambda: agent.all_done("objects", 2), 60, "what was pushed")
            events = agent.command("status")["events"]
            assert events["accepted"] >= 2 and events["refused"] == 0, events


def test_a_wrong_secret_is_refused_and_a_reload_moves_the_address(gateway):
    with Scratch() as home, ApiServer() as api:
        bucket, port, other = Bucket(gateway, "guarded"), free_port(), free_port()
        fill(bucket, ["first.png"])
        with agent_at(home, gateway, api, bucket, port) as agent:
            agent.start()
            event = json.dumps({"Records": []})
            assert push(port, event, "/?secret=wrong") == 403
            assert push(port, event) == 403
            assert push(port, "hello", "/?secret=push%2Bsecret/1") == 400
            events = agent.command("status")["events"]
            assert (events["refused"], events["unreadable"], events["accepted"]) == (2, 1, 0), events
            confirm = {"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example/x"}
            assert push(port, json.dumps(confirm), "/?secret=push%2Bsecret/1") == 200
            eventually(lambda: "https://sns.example/x" in agent.read_log(), 30, "the log")
            text = agent.config.read_text().replace(f":{port}", f":{other}")
            agent.config.write_text(text)
            agent.command("reload")
            assert push(other, event, "/?secret=push%2Bsecret/1") == 200
            try:
                push(port, event)
                raise AssertionError("the old address still answers")
            except OSError:
                pass


if __name__ == "__main__":
    main_with_gateway(globals())
