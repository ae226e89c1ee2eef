// What kind of file system a folder is on.
#pragma once

namespace millrace {

enum class FileSystemNature {
  Local,    // this kernel sees every change and every writer
  Network,  // other machines change files behind the mount
  Fuse,     // and here another program does
};

// Whether an inode number stays with its file while the file system is mounted.
enum class FileIds { Stable, Unstable };

}  // namespace millrace
