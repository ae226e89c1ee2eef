#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <new>
#include <vips/vips8>

#include "agent/render/bitmap.hpp"
#include "agent/render/bitmap_vips.hpp"
#include "agent/render/engine.hpp"
#include "agent/render/formats.hpp"
#include "agent/render/input.hpp"
#include "agent/render/pdf_writer.hpp"

namespace millrace::render {
namespace {

using vips::VError;
using vips::VImage;

constexpr int kMostPages = 10'000;
constexpr int kDrawnDpi = 150;  // of a PDF page that is drawn, where nobody says
constexpr int kPlainDpi = 72;   // of a picture that does not say

// Classes that libvips marks as untrusted and that our table needs all the same: they run in this
// confined process.
constexpr std::array kTrustedHere{"VipsForeignLoadSvg", "VipsForeignLoadPdf", "VipsForeignLoadJp2k",
                                  "VipsForeignLoadJxl", "VipsForeignSaveJxl", "VipsForeignLoadPpm"};

std::unexpected<Refused> refuse(Code code, std::string message) {
  return std::unexpected(Refused{code, std::move(message)});
}

// The first line of what libvips collected; the rest repeats it for every layer. Some decoders say
// nothing at all.
std::string first_line(const char* text) {
  const std::string_view all = text;
  const std::string_view line = all.substr(0, all.find('\n'));
  return line.empty() ? "the file is damaged or incomplete" : std::string(line);
}

// Everything about one job that its steps share.
struct Job {
  const ConvertRequest& request;
  const Options& options;
  const Format& from;
  const Format& to;
};

bool keeps_all_pages(const Job& job) {
  if (job.options.page || job.to.pages == Pages::One) return false;
  return job.options.all_pages || job.from.pages == job.to.pages;
}

// A drawing has the size that we ask for; everything else has its own.
bool is_drawn(const Format& format) { return format.name == "svg" || format.name == "pdf"; }

VImage load(const Job& job, VipsAccess access, double scale) {
  auto* const how = VImage::option();
  how->set("access", access);
  how->set("fail_on", VIPS_FAIL_ON_ERROR);
  const std::string_view name = job.from.name;
  if (job.from.pages != Pages::One) {
    how->set("n", keeps_all_pages(job) ? -1 : 1);
    how->set("page", job.options.page.value_or(1) - 1);
  }
  if (name == "pdf") how->set("dpi", static_cast<double>(job.options.dpi.value_or(kDrawnDpi)));
  if (name == "svg") how->set("dpi", static_cast<double>(job.options.dpi.value_or(kPlainDpi)));
  if (is_drawn(job.from)) how->set("scale", scale);
  VImage image;
  how->set("out", &image);
  if (name == "svg") {
    // A drawing that has no place of its own cannot name files beside it (librsvg's rule).
    const std::string bytes = read_whole(job.request.input);
    VipsBlob* const blob = vips_blob_copy(bytes.data(), bytes.size());
    how->set("buffer", blob);
    vips_area_unref(VIPS_AREA(blob));
    VImage::call("svgload_buffer", how);
    return image;
  }
  VImage::call(job.from.loader, how->set("filename", job.request.input.c_str()));
  return image;
}

int page_height(const VImage& image) { return vips_image_get_page_height(image.get_image()); }
int page_count(const VImage& image) { return image.height() / page_height(image); }

struct Size {
  double width;
  double height;
};

// How large a picture of `now` becomes, before anything is cut off.
Size scaled(Size now, const Options& options) {
  if (!options.width && !options.height) return now;
  const double across = options.width ? *options.width / now.width : 0;
  const double down = options.height ? *options.height / now.height : 0;
  if (options.fit == Fit::Fill && options.width && options.height) {
    return {now.width * across, now.height * down};
  }
  double factor = across == 0 ? down : down == 0 ? across : std::min(across, down);
  if (options.fit == Fit::Cover) factor = std::max(across, down);
  if (options.fit == Fit::ScaleDown) factor = std::min(factor, 1.0);
  return {now.width * factor, now.height * factor};
}

VImage resize(VImage image, const Options& options) {
  const Size now{static_cast<double>(image.width()), static_cast<double>(image.height())};
  const Size size = scaled(now, options);
  const double width = std::max(1.0, std::round(size.width));
  const double height = std::max(1.0, std::round(size.height));
  if (width != now.width || height != now.height) {
    const VipsBandFormat format = image.format();
    const bool alpha = image.has_alpha();
    if (alpha) image = image.premultiply();
    image = image.resize(width / now.width, VImage::option()->set("vscale", height / now.height));
    if (alpha) image = image.unpremultiply();
    image = image.cast(format);
  }
  if (options.fit == Fit::Cover && options.width && options.height) {
    const int cut_width = std::min(*options.width, image.width());
    const int cut_height = std::min(*options.height, image.height());
    image = image.extract_area((image.width() - cut_width) / 2, (image.height() - cut_height) / 2,
                               cut_width, cut_height);
  }
  return image;
}

// Pages stand below one another in one tall image; each is worked on by itself.
VImage for_each_page(const VImage& image, const std::function<VImage(VImage)>& work) {
  const int count = page_count(image);
  if (count == 1) return work(image);
  const int height = page_height(image);
  std::vector<VImage> pages;
  for (int i = 0; i < count; ++i) {
    pages.push_back(work(image.extract_area(0, i * height, image.width(), height)));
  }
  VImage joined = VImage::arrayjoin(pages, VImage::option()->set("across", 1)).copy();
  joined.set(VIPS_META_PAGE_HEIGHT, pages.front().height());
  return joined;
}

// Four inks, or colours whose profile is about to be removed, become sRGB; other profiles stay.
VImage with_usable_colours(VImage image, const Job& job) {
  const bool inks = image.interpretation() == VIPS_INTERPRETATION_CMYK;
  const bool profile = image.get_typeof(VIPS_META_ICC_NAME) != 0;
  const bool loses_profile = job.options.metadata == Metadata::Strip || job.to.name == "pdf" ||
                             job.to.name == "gif" || job.to.name == "jp2";
  if ((inks && !job.to.cmyk) || (profile && loses_profile && !inks)) {
    const int depth = image.format() == VIPS_FORMAT_USHORT ? 16 : 8;
    return image.icc_transform("srgb", VImage::option()
                                           ->set("embedded", true)
                                           ->set("depth", depth)
                                           ->set("intent", VIPS_INTENT_PERCEPTUAL));
  }
  return image;
}

VImage without_alpha(VImage image, const Options& options) {
  if (!image.has_alpha()) return image;
  std::vector<double> colour(options.background.begin(), options.background.end());
  if (image.bands() == 2) colour = {0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]};
  if (image.format() == VIPS_FORMAT_USHORT)
    for (double& part : colour) part *= 257;
  return image.flatten(VImage::option()->set("background", colour));
}

VImage shape(VImage image, const Job& job) {
  image = with_usable_colours(image, job);
  image = for_each_page(image, [&](const VImage& page) { return resize(page, job.options); });
  if (!job.to.alpha && job.to.name != "pdf") image = without_alpha(image, job.options);
  return image;
}

std::expected<void, Refused> check_size(const VImage& image, const Job& job) {
  auto fits = check_pixels(static_cast<std::uint64_t>(image.width()),
                           static_cast<std::uint64_t>(image.height()), job.request.limits.pixels);
  if (!fits) return fits;
  if (page_count(image) > kMostPages) return refuse(Code::TooLarge, "too many pages");
  return {};
}

std::expected<void, Refused> check_result_size(const VImage& image, const Job& job) {
  const auto side = static_cast<std::uint32_t>(std::max(image.width(), page_height(image)));
  if (job.to.largest_side != 0 && side > job.to.largest_side) {
    return refuse(Code::TooLarge, std::string(job.to.name) + " holds at most " +
                                      std::to_string(job.to.largest_side) + " pixels a side");
  }
  return check_size(image, job);
}

// By hand, since `strip` of some savers (WebP in 8.14) writes EXIF all the same.
VImage without_metadata_fields(const VImage& image) {
  constexpr std::array<std::string_view, 7> kPrefixes{
      "exif-", "xmp-", "iptc-", "photoshop-", "icc-profile", "png-comment", "gif-comment"};
  VImage bare = image.copy();
  gchar** const fields = vips_image_get_fields(image.get_image());
  for (gchar** field = fields; *field != nullptr; ++field) {
    const auto begins = [&](std::string_view prefix) {
      return std::string_view(*field).starts_with(prefix);
    };
    if (std::ranges::any_of(kPrefixes, begins)) bare.remove(*field);
  }
  g_strfreev(fields);
  return bare;
}

void save(VImage image, const Job& job) {
  const Options& options = job.options;
  const std::string_view name = job.to.name;
  auto* const how = VImage::option();
  how->set("strip", options.metadata == Metadata::Strip);
  const bool has_quality = name != "png" && name != "gif" && name != "tiff";
  if (has_quality && options.quality) how->set("Q", *options.quality);
  if (has_quality && name != "jpg") how->set("lossless", options.lossless);
  if (name == "jpg") {
    if (!options.quality) how->set("Q", 85);
    how->set("optimize_coding", true);
  }
  if (name == "avif") how->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1);
  if (name == "heic") how->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_HEVC);
  if (name == "tiff") {
    how->set("compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE);
    how->set("predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL);
  }
  if (options.metadata == Metadata::Strip) image = without_metadata_fields(image);
  if (!keeps_all_pages(job)) {
    image = image.copy();
    vips_image_remove(image.get_image(), VIPS_META_PAGE_HEIGHT);
    vips_image_remove(image.get_image(), VIPS_META_N_PAGES);
    vips_image_remove(image.get_image(), "delay");
  }
  how->set("in", image);
  VImage::call(job.to.saver, how->set("filename", job.request.output.c_str()));
}

// --- PDF ---------------------------------------------------------------------------------------

double dpi_of(const VImage& image, const Options& options) {
  if (options.dpi) return *options.dpi;
  // libvips says one pixel a millimetre where the file says nothing.
  const double dpi = image.xres() * 25.4;
  return dpi < 36 || dpi > 2400 ? kPlainDpi : dpi;
}

std::string bytes_of(VipsBlob* blob) {
  std::size_t size = 0;
  const void* const data = vips_blob_get(blob, &size);
  std::string bytes(static_cast<const char*>(data), size);
  vips_area_unref(VIPS_AREA(blob));
  return bytes;
}

PdfColour colour_of(const VImage& image) {
  if (image.bands() == 1) return PdfColour::Grey;
  return image.bands() == 4 ? PdfColour::Cmyk : PdfColour::Rgb;
}

Result<void> add_drawn_page(PdfWriter& writer, VImage page, const Job& job, double dpi) {
  page = without_alpha(page, job.options);
  if (page.interpretation() != VIPS_INTERPRETATION_CMYK) {
    page = page.colourspace(page.bands() < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
  }
  page = page.cast(VIPS_FORMAT_UCHAR);
  PdfPicture picture;
  picture.width = page.width();
  picture.height = page.height();
  picture.dpi = dpi;
  picture.colour = colour_of(page);
  if (job.options.quality && !job.options.lossless) {
    const std::string jpeg = bytes_of(
        page.jpegsave_buffer(VImage::option()->set("Q", *job.options.quality)->set("strip", true)));
    picture.bytes = jpeg;
    picture.coding = PdfCoding::Jpeg;
    const auto facts = read_jpeg_facts(jpeg);
    picture.inverted = facts && facts->components == 4 && facts->adobe;
    return writer.add_page(picture);
  }
  std::size_t size = 0;
  const std::unique_ptr<void, decltype(&g_free)> pixels(page.write_to_memory(&size), &g_free);
  picture.bytes = {static_cast<const char*>(pixels.get()), size};
  return writer.add_page(picture);
}

// A JPEG that only has to lie in a page keeps its bytes; a mirrored one, or one that is to become
// smaller, is drawn anew. It was decoded once before, so it is whole.
Result<bool> add_jpeg_as_it_is(PdfWriter& writer, const VImage& image, const Job& job) {
  const Options& options = job.options;
  if (job.from.name != "jpg" || options.width || options.height || options.quality) return false;
  constexpr std::array kRotations{0, 0, -1, 180, -1, -1, 90, -1, 270};  // by EXIF orientation
  const int orientation = vips_image_get_orientation(image.get_image());
  const int rotate = kRotations[static_cast<std::size_t>(std::clamp(orientation, 0, 8))];
  std::string bytes = read_whole(job.request.input);
  const auto facts = read_jpeg_facts(bytes);
  if (!facts || rotate < 0) return false;
  image.avg();
  if (options.metadata == Metadata::Strip) bytes = without_metadata(bytes);
  constexpr std::array kColours{PdfColour::Grey, PdfColour::Grey, PdfColour::Rgb, PdfColour::Rgb,
                                PdfColour::Cmyk};
  PdfPicture picture;
  picture.bytes = bytes;
  picture.coding = PdfCoding::Jpeg;
  picture.colour = kColours[static_cast<std::size_t>(facts->components)];
  picture.inverted = facts->components == 4 && facts->adobe;
  picture.width = facts->width;
  picture.height = facts->height;
  picture.dpi = dpi_of(image, options);
  picture.rotate = rotate;
  if (auto added = writer.add_page(picture); !added) return std::unexpected(added.error());
  return true;
}

// Hands back the first page's size in pixels, upright.
std::expected<Size, Refused> save_pdf(VImage image, const Job& job) {
  auto writer = PdfWriter::create(job.request.output);
  if (!writer) return refuse(Code::Internal, writer.error().message);
  const double dpi = dpi_of(image, job.options);
  const auto as_it_is = add_jpeg_as_it_is(*writer, image, job);
  if (!as_it_is) return refuse(Code::Internal, as_it_is.error().message);
  image = *as_it_is ? image.autorot() : shape(image.autorot(), job);
  if (auto fits = check_result_size(image, job); !fits) return std::unexpected(fits.error());
  const int height = page_height(image);
  for (int i = 0; !*as_it_is && i < page_count(image); ++i) {
    const VImage page = image.extract_area(0, i * height, image.width(), height);
    const auto added = add_drawn_page(*writer, page, job, dpi);
    if (!added) return refuse(Code::Internal, added.error().message);
  }
  const auto finished = writer->finish();
  if (!finished) return refuse(Code::Internal, finished.error().message);
  return Size{static_cast<double>(image.width()), static_cast<double>(height)};
}

// --- the way of one job ------------------------------------------------------------------------

bool offered(const char* operation) {
  return operation != nullptr && vips_type_find("VipsOperation", operation) != 0;
}
bool is_ours(const Format& format) { return format.decoder != Decoder::Libvips; }
bool can_read(const Format& format) { return is_ours(format) || offered(format.loader); }
bool can_write(const Format& format) { return format.name == "pdf" || offered(format.saver); }

// A drawing that is to be enlarged is drawn larger instead of being stretched.
double drawing_scale(const VImage& image, const Job& job) {
  if (!is_drawn(job.from)) return 1;
  const Size now{static_cast<double>(image.width()), static_cast<double>(page_height(image))};
  const Size wanted = scaled(now, job.options);
  return std::clamp(std::max(wanted.width / now.width, wanted.height / now.height), 1e-3, 1e3);
}

// A drawing of more than 10,000,000 pixels a side is reported by libvips as 1 pixel wide.
bool hides_its_size(const VImage& image, const Job& job) {
  if (!is_drawn(job.from) || std::min(image.width(), image.height()) > 1) return false;
  const VImage small = load(job, VIPS_ACCESS_SEQUENTIAL, 1e-3);
  return small.width() > image.width() || small.height() > image.height();
}

// Opens the picture; header only, except with our own decoders. Sideways pictures are read in
// another order than they lie in the file, so they cannot stream.
std::expected<VImage, Refused> open_picture(const Job& job) {
  try {
    if (is_ours(job.from))
      return decode_into_vips(job.from.decoder, job.request.input, job.request.limits.pixels);
    VImage image = load(job, VIPS_ACCESS_SEQUENTIAL, 1);
    if (auto fits = check_size(image, job); !fits) return std::unexpected(fits.error());
    if (hides_its_size(image, job)) return refuse(Code::TooLarge, "drawing is too large");
    const double scale = drawing_scale(image, job);
    const bool in_order = vips_image_get_orientation(image.get_image()) <= 1 &&
                          page_count(image) == 1 && job.to.name != "pdf";
    if (scale != 1 || !in_order) {
      image = load(job, in_order ? VIPS_ACCESS_SEQUENTIAL : VIPS_ACCESS_RANDOM, scale);
    }
    if (auto fits = check_size(image, job); !fits) return std::unexpected(fits.error());
    return image;
  } catch (const VError& error) {
    return refuse(Code::BrokenInput, first_line(error.what()));
  }
}

// After a failure: whether it was the input, by reading it once more by itself.
bool reads_well(const Job& job) {
  if (is_ours(job.from)) return true;  // was decoded to its last pixel when it was opened
  vips_error_clear();
  try {
    load(job, VIPS_ACCESS_SEQUENTIAL, 1).avg();
    return true;
  } catch (const VError&) {
    return false;
  }
}

// The output counts only when it can be read again to its last pixel.
std::expected<Converted, Refused> look_again(const Job& job, int pages) {
  Converted done{std::string(job.to.content_type), 0, 0, pages};
  if (!can_read(job.to)) return done;
  try {
    const Options plain;
    const ConvertRequest again{job.request.output, {}, {}, {}, {}, job.request.limits};
    VImage image = load(Job{again, plain, job.to, job.to}, VIPS_ACCESS_SEQUENTIAL, 1);
    done.width = image.width();
    done.height = page_height(image);
    if (page_count(image) != pages) {
      return refuse(Code::Internal, "output has another number of pages");
    }
    if (job.to.name != "pdf") image.avg();
    return done;
  } catch (const VError& error) {
    return refuse(Code::Internal, "output cannot be read again: " + first_line(error.what()));
  }
}

std::expected<Converted, Refused> write_picture(VImage image, const Job& job) {
  try {
    if (job.to.name == "pdf") {
      const int pages = page_count(image);
      const auto saved = save_pdf(image, job);
      if (!saved) return std::unexpected(saved.error());
      auto done = look_again(job, pages);
      if (done) done->width = static_cast<int>(saved->width);
      if (done) done->height = static_cast<int>(saved->height);
      return done;
    }
    image = shape(image.autorot(), job);
    if (auto fits = check_result_size(image, job); !fits) return std::unexpected(fits.error());
    save(image, job);
    return look_again(job, keeps_all_pages(job) ? page_count(image) : 1);
  } catch (const VError& error) {
    return refuse(reads_well(job) ? Code::Internal : Code::BrokenInput, first_line(error.what()));
  }
}

std::expected<Converted, Refused> run(const ConvertRequest& request, const Options& options) {
  const Format* const to = find_format(request.target);
  if (to == nullptr || !can_write(*to)) {
    return refuse(Code::UnsupportedRoute, "no conversion to " + request.target);
  }
  const auto from = look_at_input(request.input);
  if (!from) return std::unexpected(from.error());
  if (*from == nullptr) {
    const bool known = find_format(request.from) != nullptr;
    return refuse(known ? Code::BrokenInput : Code::UnsupportedRoute,
                  known ? "the bytes are not of type " + request.from : "unknown type of file");
  }
  if (!can_read(**from)) {
    return refuse(Code::UnsupportedRoute, "no conversion from " + std::string((*from)->name));
  }
  const Job job{request, options, **from, *to};
  auto image = open_picture(job);
  if (!image) return std::unexpected(image.error());
  return write_picture(*image, job);
}

}  // namespace

bool start_engine(const char* program_name) {
  ::setenv("VIPS_WARNING", "0", 1);  // switches them off: what counts comes back as an error
  if (VIPS_INIT(program_name) != 0) return false;
  vips_block_untrusted_set(TRUE);
  for (const char* trusted : kTrustedHere) vips_operation_block_set(trusted, FALSE);
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  vips_leak_set(FALSE);
  return true;
}

std::string engine_version() { return vips_version_string(); }

std::vector<Route> routes() {
  std::vector<Route> all;
  for (const Format& from : formats()) {
    if (!can_read(from)) continue;
    Route route{std::string(from.name), {}};
    for (const Format& to : formats()) {
      if (can_write(to) && to.name != from.name) route.to.emplace_back(to.name);
    }
    all.push_back(std::move(route));
  }
  return all;
}

std::expected<Converted, Refused> convert(const ConvertRequest& request) {
  const auto options = parse_options(request.options);
  if (!options) return refuse(Code::BadOption, options.error().message);
  std::error_code none;
  if (std::filesystem::exists(std::filesystem::symlink_status(request.output, none))) {
    return refuse(Code::Internal, "output exists already");
  }
  vips_error_clear();
  std::expected<Converted, Refused> done;
  try {
    done = run(request, *options);
  } catch (const std::bad_alloc&) {
    done = refuse(Code::TooLarge, "no memory for the conversion");
  }
  if (!done) std::filesystem::remove(request.output, none);
  return done;
}

}  // namespace millrace::render
