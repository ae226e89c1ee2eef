// What kind of file system a folder is on.
#pragma once

namespace millrace {

enum class FileSystemNature {
  Local,    // this kernel sees every change and every writer
  Network,  // other machines change files behind the mount
  Fuse,     // and here another program does
};

}  // namespace millrace
