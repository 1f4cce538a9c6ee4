#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace viaduct::cli {

// To be called first: opens /dev/null where standard input, output or error is closed, so that no file of ours gets its
// number; and undoes an ignored SIGCHLD, with which nobody could be waited for.
void set_up_process();

// Parses the command line and runs `body`; turns every Error into one message on standard error ("program: reason",
// then the hint) and an exit code. The only place of a program that catches.
int run_main(CLI::App& app, int argc, char** argv, const std::function<int()>& body);

}  // namespace viaduct::cli
