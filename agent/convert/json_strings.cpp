#include "agent/convert/json_strings.hpp"

#include <cstdint>

namespace millrace {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t b) { out += static_cast<char>(b); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

// Walks the text once. `path` is what is still to be found below the present value; null: only
// the form is checked.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  bool document(const std::vector<std::string_view>& path) {
    path_ = path;
    if (!value(0, true)) return false;
    blanks();
    return at_ == text_.size();
  }
  std::optional<std::string> found;

 private:
  static constexpr std::size_t kDeepest = 32;

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void blanks() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  bool value(std::size_t depth, bool on_path) {
    if (depth > kDeepest) return false;
    blanks();
    if (peek() == '{') return object(depth, on_path);
    if (peek() == '[') return array(depth);
    if (peek() != '"') return scalar();
    std::string text;
    if (!string(text)) return false;
    if (on_path && depth == path_.size() && !found) found = std::move(text);
    return true;
  }

  bool object(std::size_t depth, bool on_path) {
    take('{');
    blanks();
    if (take('}')) return true;
    do {
      std::string name;
      blanks();
      if (!string(name)) return false;
      blanks();
      if (!take(':')) return false;
      if (!value(depth + 1, on_path && depth < path_.size() && path_[depth] == name)) return false;
      blanks();
    } while (take(','));
    return take('}');
  }

  bool array(std::size_t depth) {
    take('[');
    blanks();
    if (take(']')) return true;
    do {
      if (!value(depth + 1, false)) return false;
      blanks();
    } while (take(','));
    return take(']');
  }

  bool scalar() {
    const auto end = text_.find_first_not_of("-+.0123456789abcdefghijklmnopqrstuvwxyzE", at_);
    const std::string_view word = text_.substr(at_, end - at_);
    at_ += word.size();
    if (word == "true" || word == "false" || word == "null") return true;
    return !word.empty() && (word[0] == '-' || (word[0] >= '0' && word[0] <= '9')) &&
           word.find_first_not_of("-+.0123456789eE") == std::string_view::npos;
  }

  bool string(std::string& out) {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\')
        out += c;
      else if (!escape(out))
        return false;
    }
    return false;
  }

  bool escape(std::string& out) {
    static constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (const auto i = kLetters.find(c); c != '\0' && i != std::string_view::npos) {
      out += kMeanings[i];
      return true;
    }
    auto unit = c == 'u' ? hex4() : std::nullopt;
    if (!unit) return false;
    if (*unit >= 0xD800 && *unit < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const auto low = hex4();
      if (!low || *low < 0xDC00 || *low > 0xDFFF) return false;
      unit = 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00);
    }
    append_utf8(out, *unit >= 0xD800 && *unit < 0xE000 ? 0xFFFD : *unit);
    return true;
  }

  std::optional<std::uint32_t> hex4() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const auto digit = std::string_view("0123456789abcdef")
                             .find(static_cast<char>(
                                 peek() >= 'A' && peek() <= 'F' ? peek() - 'A' + 'a' : peek()));
      if (digit == std::string_view::npos) return std::nullopt;
      value = value << 4 | static_cast<std::uint32_t>(digit);
    }
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string_view> path_;
};

}  // namespace

std::optional<std::string> json_string_at(std::string_view json,
                                          const std::vector<std::string_view>& path) {
  Walker walker(json);
  if (!walker.document(path)) return std::nullopt;
  return walker.found;
}

}  // namespace millrace
