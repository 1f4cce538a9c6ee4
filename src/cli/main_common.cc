#include "cli/main_common.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::cli {

void set_up_process() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", O_RDWR);  // takes the lowest number that is free: this one
  ::signal(SIGCHLD, SIG_DFL);
}

static void complain(const std::string& program, const std::string& reason, const std::string& hint) {
  std::string text = str(program, ": ", printable(reason), "\n");
  if (!hint.empty()) text += str("  hint: ", printable(hint), "\n");
  std::cerr << text << std::flush;
}

// CLI11 says only that there is an argument too many when a sub-command is misspelt.
static std::string usage_hint(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({}))
    if (!command->get_group().empty()) names.push_back(command->get_name());
  const std::string first = argc > 1 ? argv[1] : "";
  const auto near = first.starts_with("-") || std::find(names.begin(), names.end(), first) != names.end()
                        ? std::nullopt
                        : nearest(first, names);
  return near ? str("did you mean `", app.get_name(), " ", *near, "`?")
              : str("`", app.get_name(),
                    argc > 1 && std::find(names.begin(), names.end(), first) != names.end() ? " " + first : "",
                    " --help` shows how to call it");
}

int run_main(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    complain(app.get_name(), e.what(), usage_hint(app, argc, argv));
    return static_cast<int>(ExitCode::bad_input);
  }
  try {
    return body();
  } catch (const Error& e) {
    complain(app.get_name(), e.what(), e.hint());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    complain(app.get_name(), str("unexpected: ", e.what()), "");
    return static_cast<int>(ExitCode::failure);
  }
}

}  // namespace viaduct::cli
