"""client_contract_test.py CONTRACT: the client's promises against Ceph's gateway, by path and by host,
with and without TLS."""

import os
import subprocess
import sys
import tempfile

import radosgw


def main():
    failed = []
    with tempfile.TemporaryDirectory(prefix="rgw") as folder, radosgw.Gateway(folder) as gateway:
        host = gateway.tls.rsplit(":", 1)[1]
        ways = [("path", gateway.plain), ("path", f"https://127.0.0.1:{host}"), ("host", gateway.tls)]
        for number, (style, endpoint) in enumerate(ways):
            environment = dict(os.environ, S3_ENDPOINT=endpoint, S3_STYLE=style, S3_KEY=radosgw.KEY,
                               S3_SECRET=radosgw.SECRET, S3_CA_FILE=str(gateway.certificate),
                               S3_PREFIX=f"contract-{number}-")
            print(f"{endpoint} by {style}", flush=True)
            if subprocess.run([sys.argv[1]], env=environment).returncode != 0:
                failed.append(f"{endpoint} by {style}")
    print(f"failed: {', '.join(failed)}" if failed else "all ways are good")
    sys.exit(1 if failed else 0)


main()
