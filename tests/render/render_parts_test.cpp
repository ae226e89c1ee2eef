#include "agent/render/formats.hpp"
#include "agent/render/options.hpp"
#include "agent/render/pdf_writer.hpp"
#include "agent/render/protocol.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::render;
using namespace std::string_view_literals;

TEST_CASE("formats are found by name, by alias and by their first bytes") {
  CHECK(find_format("JPEG")->name == "jpg");
  CHECK(find_format("tif")->name == "tiff");
  CHECK(find_format("docx") == nullptr);
  struct Row {
    std::string_view head;
    std::string_view name;
  };
  for (const Row& row : {Row{"\x89PNG\r\n\x1a\n....", "png"},
                         Row{"\0\0\0\x1c"
                             "ftypavif"sv,
                             "avif"},
                         Row{"\0\0\0\x1c"
                             "ftypmif1\0\0\0\0mif1avif"sv,
                             "avif"},
                         Row{"\0\0\0\x1c"
                             "ftypmif1\0\0\0\0mif1heic"sv,
                             "heic"},
                         Row{"junk before %PDF-1.7", "pdf"},
                         Row{"\xef\xbb\xbf <?xml version='1.0'?><!-- c --><svg ", "svg"},
                         Row{"BM....\0\0\0\0\x36\0\0\0\x28\0\0\0"sv, "bmp"},
                         Row{"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0....\x16\0\0\0"sv, "ico"},
                         Row{"P6 1 1 255 abc", "ppm"}}) {
    INFO(row.name);
    REQUIRE(sniff(row.head) != nullptr);
    CHECK(sniff(row.head)->name == row.name);
  }
  constexpr std::string_view kNone[] = {"",
                                        "PK\x03\x04",
                                        "<html><body>",
                                        "P7",
                                        "text",
                                        "\xff",
                                        "BM is how this text begins",
                                        "\0\0\1\0\0\0"sv,
                                        "\0\0\2\0\1\0\x10\x10\0\0\1\0\x20\0....\x16\0\0\0"sv};
  for (const std::string_view none : kNone) {
    CHECK(sniff(none) == nullptr);
  }
}

TEST_CASE("options are checked and an unknown one is answered with the nearest") {
  const auto good = parse_options({{"quality", "80"},
                                   {"fit", "cover"},
                                   {"background", "#0a0B0c"},
                                   {"strip", "true"},
                                   {"pages", "all"},
                                   {"lossless", "no"}});
  REQUIRE(good);
  CHECK(good->quality == 80);
  CHECK(good->fit == Fit::Cover);
  CHECK(good->background[1] == 11);
  CHECK(good->metadata == Metadata::Strip);
  CHECK(good->all_pages);
  CHECK(parse_options({{"qualty", "80"}}).error().message.find("mean quality") !=
        std::string::npos);
  for (const auto& [name, text] : OptionTexts{{"quality", "101"},
                                              {"width", "-1"},
                                              {"height", "1e3"},
                                              {"dpi", ""},
                                              {"fit", "stretch"},
                                              {"background", "#12345g"},
                                              {"pages", "0"},
                                              {"lossless", "maybe"}}) {
    INFO(name);
    const auto refused = parse_options({{name, text}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Input);
  }
}

TEST_CASE("a request line is read, and nonsense is a value") {
  const Request request = parse_request(
      R"({"input":"/s/a","output":"/s/b","target":"webp","options":{"quality":80,"fit":"fill"},
          "limits":{"pixels":5,"seconds":7}})");
  const auto* job = std::get_if<ConvertRequest>(&request);
  REQUIRE(job != nullptr);
  CHECK(job->options.at("quality") == "80");
  CHECK(job->limits.pixels == 5);
  CHECK(job->limits.seconds == 7);
  CHECK(std::holds_alternative<ListRequest>(parse_request(R"({"list_formats":true})")));
  for (const char* bad : {"", "{", "[]", "{}", R"({"input":1,"output":"b","target":"c"})",
                          R"({"input":"a","output":"b","target":"c","options":[1]})"}) {
    INFO(bad);
    CHECK_NOTHROW(parse_request(bad));
  }
  CHECK(reply_line(Refused{Code::BrokenInput, "a\xff\nb"}).find('\n') == std::string::npos);
}

TEST_CASE("facts of a JPEG are read to its scan and never beyond its bytes") {
  const std::string start = "\xff\xd8";
  const std::string frame = std::string("\xff\xc0\0\x11\x08\0\x10\0\x20\x04", 10) +
                            std::string(9, '\1') + std::string(3, '\1');
  const std::string adobe = std::string(
                                "\xff\xee\0\x0e"
                                "Adobe",
                                9) +
                            std::string(7, '\0');
  const std::string note = std::string(
      "\xff\xe1\0\x06"
      "Exif",
      8);
  const std::string whole = start + note + adobe + frame.substr(0, 19) + "\xff\xda";
  const auto facts = read_jpeg_facts(whole);
  REQUIRE(facts);
  CHECK(facts->width == 32);
  CHECK(facts->height == 16);
  CHECK(facts->components == 4);
  CHECK(facts->adobe);
  CHECK(without_metadata(whole) == start + adobe + frame.substr(0, 19) + "\xff\xda");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    read_jpeg_facts(cut);
    CHECK(without_metadata(cut).size() <= size);
  }
}

TEST_CASE("a PDF never replaces a file that is there") {
  const test::Scratch folder;
  test::write_file(folder / "a.pdf", "mine");
  CHECK(PdfWriter::create(folder / "a.pdf").error().kind == ErrorKind::Exists);
  CHECK(test::read_file(folder / "a.pdf") == "mine");
}
