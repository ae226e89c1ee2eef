#include "tests/api_server/bill_book.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>

namespace millrace::test {
namespace {

std::string json_field(std::string_view name, std::uint64_t value) {
  return '"' + std::string(name) + "\":" + std::to_string(value);
}

}  // namespace

std::string json_text(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (b < 0x20 || b > 0x7E) {
      // Bytes become U+0000 to U+00FF, so that a name in any encoding makes valid JSON.
      out += "\\u00";
      out += kDigits[b >> 4];
      out += kDigits[b & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Post::content() const {
  std::string listed = sha256 + '\n' + target;
  for (const auto& [name, value] : fields) listed += '\n' + name + '=' + value;
  return listed;
}

Result<BillBook> BillBook::open(const std::string& path, std::optional<Duration> key_window) {
  BillBook book;
  book.key_window_ = key_window;
  if (path.empty()) return book;
  book.file_.reset(std::fopen(path.c_str(), "ae"));
  if (!book.file_) return fail(ErrorKind::Environment, "cannot open " + path, errno);
  return book;
}

void BillBook::arrived(Post& post) {
  post.seq = ++posts_;
  post.attempt = post.key.empty() ? 1 : ++keys_[post.key].attempts;
  most_open_ = std::max(most_open_, ++open_);
}

KeyVerdict BillBook::completed(const Post& post, TimePoint now) {
  ++complete_;
  if (post.key.empty()) return KeyVerdict::New;
  KeyRow& row = keys_[post.key];
  const std::string content = post.content();
  if (row.content.empty()) row.content = content;
  if (row.content != content) {
    ++mismatches_;
    return KeyVerdict::Mismatch;
  }
  if (row.in_flight) return KeyVerdict::InFlight;
  if (row.done && key_window_ && now - *row.done >= *key_window_) row.done.reset();
  return row.done ? KeyVerdict::Replay : KeyVerdict::New;
}

void BillBook::converting(const Post& post) {
  most_converting_ = std::max(most_converting_, ++converting_);
  if (!post.key.empty()) keys_[post.key].in_flight = true;
}

void BillBook::converted(Post& post, TimePoint now) {
  --converting_;
  ++billed_;
  post.billed = true;
  if (post.key.empty()) {
    ++billed_without_key_;
    return;
  }
  KeyRow& row = keys_[post.key];
  row.in_flight = false;
  row.done = now;
  if (++row.billed == 2) ++billed_twice_;
}

void BillBook::ended(const Post& post) {
  --open_;
  body_bytes_ += post.received;
  if (post.replay) ++replays_;
  if (post.status == 0) ++unanswered_;
  ++statuses_[post.status];
  if (!file_) return;
  std::string line = "{" + json_field("seq", post.seq) + ',' + json_field("try", post.attempt) +
                     ",\"time_ms\":" + std::to_string(post.time_us / 1000) +
                     ",\"time_us\":" + std::to_string(post.time_us) +
                     ",\"latency_us\":" + std::to_string(post.latency_us) + ',' +
                     json_field("connection", post.connection) + ",\"key\":" + json_text(post.key) +
                     ",\"sha256\":" + json_text(post.sha256) +
                     ",\"target\":" + json_text(post.target) +
                     ",\"file_name\":" + json_text(post.file_name) + ",\"fields\":{";
  for (bool first = true; const auto& [name, value] : post.fields) {
    line += (first ? "" : ",") + json_text(name) + ':' + json_text(value);
    first = false;
  }
  line +=
      "}," + json_field("declared", post.declared) + ',' + json_field("received", post.received) +
      ",\"complete\":" + (post.complete ? "true" : "false") +
      ",\"billed\":" + (post.billed ? "true" : "false") +
      ",\"replay\":" + (post.replay ? "true" : "false") +
      ",\"status\":" + std::to_string(post.status) + ",\"note\":" + json_text(post.note) + "}\n";
  std::fwrite(line.data(), 1, line.size(), file_.get());
}

void BillBook::flush() {
  if (file_) std::fflush(file_.get());
}

std::string BillBook::summary_json() const {
  std::string text = "{" + json_field("posts", posts_);
  const std::pair<std::string_view, std::uint64_t> rows[] = {
      {"complete", complete_},
      {"billed", billed_},
      {"billed_without_key", billed_without_key_},
      {"replays", replays_},
      {"keys", keys_.size()},
      {"keys_billed_twice", billed_twice_},
      {"mismatches", mismatches_},
      {"unanswered", unanswered_},
      {"open", open_},
      {"max_concurrent", most_open_},
      {"max_converting", most_converting_},
      {"connections", connections_},
      {"body_bytes", body_bytes_}};
  for (const auto& [name, value] : rows) text += ',' + json_field(name, value);
  text += ",\"status\":{";
  const std::map<int, std::uint64_t> sorted(statuses_.begin(), statuses_.end());
  for (bool first = true; const auto& [status, count] : sorted) {
    text += (first ? "\"" : ",\"") + std::to_string(status) + "\":" + std::to_string(count);
    first = false;
  }
  return text + "}}\n";
}

}  // namespace millrace::test
