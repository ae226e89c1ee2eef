"""client_contract_test.py CONTRACT: the client's promises against Ceph's gateway, by path and by host,
with and without TLS, and against OpenStack Swift."""

import os
import subprocess
import sys
import tempfile

import radosgw
import swift_store


def is_kept(contract, store, style, endpoint, prefix):
    environment = dict(os.environ, S3_ENDPOINT=endpoint, S3_STYLE=style, S3_KEY=store.key, S3_SECRET=store.secret,
                       S3_CA_FILE=str(store.certificate), S3_PREFIX=prefix, S3_CONDITIONS=store.conditions)
    print(f"{endpoint} by {style}", flush=True)
    return subprocess.run([contract], env=environment).returncode == 0


def main():
    contract, failed = sys.argv[1], []
    with tempfile.TemporaryDirectory(prefix="rgw") as folder, radosgw.Gateway(folder) as gateway:
        ways = [("path", gateway.plain), ("path", gateway.by_path), ("host", gateway.tls)]
        failed += [endpoint for number, (style, endpoint) in enumerate(ways)
                   if not is_kept(contract, gateway, style, endpoint, f"contract-{number}-")]
    with tempfile.TemporaryDirectory(prefix="swift") as folder, swift_store.Store(folder) as store:
        if not is_kept(contract, store, "path", store.plain, "contract-"):
            failed.append("Swift")
    print(f"failed: {', '.join(failed)}" if failed else "all ways are good")
    sys.exit(1 if failed else 0)


main()
