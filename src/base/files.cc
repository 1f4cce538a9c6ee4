#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct {

std::string read_all(int fd, std::size_t most) {
  std::string content;
  for (;;) {
    auto [chunk, ready] = read_some(fd);
    if (chunk.empty()) return content;
    if (chunk.size() > most - content.size())
      throw Error(str("it has more than ", count_of(static_cast<std::int64_t>(most), "byte")), ExitCode::bad_input);
    content += chunk;
  }
}

std::optional<std::string> read_file_if_exists(const fs::path& path, std::size_t most) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw Error::from_errno("can't read " + path.string(), errno);
  }
  try {
    return read_all(fd.get(), most);
  } catch (Error& e) {
    throw e.with_context(path.string());
  }
}

std::string read_file(const fs::path& path, std::size_t most) {
  if (auto content = read_file_if_exists(path, most)) return std::move(*content);
  throw Error(str("can't read ", path.string(), ": no such file"), ExitCode::not_found);
}

// False when `path` exists already. A file that could not be written whole is removed again.
static bool write_new_file(const fs::path& path, std::string_view content, mode_t mode, bool sync) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd && errno == EEXIST) return false;
  if (!fd) throw Error::from_errno("can't create " + path.string(), errno);
  try {
    write_all(fd.get(), content);
    if (sync && ::fsync(fd.get()) != 0) throw Error::from_errno("fsync", errno);
  } catch (Error& e) {
    ::unlink(path.c_str());
    throw e.with_context("can't write " + path.string());
  }
  return true;
}

void write_file_atomically(const fs::path& path, std::string_view content, mode_t mode) {
  static std::atomic<unsigned> serial{0};
  char host[65] = {};
  ::gethostname(host, sizeof host - 1);
  fs::path temporary;
  do {  // a name may be taken: by one who had our pid and was killed while writing
    const std::string name = str(".", path.filename().string(), ".", host, ".", ::getpid(), ".", serial++);
    temporary = path.parent_path() / name;
  } while (!write_new_file(temporary, content, mode, true));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw Error::from_errno("can't write " + path.string(), error);
  }
}

bool create_directory_exclusively(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return true;
  if (errno == EEXIST) return false;
  throw Error::from_errno("can't create directory " + path.string(), errno, ExitCode::missing_on_host);
}

bool create_file_exclusively(const fs::path& path, std::string_view content, mode_t mode) {
  return write_new_file(path, content, mode, false);
}

void create_directories(const fs::path& path, mode_t mode) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return;
  if (path.has_parent_path() && path.parent_path() != path) create_directories(path.parent_path(), mode);
  if (!create_directory_exclusively(path, mode) && !fs::is_directory(path, ignored))
    throw Error(str("can't create directory ", path.string(), ": a file has that name"), ExitCode::missing_on_host);
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw Error(str("can't remove ", path.string(), ": ", error.message()));
}

Fd open_for_append(const fs::path& path, mode_t mode) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode));
  if (!fd) throw Error::from_errno("can't open " + path.string(), errno);
  return fd;
}

std::vector<std::string> list_directory(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error(str("can't list ", path.string(), ": ", error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

fs::path own_executable() {
  std::error_code error;
  fs::path path = fs::read_symlink("/proc/self/exe", error);
  if (error) throw Error("can't find out which program this is: /proc is not mounted", ExitCode::missing_on_host);
  return path;
}

ProgramLookup find_program(std::string_view program, std::string_view search_path, const fs::path& directory) {
  const auto look = [](const fs::path& path) -> ProgramLookup {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return {};
    return {path, ::access(path.c_str(), X_OK) == 0};
  };
  if (program.find('/') != std::string_view::npos) return look(directory / program);
  ProgramLookup first_found;
  for (const auto& part : split(search_path, ':')) {
    ProgramLookup found = look(directory / (part.empty() ? "." : part) / program);
    if (found.executable) return found;
    if (first_found.found.empty()) first_found = found;
  }
  return first_found;
}

}  // namespace viaduct
