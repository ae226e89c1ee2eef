// Collects what a watcher says until it has said enough.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "platform/watch/watcher.hpp"

namespace millrace::test {

class Listener {
 public:
  explicit Listener(Watcher& watcher) : watcher_(watcher) {}

  // Takes events until `enough` holds or 20 s have passed.
  bool until(const std::function<bool()>& enough) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!enough()) {
      const auto now = std::chrono::steady_clock::now();
      if (now > end) return false;
      watcher_.wait(now + std::chrono::milliseconds{50}, events);
    }
    return true;
  }

  bool saw(const std::string& name, Change change) const {
    return std::any_of(events.begin(), events.end(), [&](const WatchEvent& event) {
      const auto* touched = std::get_if<Touched>(&event);
      return touched != nullptr && touched->name == name && touched->change == change;
    });
  }

  // Told by name in any way, or by a loss that covers it.
  bool knows(const std::string& name) const {
    return std::any_of(events.begin(), events.end(), [&](const WatchEvent& event) {
      if (const auto* touched = std::get_if<Touched>(&event)) {
        return touched->name == name && touched->change != Change::Removed;
      }
      const auto* lost = std::get_if<Lost>(&event);
      return lost != nullptr && (lost->below.empty() || name.starts_with(lost->below + "/"));
    });
  }

  // A poll keeps no names: it reports a removal for "".
  bool knows_removed(const std::string& name) const {
    return saw(name, Change::Removed) || saw("", Change::Removed);
  }

  bool lost_all() const {
    return std::any_of(events.begin(), events.end(), [](const WatchEvent& event) {
      const auto* lost = std::get_if<Lost>(&event);
      return lost != nullptr && lost->below.empty();
    });
  }

  bool ended() const {
    return std::any_of(events.begin(), events.end(), [](const WatchEvent& event) {
      return std::holds_alternative<Ended>(event);
    });
  }

  std::vector<WatchEvent> events;

 private:
  Watcher& watcher_;
};

}  // namespace millrace::test
