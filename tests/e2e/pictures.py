"""Pictures of many formats, made by Pillow and vips and read again by Pillow, poppler and vips."""

import io
import subprocess

from PIL import Image

# What Pillow 9.4 writes; the rest is made by `vips`.
_PILLOW = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "tiff": "TIFF", "ppm": "PPM",
           "jp2": "JPEG2000", "pdf": "PDF", "bmp": "BMP", "ico": "ICO"}
_VIPS = ("avif", "heic", "jxl")
KINDS = (*_PILLOW, "svg", *_VIPS)

_MARKS = {"png": b"\x89PNG", "jpg": b"\xff\xd8\xff", "gif": b"GIF8", "pdf": b"%PDF-",
          "jxl": (b"\xff\x0a", b"\0\0\0\x0cJXL "), "jp2": b"\0\0\0\x0cjP  ",
          "tiff": (b"II*\0", b"MM\0*")}
_MARKS_AT = {"webp": (8, b"WEBP"), "avif": (4, b"ftypavif"), "heic": (4, b"ftyphei")}


def draw(width, height, seed):
    """Smooth, and different for each seed."""
    image = Image.linear_gradient("L").resize((width, height))
    other = image.rotate(90 * (seed % 4)).resize((width, height))
    flat = Image.new("L", (width, height), seed * 37 % 256)
    image = Image.merge("RGB", (image, other, flat))
    image.putpixel((seed % width, seed // width % height), (255, seed % 256, seed // 256 % 256))
    return image


def picture(kind, width, height, seed, folder):
    """Writes one into `folder` and returns its path."""
    path = folder / f"{seed:05}.{kind}"
    if kind == "svg":
        path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
                        f'height="{height}"><rect width="{seed % width + 1}" height="9" '
                        f'fill="#{seed % 4096:03x}"/></svg>')
    elif kind in _PILLOW:
        # Every second icon holds a bitmap and not a PNG.
        how = {"pdf": {"resolution": 72},
               "ico": {"sizes": [(16, 12), (width, height)],
                       "bitmap_format": ("png", "bmp")[seed // 12 % 2]}}.get(kind, {})
        draw(width, height, seed).save(path, _PILLOW[kind], **how)
    else:
        source = path.with_suffix(".src.ppm")
        draw(width, height, seed).save(source, "PPM")
        saver = "jxlsave" if kind == "jxl" else "heifsave"
        more = ["--compression", "av1"] if kind == "avif" else []
        subprocess.run(["vips", saver, str(source), str(path), *more], check=True,
                       capture_output=True)
        source.unlink()
    return path


def kind_of(data):
    for kind, mark in _MARKS.items():
        if data.startswith(mark):
            return kind
    for kind, (at, mark) in _MARKS_AT.items():
        if data[at:].startswith(mark):
            return kind
    return None


def size_of(path):
    """(width, height) as a decoder that is not ours sees it, every pixel decoded."""
    kind = kind_of(path.read_bytes()[:32])
    if kind == "pdf":
        info = subprocess.run(["pdfinfo", str(path)], check=True, capture_output=True, text=True)
        size = next(line for line in info.stdout.splitlines() if line.startswith("Page size"))
        return tuple(round(float(word)) for word in size.split()[2:5:2])
    if kind in _VIPS:
        subprocess.run(["vips", "avg", str(path)], check=True, capture_output=True)
        asked = [subprocess.run(["vipsheader", "-f", field, str(path)], check=True,
                                capture_output=True, text=True).stdout for field in
                 ("width", "height")]
        return tuple(int(text) for text in asked)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        image.load()
        return image.size
