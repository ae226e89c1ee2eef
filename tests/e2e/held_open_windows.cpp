// held_open FROM INBOX: a program of Windows that takes its time. It writes each file of FROM into
// INBOX, keeps all of them open, and says "open". At a line on standard input it writes each once
// more, behind the first, and closes them.
#include <windows.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "platform/base/handle_windows.hpp"

namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& file) {
  const millrace::Handle in(::CreateFileW(file.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr,
                                          OPEN_EXISTING, 0, nullptr));
  std::string bytes(fs::file_size(file), '\0');
  DWORD size = 0;
  if (!::ReadFile(in.get(), bytes.data(), static_cast<DWORD>(bytes.size()), &size, nullptr) ||
      size != bytes.size()) {
    bytes.clear();
  }
  return bytes;
}

struct Held {
  std::string bytes;
  millrace::Handle file;
  bool write() const {
    DWORD size = 0;
    return ::WriteFile(file.get(), bytes.data(), static_cast<DWORD>(bytes.size()), &size,
                       nullptr) &&
           size == bytes.size() && size > 0;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::vector<Held> all;
  for (const fs::directory_entry& entry : fs::directory_iterator(argv[1])) {
    // As most programs do: others may read meanwhile.
    millrace::Handle file(::CreateFileW((argv[2] / entry.path().filename()).c_str(), GENERIC_WRITE,
                                        FILE_SHARE_READ, nullptr, CREATE_NEW, 0, nullptr));
    all.push_back({read_all(entry.path()), std::move(file)});
    if (!all.back().write()) return 1;
  }
  std::cout << "open" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  for (const Held& held : all) {
    if (!held.write()) return 1;
  }
  return 0;
}
