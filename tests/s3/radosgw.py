"""A Ceph object gateway on loopback: one monitor, one store in memory, one gateway.

    with radosgw.Gateway(folder) as gateway: gateway.plain, gateway.tls, gateway.certificate

Debian's packages ceph-mon, ceph-osd and radosgw. The gateway answers to 127.0.0.1 and
s3.localhost by path, and to BUCKET.s3.localhost, each with and without TLS; users are KEY and
nobody else. It also runs by hand:

    radosgw.py FOLDER        prints where it is, and ends with its standard input
"""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

KEY = "TESTACCESS"
SECRET = "TESTSECRET0123456789"
TRIES = 10  # a store refuses its first start now and then ("wrong fsid")

CONFIG = """[global]
fsid={fsid}
mon_initial_members=a
mon_host=v1:127.0.0.1:{mon_port}
public_addr=127.0.0.1
cluster_addr=127.0.0.1
ms_bind_ipv6=false
auth_cluster_required=none
auth_service_required=none
auth_client_required=none
osd_pool_default_size=1
osd_pool_default_min_size=1
osd_pool_default_pg_num=1
osd_pool_default_pgp_num=1
osd_pool_default_pg_autoscale_mode=off
mon_max_pg_per_osd=4000
mon_allow_pool_size_one=true
osd_crush_chooseleaf_type=0
osd_objectstore=memstore
memstore_device_bytes=2147483648
mon_data_avail_crit=1
mon_data_avail_warn=2
run_dir={folder}/run
admin_socket={folder}/run/$cluster-$name.asok
pid_file={folder}/run/$name.pid
log_file={folder}/log/$name.log
debug_ms=0
rgw_frontends=beast endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={folder}/tls.pem
rgw_dns_name=s3.localhost
rgw_run_sync_thread=false
rgw_enable_usage_log=false
rgw_enable_gc_threads=false
rgw_dynamic_resharding=false
rgw_override_bucket_index_max_shards=1
"""


_kept_ports = []


def free_ports(count):
    """Ours until this process ends: bound without listening, so that the system gives them to nobody
    else. A server that sets SO_REUSEADDR, as all of these do, can listen on them."""
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        _kept_ports.append(one)
    return [one.getsockname()[1] for one in _kept_ports[-count:]]


class Gateway:
    key, secret = KEY, SECRET
    conditions = "kept"  # knows PUT If-None-Match

    def __init__(self, folder):
        self.folder = Path(folder)
        self.certificate = self.folder / "certificate.pem"
        mon_port, port, tls_port = free_ports(3)
        self.ports = {"mon_port": mon_port, "port": port, "tls_port": tls_port}
        self.plain = f"http://127.0.0.1:{port}"
        self.tls = f"https://s3.localhost:{tls_port}"
        self.by_path = f"https://127.0.0.1:{tls_port}"
        self.environment = dict(os.environ, CEPH_CONF=str(self.folder / "ceph.conf"))

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for name in ("mon", "osd", "rgw", "run", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        fsid = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(CONFIG.format(fsid=fsid, folder=self.folder, **self.ports))
        self._make_certificate()
        self._start_monitor(fsid)
        self._start_store()
        self._run("radosgw-admin", "user", "create", "--uid=t", "--display-name=t",
                  f"--access-key={KEY}", f"--secret-key={SECRET}")
        self._run("radosgw", "-n", "client.rgw.a", "--rgw-data", self.folder / "rgw")
        self._wait(self._answers, "the gateway does not answer")

    def stop(self):
        """Ends what this object started, by the ids that the daemons wrote."""
        ids = [int(file.read_text()) for file in (self.folder / "run").glob("*.pid")]
        for one in ids:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass

    @contextmanager
    def frozen(self):
        """A store that answers nothing and lets nobody go."""
        [file] = (self.folder / "run").glob("*rgw*.pid")
        process = int(file.read_text())
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def _run(self, *command, check=True):
        done = subprocess.run([str(word) for word in command], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise RuntimeError(f"{command[0]}: status {done.returncode}: {done.stderr[-2000:]}")
        return done

    def _repeat(self, *command, before=lambda: None):
        for _ in range(TRIES):
            before()
            done = self._run(*command, check=False)
            if done.returncode == 0:
                return
            time.sleep(0.3)
        raise RuntimeError(f"{command[0]} does not start: {done.stderr[-2000:]}")

    @staticmethod
    def _wait(state, what, patience=120):
        end = time.monotonic() + patience
        while not state():
            if time.monotonic() > end:
                raise RuntimeError(what)
            time.sleep(0.1)

    def _answers(self):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.ports["port"])) == 0

    def _make_certificate(self):
        key = self.folder / "key.pem"
        self._run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                  self.certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                  "subjectAltName=DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost,IP:127.0.0.1")
        (self.folder / "tls.pem").write_text(key.read_text() + self.certificate.read_text())

    def _start_monitor(self, fsid):
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a",
                  f"[v1:127.0.0.1:{self.ports['mon_port']}]", self.folder / "monmap")
        data = self.folder / "mon"
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", self.folder / "monmap", "--mon-data", data)
        self._repeat("ceph-mon", "-i", "a", "--mon-data", data)

    def _start_store(self):
        data, store = self.folder / "osd", str(uuid.uuid4())
        self._repeat("ceph", "osd", "new", store)

        def emptied():
            for file in data.iterdir():
                file.unlink()

        self._repeat("ceph-osd", "-i", "0", "--mkfs", "--osd-data", data, "--osd-uuid", store, before=emptied)
        self._repeat("ceph-osd", "-i", "0", "--osd-data", data, "--crush-location", "root=default host=h")
        self._wait(lambda: "1 up" in self._run("ceph", "osd", "stat", check=False).stdout, "the store is not up")


def main():
    with Gateway(sys.argv[1]) as gateway:
        print(gateway.plain, gateway.tls, gateway.certificate, KEY, SECRET, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
