"""OpenStack Swift with its S3 API on loopback: the second real store.

    with swift_store.Store(folder) as store: store.plain

Debian's package python3-swift. Account, container, object and proxy server run in one process,
which ends with its standard input and touches nothing outside of its folder; that must lie where
extended attributes can be set. Its one user is KEY. It answers by path, without TLS, and knows no
conditional PUT: that is 501, as with many stores that speak some S3.
"""

import os
import subprocess
import sys
from pathlib import Path

from radosgw import free_ports

KEY = "test:tester"
SECRET = "TESTSECRET0123456789"

HASHES = """[swift-hash]
swift_hash_path_prefix=p
swift_hash_path_suffix=s
[storage-policy:0]
name=default
default=yes
"""

SERVER = """[DEFAULT]
swift_dir={folder}
devices={folder}/devices
mount_check=false
bind_ip=127.0.0.1
bind_port={port}
recon_cache_path={folder}
disable_fallocate=true
conn_timeout=60
node_timeout=60
container_update_timeout=60
log_level=ERROR
[pipeline:main]
pipeline={kind}
[app:{kind}]
use=egg:swift#{kind}
"""

PROXY = """[DEFAULT]
swift_dir={folder}
bind_ip=127.0.0.1
bind_port={port}
conn_timeout=60
node_timeout=60
log_level=ERROR
[pipeline:main]
pipeline=catch_errors gatekeeper listing_formats s3api tempauth copy slo dlo symlink versioned_writes proxy-server
[app:proxy-server]
use=egg:swift#proxy
account_autocreate=true
conn_timeout=60
node_timeout=60
error_suppression_limit=1000000
[filter:catch_errors]
use=egg:swift#catch_errors
[filter:gatekeeper]
use=egg:swift#gatekeeper
[filter:listing_formats]
use=egg:swift#listing_formats
[filter:s3api]
use=egg:swift#s3api
location=us-east-1
[filter:tempauth]
use=egg:swift#tempauth
user_test_tester={secret} .admin
[filter:copy]
use=egg:swift#copy
[filter:slo]
use=egg:swift#slo
[filter:dlo]
use=egg:swift#dlo
[filter:symlink]
use=egg:swift#symlink
[filter:versioned_writes]
use=egg:swift#versioned_writes
allow_object_versioning=true
"""

STORES = ("account", "container", "object")


class Store:
    key, secret = KEY, SECRET
    conditions = "refused"  # does not know PUT If-None-Match
    certificate = ""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.process = None
        self.plain = self.by_path = ""

    def __enter__(self):
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([sys.executable, "-B", __file__, str(self.folder)],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.plain = self.by_path = self.process.stdout.readline().strip()
        if not self.plain:
            self.process.wait()
            raise RuntimeError(f"Swift does not start: {(self.folder / 'log').read_text()[-2000:]}")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def write_settings(folder, ports):
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(HASHES)
    for kind in STORES:
        (folder / f"{kind}.conf").write_text(SERVER.format(folder=folder, kind=kind, port=ports[kind]))
    (folder / "proxy.conf").write_text(PROXY.format(folder=folder, port=ports["proxy"], secret=SECRET))


def write_rings(folder, ports):
    """Where each server finds the others: one device, one copy, sixteen partitions."""
    from swift.common.ring import RingBuilder
    for kind in STORES:
        builder = RingBuilder(4, 1, 0)
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": ports[kind],
                         "replication_ip": "127.0.0.1", "replication_port": ports[kind], "device": "d1",
                         "weight": 1.0, "meta": ""})
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


class NoCache:
    """Swift asks for a cache; this one has nothing, and so nothing that is out of date."""

    def __getattr__(self, _):
        return lambda *_, **__: None

    @classmethod
    def before(cls, app):
        return lambda environment, start: app(dict(environment, **{"swift.cache": cls()}), start)


def serve(folder):
    import eventlet
    eventlet.monkey_patch()  # before anything of Swift's is loaded
    from eventlet import wsgi
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.utils import set_swift_dir
    from swift.common.wsgi import loadapp

    kinds = (*STORES, "proxy")
    ports = dict(zip(kinds, free_ports(len(kinds))))
    write_settings(folder, ports)
    set_swift_dir(str(folder))
    write_rings(folder, ports)
    with open(os.devnull, "w") as silence:
        for kind in kinds:
            app = loadapp(str(folder / f"{kind}.conf"), global_conf={"log_name": kind})
            eventlet.spawn(wsgi.server, eventlet.listen(("127.0.0.1", ports[kind])), NoCache.before(app),
                           silence, protocol=SwiftHttpProtocol, capitalize_response_headers=False)
        print(f"http://127.0.0.1:{ports['proxy']}", flush=True)
        eventlet.tpool.execute(os.read, 0, 1)  # until whoever started it is gone


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
