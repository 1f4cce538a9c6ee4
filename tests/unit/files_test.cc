#include "base/files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>

#include "base/error.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct {
namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "viaduct-files-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error::from_errno("mkdtemp", errno);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

void make_file(const fs::path& path, mode_t mode, std::string_view content = "") {
  REQUIRE(create_file_exclusively(path, content));
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("files: what is written reads back, byte for byte") {
  const TemporaryDirectory directory;
  const fs::path path = directory.path() / "f";
  std::string content(200'000, 'x');
  content += std::string("\0\n\r\xFF", 4);
  write_file_atomically(path, content);
  CHECK(read_file(path) == content);
  write_file_atomically(path, "");
  CHECK(read_file(path).empty());
}

TEST_CASE("files: a file that is not there is not_found, or nothing where that is allowed") {
  const TemporaryDirectory directory;
  const fs::path missing = directory.path() / "missing";
  CHECK_FALSE(read_file_if_exists(missing));
  make_file(directory.path() / "f", 0644);
  CHECK_FALSE(read_file_if_exists(directory.path() / "f" / "below"));
  try {
    read_file(missing);
    FAIL("a missing file was read");
  } catch (const Error& e) {
    CHECK(e.code() == ExitCode::not_found);
    CHECK(std::string(e.what()).find(missing.string()) != std::string::npos);
  }
}

TEST_CASE("files: a directory read as a file is an Error naming it") {
  const TemporaryDirectory directory;
  CHECK_THROWS_WITH(read_file_if_exists(directory.path()), Catch::Contains(directory.path().string()));
}

TEST_CASE("files: an atomic write replaces the file and leaves nothing beside it") {
  const TemporaryDirectory directory;
  write_file_atomically(directory.path() / "f", "one");
  write_file_atomically(directory.path() / "f", "two");
  CHECK(read_file(directory.path() / "f") == "two");
  CHECK(list_directory(directory.path()) == std::vector<std::string>{"f"});
}

TEST_CASE("files: a reader of the old file keeps the old content") {
  const TemporaryDirectory directory;
  write_file_atomically(directory.path() / "f", "one");
  const Fd old(::open((directory.path() / "f").c_str(), O_RDONLY | O_CLOEXEC));
  write_file_atomically(directory.path() / "f", "two");
  CHECK(read_all(old.get()) == "one");
}

TEST_CASE("files: a file has its mode from birth, cut by the umask and never widened") {
  const TemporaryDirectory directory;
  const fs::path path = directory.path() / "f";
  {
    const Umask umask(0);
    write_file_atomically(path, "x", 0600);
    CHECK(mode_of(path) == 0600);
    write_file_atomically(path, "x", 0644);
    CHECK(mode_of(path) == 0644);
    CHECK(create_file_exclusively(directory.path() / "key", "x", 0600));
    CHECK(mode_of(directory.path() / "key") == 0600);
  }
  const Umask umask(077);
  write_file_atomically(path, "x", 0644);
  CHECK(mode_of(path) == 0600);
  CHECK(create_directory_exclusively(directory.path() / "d", 0755));
  CHECK(mode_of(directory.path() / "d") == 0700);
}

TEST_CASE("files: a write that fails leaves no temporary file and the old content") {
  const TemporaryDirectory directory;
  CHECK(create_directory_exclusively(directory.path() / "taken"));
  CHECK(create_file_exclusively(directory.path() / "taken" / "f", "x"));
  CHECK_THROWS_AS(write_file_atomically(directory.path() / "taken", "x"), Error);
  CHECK(list_directory(directory.path()) == std::vector<std::string>{"taken"});
  CHECK_THROWS_WITH(write_file_atomically(directory.path() / "missing" / "f", "x"), Catch::Contains("No such file"));
}

TEST_CASE("files: a write that runs out of space leaves no temporary file") {
  const TemporaryDirectory directory;
  write_file_atomically(directory.path() / "f", "old");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // a file size limit stands for a full disk
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int failures = 0;
    try {
      write_file_atomically(directory.path() / "f", std::string(100'000, 'x'));
    } catch (const Error&) {
      ++failures;
    }
    try {
      create_file_exclusively(directory.path() / "g", std::string(100'000, 'x'));
    } catch (const Error&) {
      ++failures;
    }
    ::_exit(failures);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 2);
  CHECK(read_file(directory.path() / "f") == "old");
  CHECK(list_directory(directory.path()) == std::vector<std::string>{"f"});
}

TEST_CASE("files: what a killed writer left behind does not stop the next one") {
  const TemporaryDirectory directory;
  char host[65] = {};
  REQUIRE(::gethostname(host, sizeof host - 1) == 0);
  for (int serial = 0; serial < 300; ++serial)
    make_file(directory.path() / str(".f.", host, ".", ::getpid(), ".", serial), 0600);
  write_file_atomically(directory.path() / "f", "x");
  CHECK(read_file(directory.path() / "f") == "x");
}

TEST_CASE("files: of two who create a file or directory exclusively one succeeds") {
  const TemporaryDirectory directory;
  CHECK(create_file_exclusively(directory.path() / "f", "one"));
  CHECK_FALSE(create_file_exclusively(directory.path() / "f", "two"));
  CHECK(read_file(directory.path() / "f") == "one");
  CHECK(create_directory_exclusively(directory.path() / "d"));
  CHECK_FALSE(create_directory_exclusively(directory.path() / "d"));
  CHECK_FALSE(create_file_exclusively(directory.path() / "d", ""));
  CHECK_THROWS_AS(create_file_exclusively(directory.path() / "missing" / "f", ""), Error);
  CHECK_THROWS_AS(create_directory_exclusively(directory.path() / "missing" / "d"), Error);
}

TEST_CASE("files: an exclusive create does not follow a link") {
  const TemporaryDirectory directory;
  fs::create_symlink(directory.path() / "elsewhere", directory.path() / "link");
  CHECK_FALSE(create_file_exclusively(directory.path() / "link", "x"));
  CHECK_FALSE(fs::exists(directory.path() / "elsewhere"));
}

TEST_CASE("files: create_directories makes all parents and is content when they are there") {
  const TemporaryDirectory directory;
  viaduct::create_directories(directory.path() / "a" / "b" / "c");
  viaduct::create_directories(directory.path() / "a" / "b" / "c" / "");
  CHECK(fs::is_directory(directory.path() / "a" / "b" / "c"));
}

TEST_CASE("files: create_directories says so when a file is in the way") {
  const TemporaryDirectory directory;
  make_file(directory.path() / "f", 0644);
  CHECK_THROWS_AS(viaduct::create_directories(directory.path() / "f"), Error);
  CHECK_THROWS_AS(viaduct::create_directories(directory.path() / "f" / "d"), Error);
}

TEST_CASE("files: remove_tree removes everything, follows no link, and is content with nothing") {
  const TemporaryDirectory directory;
  viaduct::create_directories(directory.path() / "kept");
  make_file(directory.path() / "kept" / "f", 0644);
  viaduct::create_directories(directory.path() / "tree" / "a" / "b");
  make_file(directory.path() / "tree" / "a" / "f", 0400);
  fs::create_directory_symlink(directory.path() / "kept", directory.path() / "tree" / "link");
  remove_tree(directory.path() / "tree");
  CHECK_FALSE(fs::exists(directory.path() / "tree"));
  CHECK(fs::exists(directory.path() / "kept" / "f"));
  remove_tree(directory.path() / "tree");
}

TEST_CASE("files: a directory is listed sorted, with hidden entries; a missing one is empty") {
  const TemporaryDirectory directory;
  for (const char* name : {"b", ".hidden", "a"}) make_file(directory.path() / name, 0644);
  CHECK(list_directory(directory.path()) == std::vector<std::string>{".hidden", "a", "b"});
  CHECK(list_directory(directory.path() / "missing").empty());
  CHECK_THROWS_AS(list_directory(directory.path() / "a"), Error);
}

TEST_CASE("files: appending creates the file and never overwrites") {
  const TemporaryDirectory directory;
  for (const char* line : {"one\n", "two\n"}) write_all(open_for_append(directory.path() / "log").get(), line);
  CHECK(read_file(directory.path() / "log") == "one\ntwo\n");
  CHECK_THROWS_AS(open_for_append(directory.path() / "missing" / "log"), Error);
}

TEST_CASE("files: the own executable is the program that runs") { CHECK(fs::exists(own_executable())); }

TEST_CASE("files: a program is searched along the path, first come first found") {
  const TemporaryDirectory directory;
  for (const char* name : {"a", "b"}) viaduct::create_directories(directory.path() / name);
  make_file(directory.path() / "a" / "only-data", 0644);
  make_file(directory.path() / "b" / "only-data", 0755);
  make_file(directory.path() / "a" / "both", 0755);
  make_file(directory.path() / "b" / "both", 0755);
  viaduct::create_directories(directory.path() / "a" / "folder");
  const std::string path = str((directory.path() / "a").string(), ":", (directory.path() / "b").string());
  CHECK(find_program("both", path, "/").found == directory.path() / "a" / "both");
  CHECK(find_program("only-data", path, "/").found == directory.path() / "b" / "only-data");
  CHECK(find_program("only-data", path, "/").executable);
  CHECK(find_program("folder", path, "/").found.empty());
  CHECK(find_program("missing", path, "/").found.empty());
  CHECK(find_program("", path, "/").found.empty());
}

TEST_CASE("files: a program that is there but may not be executed is told apart") {
  const TemporaryDirectory directory;
  make_file(directory.path() / "data", 0644);
  const ProgramLookup lookup = find_program("data", directory.path().string(), "/");
  CHECK(lookup.found == directory.path() / "data");
  CHECK_FALSE(lookup.executable);
}

TEST_CASE("files: a program with a slash is taken relative to the directory, not along the path") {
  const TemporaryDirectory directory;
  viaduct::create_directories(directory.path() / "bin");
  make_file(directory.path() / "bin" / "tool", 0755);
  CHECK(find_program("bin/tool", "/nowhere", directory.path()).executable);
  CHECK(find_program("./bin/tool", "", directory.path()).executable);
  CHECK(find_program((directory.path() / "bin" / "tool").string(), "", "/").executable);
  CHECK(find_program("./tool", (directory.path() / "bin").string(), directory.path()).found.empty());
  CHECK(find_program("tool", "bin", directory.path()).executable);
  CHECK(find_program("tool", ":/nowhere", directory.path() / "bin").executable);
}

}  // namespace viaduct
