#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/context.h"

// Each sub-command adds itself to the application and stores what to run in `chosen`; the result is the exit code.
namespace viaduct::cli {

using Chosen = std::function<int(Context&)>;

void add_plan(CLI::App& app, Chosen& chosen);
void add_run(CLI::App& app, Chosen& chosen);
void add_submit(CLI::App& app, Chosen& chosen);
void add_supervise(CLI::App& app, Chosen& chosen);
void add_list(CLI::App& app, Chosen& chosen);
void add_status(CLI::App& app, Chosen& chosen);
void add_logs(CLI::App& app, Chosen& chosen);
void add_wait(CLI::App& app, Chosen& chosen);
void add_cancel(CLI::App& app, Chosen& chosen);
void add_delete(CLI::App& app, Chosen& chosen);
void add_suspend(CLI::App& app, Chosen& chosen);
void add_resume(CLI::App& app, Chosen& chosen);
void add_keys(CLI::App& app, Chosen& chosen);
void add_docs(CLI::App& app, Chosen& chosen);

}  // namespace viaduct::cli
