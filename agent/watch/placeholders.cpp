#include "agent/watch/placeholders.hpp"

#include <algorithm>

#include "platform/base/text.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {

std::string to_text(const LeftInCloud& left) {
  const bool one = left.files == 1;
  std::string text = left.files >= Placeholders::kMost ? "at least " : "";
  text += std::to_string(left.files) + (one ? " file is" : " files are");
  text += " in the cloud only (such as " + printable(left.example, 200) + "), and reading ";
  text += one ? "it would download it; it is taken" : "them would download them; they are taken";
  text += " once kept on this computer: \"Always keep on this device\" or \"Download Now\" in the ";
  text += "cloud drive's menu";
  return text;
}

bool means_placeholder(const Error& error) { return error.os_code == placeholder_code(); }

void Placeholders::saw(const Name& name, TimePoint now) {
  const MutexLock lock(mutex_);
  if (names_.size() >= kMost && !names_.contains(name)) return;
  names_[name] = scan_;
  if (!due_ && names_.size() >= std::max<std::size_t>(1, 2 * told_)) due_ = now + gather_;
}

void Placeholders::forget(const Name& name) {
  const MutexLock lock(mutex_);
  if (names_.erase(name) > 0) settle_count();
}

void Placeholders::begin_scan() {
  const MutexLock lock(mutex_);
  std::erase_if(names_, [scan = scan_](const auto& seen) { return seen.second < scan; });
  ++scan_;
  settle_count();
}

std::size_t Placeholders::count() const {
  const MutexLock lock(mutex_);
  return names_.size();
}

bool Placeholders::holds(const Name& name) const {
  const MutexLock lock(mutex_);
  return names_.contains(name);
}

std::optional<TimePoint> Placeholders::due() const {
  const MutexLock lock(mutex_);
  return due_;
}

void Placeholders::settle_count() {
  if (!names_.empty()) return;
  told_ = 0;
  due_.reset();
}

std::optional<LeftInCloud> Placeholders::take_due(TimePoint now) {
  const MutexLock lock(mutex_);
  if (!due_ || *due_ > now) return std::nullopt;
  due_.reset();
  told_ = names_.size();
  return LeftInCloud{told_, names_.begin()->first};
}

}  // namespace millrace
