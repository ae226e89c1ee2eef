// Remembers the upload in parts of a spooled file in a small file beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/deliver/part_upload.hpp"
#include "agent/job/candidate.hpp"

namespace millrace {

// `<temporary>.upload`: the upload's id and the key, so that who finds it alone can abort that
// upload, and no other. A note is made after its temporary and removed before it.
class UploadNote final : public UploadMemory {
 public:
  UploadNote(Directory& folder, Name temporary, std::string key)
      : folder_(folder), temporary_(std::move(temporary)), key_(std::move(key)) {}

  // Nothing if it is of another key.
  Result<std::optional<std::string>> recall() override;
  Result<void> remember(const std::string& upload_id) override;
  Result<void> forget() override;

 private:
  Directory& folder_;
  const Name temporary_;
  const std::string key_;
};

struct OrphanedUpload {
  Name temporary;  // it is gone
  std::string key;
};
// Notes in the folder whose temporaries are gone. One that cannot be read tells of no upload, and
// is removed.
Result<std::vector<OrphanedUpload>> orphaned_uploads(Directory& folder);

}  // namespace millrace
