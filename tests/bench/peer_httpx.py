"""The peer: a batch of the kind that people write with asyncio and httpx.

    python3 peer_httpx.py URL INBOX OUTBOX WORKERS [COUNT]

One client, a semaphore, an idempotency key of path and mtime, the result written in place. It does
less than the agent: no ledger, no hash of the bytes, no sync, no atomic publishing.
"""

import asyncio
import hashlib
import sys
from pathlib import Path

import httpx


def idempotency_key(path, target):
    payload = f"{path.resolve()}|{target}|{path.stat().st_mtime_ns}"
    return hashlib.sha256(payload.encode()).hexdigest()[:32]


async def convert(client, url, path, outbox, gate):
    async with gate:
        answer = await client.post(
            url, content=path.read_bytes(), params={"target": "webp"}, timeout=120,
            headers={"Idempotency-Key": idempotency_key(path, "webp")})
        answer.raise_for_status()
        (outbox / f"{path.stem}.webp").write_bytes(answer.content)


async def batch(url, inbox, outbox, workers, count):
    paths = sorted(inbox.iterdir())[:count]
    gate = asyncio.Semaphore(workers)
    limits = httpx.Limits(max_connections=workers + 2)
    async with httpx.AsyncClient(limits=limits) as client:
        await asyncio.gather(*(convert(client, url, path, outbox, gate) for path in paths))


if __name__ == "__main__":
    most = int(sys.argv[5]) if len(sys.argv) > 5 else None
    asyncio.run(batch(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), most))
