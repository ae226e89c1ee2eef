"""Valid files of any size, each with its own bytes: the truth that uploads are compared with."""

import random
import struct
import zlib


def _noise(seed, size):
    return random.Random(seed).randbytes(size)


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(size, seed):
    """One pixel, and a private chunk that fills it up; ends with IEND."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) +
            _chunk(b"IDAT", zlib.compress(b"\0\1\2\3")) + _chunk(b"miLl", _noise(seed, size)) +
            _chunk(b"IEND", b""))


def jpeg(size, seed):
    """Comment segments and an end of image."""
    noise = _noise(seed, size)
    text = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    for at in range(0, len(noise), 60000):
        part = noise[at:at + 60000]
        text += b"\xff\xfe" + struct.pack(">H", len(part) + 2) + part
    return text + b"\xff\xd9"


def pdf(size, seed):
    """A catalogue, one stream of noise, a cross-reference and %%EOF."""
    noise = _noise(seed, size)
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>",
             b"<< /Length %d >>\nstream\n" % len(noise) + noise + b"\nendstream"]
    text, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(text))
        text += b"%d 0 obj\n" % number + part + b"\nendobj\n"
    table = len(text)
    text += b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % p for p in places)
    return text + b"trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table


def tiff(size, seed):
    """One strip, its directory at the end, as scanners write it."""
    noise = _noise(seed, size)
    noise += b"\0" * (len(noise) % 2)
    at = 8 + len(noise)
    rows = [(256, 4, 1, len(noise)), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1),
            (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 1),
            (279, 4, 1, len(noise))]
    entries = b"".join(struct.pack("<HHII", *row) for row in rows)
    return (struct.pack("<2sHI", b"II", 42, at) + noise + struct.pack("<H", len(rows)) + entries +
            b"\0\0\0\0")


def plain(size, seed):
    """No format that has an end mark."""
    return _noise(seed, size)


MAKERS = {"png": png, "jpg": jpeg, "pdf": pdf, "tif": tiff, "dat": plain}
