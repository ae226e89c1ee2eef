// Events that stores push, on their way to the roots.
#include "agent/pipeline/engine.hpp"
#include "config/bucket_url.hpp"

namespace millrace {

// Two stores may have a bucket of that name, and two inboxes a prefix of that key: all look.
bool Engine::hint(const std::string& bucket, const std::string& key) {
  std::map<std::string, Member> members;
  {
    const MutexLock lock(mutex_);
    members = members_;
  }
  bool wanted = false;
  for (const auto& [folder, member] : members) {
    const auto inbox = bucket_of(member.folder->settings.inbox);
    if (!inbox || inbox->bucket != bucket || !key.starts_with(inbox->prefix)) continue;
    const Name name = key.substr(inbox->prefix.size());
    if (name.empty() || name.ends_with('/') || member.root->why_not(name)) continue;
    member.root->hint(name);
    wanted = true;
  }
  return wanted;
}

}  // namespace millrace
