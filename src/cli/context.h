#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/environment.h"
#include "bridge/inputs.h"
#include "bridge/job_store.h"
#include "bridge/local_backend.h"
#include "cli/terminal.h"

namespace viaduct::cli {

// What main reads once and hands to every command.
struct Context {
  explicit Context(Environment process_environment);

  Environment environment;
  SystemClock clock;
  Terminal terminal;
  std::filesystem::path executable;
  std::filesystem::path agent;  // viaduct-agent, beside viaduct
  bridge::JobStore store;       // $VIADUCT_HOME, else ~/.viaduct
  bridge::RuntimeSearch runtimes;

  std::unique_ptr<bridge::Backend> local_backend() const {
    return std::make_unique<bridge::LocalBackend>(store, agent, environment);
  }
};

}  // namespace viaduct::cli
