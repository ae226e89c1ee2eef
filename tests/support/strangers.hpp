// Things that other programs leave in a folder, as far as the system knows them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace millrace::test {

enum class LinkTo { File, Folder };

// `target` is relative to the link's folder, or absolute. False where the system does not show
// links as such.
bool plant_link(const std::filesystem::path& link, const std::string& target, LinkTo to);
bool plant_fifo(const std::filesystem::path& path);  // false where there are none

// Everybody may read the file, or its owner alone (Windows: and whom OwnerOnly names).
enum class Readers { Everybody, Owner };
void set_readers(const std::filesystem::path& file, Readers readers);

// Seconds since 1970, negative before it; the system may keep the nanoseconds more coarsely.
void set_mtime(const std::filesystem::path& file, std::int64_t seconds, long ns);

// Of this process and what it starts; an empty value takes the variable away.
void set_variable(const char* name, const std::string& value);

// Of any depth and with any names in it; what cannot be removed stays.
void remove_tree(const std::filesystem::path& path);

// The path as every system call takes it, whatever the names in it.
std::filesystem::path exact(const std::filesystem::path& path);

// Names that are strange and that the system takes.
std::vector<std::string> strange_names();

// Wine is not Windows: a test that would blame us for the difference asks.
bool under_wine();

// What a test cannot show on this system is said in its output, and listed in the unit's README.
inline void not_shown_here(const std::string& why) { WARN("not shown here: " << why); }

}  // namespace millrace::test
