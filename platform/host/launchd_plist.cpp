#include "platform/host/launchd_plist.hpp"

#include <algorithm>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

// XML 1.0, section 2.2; a line end or a tab has no place in a path of ours either.
bool fits_into_xml(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return is_valid_utf8(text) && std::ranges::none_of(text, control);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

class Plist {
 public:
  void key(std::string_view name) { line("key", name); }
  void text(std::string_view name, std::string_view value) {
    key(name);
    line("string", value);
  }
  void number(std::string_view name, int value) {
    key(name);
    line("integer", std::to_string(value));
  }
  void flag(std::string_view name, bool value) {
    key(name);
    mark(value ? "<true/>" : "<false/>");
  }
  void begin(std::string_view what) {
    mark("<" + std::string(what) + ">");
    indent_ += 2;
  }
  void end(std::string_view what) {
    indent_ -= 2;
    mark("</" + std::string(what) + ">");
  }
  void line(std::string_view tag, std::string_view value) {
    mark("<" + std::string(tag) + ">" + escaped(value) + "</" + std::string(tag) + ">");
  }
  const std::string& done() const { return text_; }

 private:
  void mark(const std::string& markup) { text_ += std::string(indent_, ' ') + markup + "\n"; }

  std::size_t indent_ = 0;
  std::string text_ =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
      "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
      "<plist version=\"1.0\">\n";
};

constexpr int kThrottle = 60;     // s from one start to the next, when it keeps failing
constexpr int kExitTimeOut = 20;  // s until SIGKILL; a stop takes less than 5

}  // namespace

Result<std::string> launchd_plist(const LaunchdJob& job) {
  for (const std::string* text : {&job.program, &job.config_file, &job.error_file, &job.user}) {
    if (fits_into_xml(*text)) continue;
    return fail(ErrorKind::Configuration, "launchd cannot be told of " + printable(*text) +
                                              ": give it a name without control characters");
  }
  Plist list;
  list.begin("dict");
  list.text("Label", kLaunchdLabel);
  list.key("ProgramArguments");
  list.begin("array");
  for (const std::string& word :
       {job.program, std::string("run"), std::string("--config"), job.config_file}) {
    list.line("string", word);
  }
  list.end("array");
  if (!job.user.empty()) list.text("UserName", job.user);
  list.flag("RunAtLoad", true);
  // An end with status 0 was asked for; after a crash or a failure it is started again.
  list.key("KeepAlive");
  list.begin("dict");
  list.flag("SuccessfulExit", false);
  list.end("dict");
  list.number("ThrottleInterval", kThrottle);
  list.number("ExitTimeOut", kExitTimeOut);
  // Somebody waits for the results: Background would slow its disk and processor down, and
  // Adaptive does the same to a program that nobody calls by XPC.
  list.text("ProcessType", "Standard");
  list.flag("LowPriorityIO", false);
  list.text("StandardErrorPath", job.error_file);
  list.end("dict");
  return list.done() + "</plist>\n";
}

}  // namespace millrace
