"""Drives the real millrace-render over its protocol. Pillow and poppler are the second opinion."""
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from PIL import Image

WORKER = os.path.abspath(sys.argv.pop(1))
LOSSY = {"jpg", "webp", "avif", "heic", "jp2", "gif", "jxl"}


class Worker:
    def __init__(self, *more):
        self.scratch = tempfile.mkdtemp(prefix="millrace-render-")
        self.more = more
        self.count = 0
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [WORKER, "--scratch", self.scratch, *self.more], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(self, request):
        if self.process is not None and self.process.poll() is not None:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None
        if self.process is None:
            self.start()
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        taken_up = self.process.stdout.readline() == b"\n"
        line = self.process.stdout.readline() if taken_up else b""
        if line:
            return json.loads(line)
        self.process.wait(20)  # its output ends before it does
        return None

    def paths(self):
        self.count += 1
        return (os.path.join(self.scratch, f"in-{self.count}"),
                os.path.join(self.scratch, f"out-{self.count}"))

    def convert(self, data, target, options=None, **limits):
        source, output = self.paths()
        with open(source, "wb") as file:
            file.write(data)
        reply = self.ask({"input": source, "output": output, "from": "", "target": target,
                          "options": options or {}, "limits": limits})
        done = None
        if os.path.exists(output):
            with open(output, "rb") as file:
                done = file.read()
        return reply, done

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(20)
            self.process.stdout.close()
        shutil.rmtree(self.scratch)


