#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

// Files, read and written so that a reader never sees half of one and a secret is never readable in between.
namespace viaduct {

// All three throw Error (bad_input) when there are more than `most` bytes.
inline constexpr std::size_t no_limit = static_cast<std::size_t>(-1);
std::string read_file(const std::filesystem::path& path, std::size_t most = no_limit);  // throws Error naming the path
// nullopt only when it is not there
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path, std::size_t most = no_limit);
std::string read_all(int fd, std::size_t most = no_limit);

// Writes a temporary file beside `path` (O_EXCL, `mode` from birth), syncs it and renames it over `path`. Safe on NFS.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, mode_t mode = 0644);

// False when it exists already. The call is atomic, also on NFS: of two callers one gets true.
bool create_directory_exclusively(const std::filesystem::path& path, mode_t mode = 0755);
// As above for a file, which is created with `content`.
bool create_file_exclusively(const std::filesystem::path& path, std::string_view content, mode_t mode = 0644);
void create_directories(const std::filesystem::path& path, mode_t mode = 0755);  // with all parents
void remove_tree(const std::filesystem::path& path);

Fd open_for_append(const std::filesystem::path& path, mode_t mode = 0644);

// Names of the entries, sorted; empty when the directory is not there.
std::vector<std::string> list_directory(const std::filesystem::path& path);

std::filesystem::path own_executable();  // the file this process runs

// Where `program` would be found: itself when it has a slash (relative to `directory`), else along `search_path`.
// `found` is empty when there is nothing; `executable` tells whether it may be executed.
struct ProgramLookup {
  std::filesystem::path found;
  bool executable = false;
};
ProgramLookup find_program(std::string_view program, std::string_view search_path,
                           const std::filesystem::path& directory);

}  // namespace viaduct
