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

// What to say of a command line CLI11 could not take: the reason and the way out. CLI11 itself says of a misspelt
// sub-command only that one is required.
static std::pair<std::string, std::string> usage_error(const CLI::App& app, const std::string& reason, int argc,
                                                       char** argv) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({}))
    if (!command->get_group().empty()) names.push_back(command->get_name());
  const std::string first = argc > 1 ? argv[1] : "";
  if (std::find(names.begin(), names.end(), first) != names.end())
    return {reason, str("`", app.get_name(), " ", first, " --help` shows how to call it")};
  if (first.empty() || first.starts_with("-"))
    return {reason, str("`", app.get_name(), " --help` shows how to call it")};
  const auto near = nearest(first, names);
  return {str("there is no command \"", first, "\""),
          near ? str("did you mean `", app.get_name(), " ", *near, "`?") : str("there are: ", join(names, ", "))};
}

int run_main(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const auto [reason, hint] = usage_error(app, e.what(), argc, argv);
    complain(app.get_name(), reason, hint);
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