def picture(mode="RGB", size=(64, 40)):
    image = Image.new(mode, size)
    width, height = size
    bands = len(image.getbands())
    pixels = [tuple((x * 255 // width, y * 255 // height, 128, 255 if x > 20 else 60)[:bands])
              for y in range(height) for x in range(width)]
    image.putdata(pixels if bands > 1 else [p[0] for p in pixels])
    return image


def encoded(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def difference(one, other):
    one, other = one.convert("RGB"), other.convert("RGB")
    return sum(abs(a - b) for p, q in zip(one.getdata(), other.getdata()) for a, b in zip(p, q)) \
        / (3 * one.width * one.height)


def icon(image, held, *smaller):
    """Holds bitmaps ("bmp") or PNGs ("png")."""
    return encoded(image, "ICO", sizes=[*smaller, image.size], bitmap_format=held)


SVG = (b"<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
       b"width='64' height='40'><rect width='64' height='40' fill='#0000ff'/>%s</svg>")


class WorkerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = Worker()
        cls.plain = picture()
        png = encoded(cls.plain, "PNG")
        cls.samples = {"png": png, "svg": SVG % b"", "ppm": encoded(cls.plain, "PPM")}
        for kind, name in (("JPEG", "jpg"), ("WEBP", "webp"), ("TIFF", "tiff"), ("GIF", "gif"),
                           ("JPEG2000", "jp2"), ("PDF", "pdf"), ("BMP", "bmp")):
            cls.samples[name] = encoded(cls.plain, kind)
        cls.samples["ico"] = icon(cls.plain, "bmp")
        for name in ("avif", "heic", "jxl"):
            cls.samples[name] = cls.worker.convert(png, name, {"quality": "90"})[1]
        cls.listed = cls.worker.ask({"list_formats": True})

    @classmethod
    def tearDownClass(cls):
        cls.worker.close()

    def good(self, data, target, options=None, **limits):
        reply, done = self.worker.convert(data, target, options, **limits)
        self.assertTrue(reply and reply["ok"], reply)
        return reply, done

    def refused(self, code, data, target, options=None, **limits):
        reply, done = self.worker.convert(data, target, options, **limits)
        self.assertFalse(reply["ok"], reply)
        self.assertEqual(reply["code"], code, reply)
        self.assertIsNone(done)
        return reply["message"]

    def shown(self, data, kind):
        """The picture as Pillow sees it; what Pillow cannot read comes as PNG from the worker."""
        if kind in ("avif", "heic", "jxl", "pdf"):
            data = self.good(data, "png", {"dpi": "72"})[1]
        return Image.open(io.BytesIO(data))

    def test_every_route_gives_the_same_picture(self):
        routes = {row["from"]: row["to"] for row in self.listed["formats"]}
        self.assertEqual(set(routes), set(self.samples))
        for source, targets in routes.items():
            for target in targets:
                with self.subTest(source=source, target=target):
                    reply, done = self.good(self.samples[source], target, {"dpi": "72"})
                    shown = self.shown(done, target)
                    self.assertEqual(shown.size, (64, 40))
                    self.assertEqual((reply["width"], reply["height"], reply["pages"]),
                                     (64, 40, 1))
                    before = self.shown(self.samples[source], source if source != "svg" else "pdf")
                    exact = target not in LOSSY
                    self.assertLessEqual(difference(shown, before), 0.05 if exact else 6)  # a profile may round

    def test_of_an_icon_the_largest_picture_is_taken_with_its_transparency(self):
        image = picture("RGBA")
        for held in ("bmp", "png"):
            with self.subTest(held=held):
                shown = self.shown(self.good(icon(image, held, (16, 10)), "png")[1], "png")
                self.assertEqual((shown.mode, shown.size), ("RGBA", (64, 40)))
                self.assertEqual(list(shown.getdata()), list(image.getdata()))
                self.refused("too_large", icon(image, held), "png", pixels=2559)
                self.good(icon(image, held), "png", pixels=2560)
        png = encoded(image, "PNG")
        for damaged in (png[:-30], png[:60] + b"?" + png[61:]):
            self.refused("broken_input", icon(image, "png").replace(png, damaged.ljust(len(png))),
                         "webp")
        cursor = b"\0\0\2\0" + icon(image, "bmp")[4:]
        self.refused("unsupported_route", cursor, "png")

    def test_bitmaps_of_every_mode_keep_pixels_and_resolution(self):
        for mode in ("1", "L", "P", "RGB", "RGBA"):
            with self.subTest(mode=mode):
                bmp = encoded(self.plain.convert(mode), "BMP", dpi=(300, 300))
                shown = self.shown(self.good(bmp, "png")[1], "png")
                before = Image.open(io.BytesIO(bmp)).convert("RGB")
                self.assertEqual(list(shown.convert("RGB").getdata()), list(before.getdata()))
                self.assertAlmostEqual(shown.info["dpi"][0], 300, delta=0.5)
                self.refused("too_large", bmp, "png", pixels=2559)

    def test_lossless_keeps_every_pixel(self):
        for target in ("webp", "jxl", "jp2"):
            with self.subTest(target=target):
                done = self.good(self.samples["png"], target, {"lossless": "true"})[1]
                self.assertEqual(difference(self.shown(done, target), self.plain), 0)

    def test_it_is_confined(self):
        self.assertIn("seccomp", self.listed["confinement"])

    def test_orientation_is_applied_also_in_pdf(self):
        exif = Image.Exif()
        for orientation in range(1, 9):
            exif[0x0112] = orientation
            jpeg = encoded(self.plain, "JPEG", exif=exif, quality=95)
            size = (64, 40) if orientation < 5 else (40, 64)
            upright = self.shown(self.good(jpeg, "png")[1], "png")
            self.assertEqual(upright.size, size)
            self.assertNotIn(0x0112, {k for k, v in upright.getexif().items() if v != 1})
            with self.subTest(orientation=orientation):
                reply, pdf = self.good(jpeg, "pdf", {"dpi": "72"})
                drawn = self.shown(pdf, "pdf")
                self.assertEqual(drawn.size, size)
                self.assertEqual((reply["width"], reply["height"]), size)
                self.assertLess(difference(drawn, upright), 6)

    def test_transparency_gets_the_background(self):
        png = encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG")
        for target in ("jpg", "pdf"):
            for options, colour in (({}, (255, 255, 255)), ({"background": "#ff0000"}, (254, 0, 0))):
                shown = self.shown(self.good(png, target, options)[1], target).convert("RGB")
                for a, b in zip(shown.getpixel((4, 4)), colour):
                    self.assertLessEqual(abs(a - b), 2)
        kept = self.shown(self.good(png, "webp")[1], "webp")
        self.assertEqual(kept.convert("RGBA").getpixel((4, 4))[3], 0)

    def test_sizes_and_fits(self):
        for options, size in (({"width": "32"}, (32, 20)), ({"height": "10"}, (16, 10)),
                              ({"width": "640"}, (64, 40)),
                              ({"width": "128", "fit": "contain"}, (128, 80)),
                              ({"width": "20", "height": "20", "fit": "cover"}, (20, 20)),
                              ({"width": "30", "height": "30", "fit": "fill"}, (30, 30)),
                              ({"width": "30", "height": "30"}, (30, 19)),
                              ({"width": "1", "height": "1"}, (1, 1))):
            for source in ("png", "svg", "gif"):
                with self.subTest(options=options, source=source):
                    done = self.good(self.samples[source], "png", options)[1]
                    self.assertEqual(self.shown(done, "png").size, size)

    def test_strip_takes_metadata_away_and_keeps_it_otherwise(self):
        exif = Image.Exif()
        exif[0x010e] = "a secret place"
        jpeg = encoded(self.plain, "JPEG", exif=exif)
        for target in ("webp", "png", "jpg", "pdf"):
            with self.subTest(target=target):
                self.assertNotIn(b"secret", self.good(jpeg, target, {"strip": "true"})[1])
        self.assertIn(b"secret", self.good(jpeg, "webp")[1])

    def test_animation_is_kept_between_gif_and_webp(self):
        frames = [Image.new("RGB", (20, 10), c) for c in ("red", "lime", "blue")]
        gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
        reply, webp = self.good(gif, "webp", {"width": "10"})
        self.assertEqual((reply["pages"], reply["width"], reply["height"]), (3, 10, 5))
        self.assertEqual(Image.open(io.BytesIO(webp)).n_frames, 3)
        self.assertEqual(self.good(webp, "gif")[0]["pages"], 3)
        reply, png = self.good(gif, "png")
        self.assertEqual((reply["pages"], reply["height"]), (1, 10))
        self.assertEqual(Image.open(io.BytesIO(png)).convert("RGB").getpixel((5, 5)), (255, 0, 0))
        second = self.shown(self.good(gif, "png", {"pages": "2"})[1], "png")
        self.assertEqual(second.convert("RGB").getpixel((5, 5)), (0, 255, 0))
        self.refused("broken_input", gif, "png", {"pages": "9"})

    def test_a_document_keeps_its_pages(self):
        pages = [Image.new("RGB", (30, 20), c) for c in ("red", "blue")]
        tiff = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
        reply, pdf = self.good(tiff, "pdf", {"dpi": "72"})
        self.assertEqual(reply["pages"], 2)
        reply, back = self.good(pdf, "tiff", {"dpi": "72"})
        self.assertEqual(reply["pages"], 2)
        last = Image.open(io.BytesIO(back))
        last.seek(1)
        self.assertEqual(last.convert("RGB").getpixel((5, 5)), (0, 0, 255))
        second = self.shown(self.good(pdf, "png", {"pages": "2"})[1], "png")
        self.assertEqual(second.convert("RGB").getpixel((5, 5)), (0, 0, 255))

    def test_a_jpeg_lies_in_a_pdf_byte_by_byte(self):
        for mode, inks in (("L", 1), ("RGB", 3), ("CMYK", 4)):
            with self.subTest(mode=mode):
                jpeg = encoded(picture(mode), "JPEG", quality=90, dpi=(144, 144))
                pdf = self.good(jpeg, "pdf")[1]
                self.assertIn(jpeg, pdf)
                path = os.path.join(self.worker.scratch, "check.pdf")
                with open(path, "wb") as file:
                    file.write(pdf)
                info = subprocess.run(["pdfinfo", path], capture_output=True, text=True)
                self.assertEqual((info.returncode, info.stderr), (0, ""))
                self.assertIn("32 x 20 pts", info.stdout)
                listed = subprocess.run(["pdfimages", "-list", path], capture_output=True,
                                        text=True).stdout.splitlines()[2].split()
                self.assertEqual((listed[3:5], listed[6], listed[8]),
                                 (["64", "40"], str(inks), "jpeg"))
                drawn = subprocess.run(["pdftoppm", "-r", "144", path], capture_output=True).stdout
                seen = Image.open(io.BytesIO(drawn))
                truth = Image.open(io.BytesIO(jpeg)).convert("RGB")
                self.assertLess(difference(seen, truth), 40 if mode == "CMYK" else 3)

    def test_truncated_input_is_refused(self):
        for source, data in self.samples.items():
            for part in (0.5, 0.9):
                for target in ("png", "pdf"):
                    if target == source:
                        continue
                    with self.subTest(source=source, part=part, target=target):
                        reply, done = self.worker.convert(data[:int(len(data) * part)], target)
                        if source == "pdf":  # a reader of PDF repairs what it can
                            continue
                        self.assertFalse(reply["ok"], reply)
                        self.assertEqual(reply["code"], "broken_input", reply)
                        self.assertIsNone(done)

    def test_damaged_bytes_never_hang_nor_leave_anything(self):
        chance = random.Random(7)
        died = 0
        for source, data in self.samples.items():
            for _ in range(12):
                bad = bytearray(data)
                for _ in range(chance.choice((1, 3, 20))):
                    bad[chance.randrange(len(bad))] = chance.randrange(256)
                reply, done = self.worker.convert(bytes(bad), "png" if source != "png" else "jpg",
                                                  seconds=20)
                died += reply is None
                if reply is not None:
                    self.assertEqual(reply["ok"], done is not None, reply)
        self.assertLessEqual(died, 3)

    def test_foreign_bytes_are_refused(self):
        self.refused("unsupported_route", b"just text", "png")
        self.refused("broken_input", b"", "png")
        self.refused("unsupported_route", self.samples["png"], "docx")
        self.refused("unsupported_route", b"BM" + bytes(100), "png")
        reply, _ = self.worker.convert(b"\x89PNG\r\n\x1a\n" + b"x" * 90, "jpg")
        self.assertEqual(reply["code"], "broken_input")

    def test_a_pixel_bomb_is_refused_before_it_is_decoded(self):
        bomb = encoded(Image.new("1", (30000, 30000)), "PNG")
        self.assertIn("limit", self.refused("too_large", bomb, "jpg"))
        self.refused("too_large", self.samples["png"], "jpg", pixels=100)
        self.refused("too_large", SVG.replace(b"'64'", b"'30000'").replace(b"'40'", b"'30000'") % b"",
                     "png")
        self.refused("too_large", SVG.replace(b"width='64'", b"width='64000000'") % b"", "png")
        self.refused("too_large", self.samples["svg"], "png",
                     {"width": "60000", "fit": "contain"})
        wide = encoded(Image.new("1", (20000, 10)), "PNG")
        self.assertIn("16383", self.refused("too_large", wide, "webp"))

    def test_a_result_of_too_many_pixels_is_refused_for_every_target(self):
        for target in ("pdf", "tiff"):
            said = self.refused("too_large", self.samples["png"], target,
                                {"width": "36000", "height": "36000", "fit": "fill"})
            self.assertIn("limit", said)

    def test_an_unknown_option_is_named(self):
        self.assertIn("quality", self.refused("bad_option", self.samples["png"], "webp",
                                              {"qualty": "80"}))
        self.refused("bad_option", self.samples["png"], "webp", {"quality": "high"})

    def test_too_slow_ends_the_worker_with_an_answer(self):
        noise = encoded(Image.effect_noise((3000, 3000), 80).convert("RGB"), "PNG",
                        compress_level=1)
        self.refused("too_large", noise, "avif", seconds=1)
        self.assertEqual(self.worker.process.wait(20), 3)
        self.good(self.samples["png"], "jpg")

    def test_what_is_no_regular_file_is_refused(self):
        for make in (os.mkfifo, os.mkdir, lambda p: os.symlink("/etc/hostname", p),
                     lambda p: None):
            source, output = self.worker.paths()
            make(source)
            reply = self.worker.ask({"input": source, "output": output, "target": "png"})
            self.assertEqual(reply["code"], "internal")

    def test_paths_outside_the_scratch_folder_are_refused(self):
        source, output = self.worker.paths()
        with open(source, "wb") as file:
            file.write(self.samples["png"])
        outside = self.worker.scratch + "-outside"
        for one, other in ((source, outside), ("/usr/share/x.png", output),
                           (source, self.worker.scratch + "/../x"), ("in-1", output)):
            reply = self.worker.ask({"input": one, "output": other, "target": "jpg"})
            self.assertEqual(reply["code"], "internal")
        self.assertFalse(os.path.exists(outside))

    def test_an_output_that_is_there_stays(self):
        source, output = self.worker.paths()
        for path in (source, output):
            with open(path, "wb") as file:
                file.write(self.samples["png"])
        reply = self.worker.ask({"input": source, "output": output, "target": "jpg"})
        self.assertFalse(reply["ok"])
        with open(output, "rb") as file:
            self.assertEqual(file.read(), self.samples["png"])

    def test_a_drawing_reaches_for_nothing_outside(self):
        with tempfile.NamedTemporaryFile(suffix=".png") as secret:
            secret.write(encoded(Image.new("RGB", (64, 40), "red"), "PNG"))
            secret.flush()
            inside = os.path.join(self.worker.scratch, "beside.png")
            shutil.copy(secret.name, inside)
            for reference in (secret.name, "file://" + secret.name, inside, "beside.png"):
                image = f"<image xlink:href='{reference}' width='64' height='40'/>".encode()
                done = self.good(SVG % image, "png")[1]
                self.assertEqual(self.shown(done, "png").convert("RGB").getpixel((30, 20)),
                                 (0, 0, 255), reference)
        entity = (b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
                  + SVG % b"<text>&x;</text>")
        self.worker.convert(entity, "png")

    def test_nonsense_on_the_line_is_answered(self):
        for line in ({}, [], {"input": 3}, {"input": "a", "output": "b", "target": None}):
            self.assertFalse(self.worker.ask(line)["ok"])

    def test_a_memory_limit_costs_one_job(self):
        small = Worker("--memory", str(700 << 20))
        try:
            big = encoded(Image.new("RGB", (16000, 16000)), "PNG", compress_level=1)
            reply, done = small.convert(big, "avif", seconds=60)
            self.assertTrue(reply is None or not reply["ok"])
            # Little that claims to be much, and much: our own decoders ask before they take.
            bmp = encoded(Image.new("P", (16000, 16000)), "BMP")
            packed = bmp[:30] + b"\1" + bmp[31:1078] + b"\0\1"
            for big, said in ((packed, "picture"), (bytes(bmp) + bytes(600 << 20), "file")):
                reply, done = small.convert(big, "png", seconds=60)
                self.assertEqual((reply["code"], reply["message"]),
                                 ("too_large", f"no memory for the {said}"))
            # A drawing is read whole.
            source, output = small.paths()
            with open(source, "wb") as file:
                file.write(SVG % b"")
                file.truncate(800 << 20)
            reply = small.ask({"input": source, "output": output, "target": "png"})
            self.assertTrue(reply and reply["code"] == "too_large", reply)
            os.remove(source)
            self.assertTrue(small.convert(self.samples["png"], "jpg")[0]["ok"])
        finally:
            small.close()


if __name__ == "__main__":
    unittest.main()
