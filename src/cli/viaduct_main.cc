#include <unistd.h>

#include "cli/commands.h"
#include "cli/main_common.h"

int main(int argc, char** argv) {
  using namespace viaduct::cli;
  set_up_process();
  const auto environment = viaduct::Environment::of_process(environ);

  CLI::App app("Runs Kubeflow TrainJobs as MPI runs.", "viaduct");
  app.set_version_flag("--version", std::string("viaduct " VIADUCT_VERSION));
  app.require_subcommand(1);
  app.footer(
      "A TrainJob (trainer.kubeflow.org/v1alpha1) says what to train; its runtime says how processes find\n"
      "each other. Jobs are kept in $VIADUCT_HOME (default ~/.viaduct). Exit codes: 2 a mistake in the\n"
      "input, 3 not found, 4 conflict, 5 something is missing on this machine, 124 deadline passed,\n"
      "126/127 the program can't be run or found.");
  Chosen chosen;
  for (const auto add : {add_run, add_submit, add_plan, add_list, add_status, add_logs, add_wait, add_cancel,
                         add_suspend, add_resume, add_delete, add_supervise, add_keys, add_docs})
    add(app, chosen);

  return run_main(app, argc, argv, [&] {
    Context context(environment);
    return chosen(context);
  });
}
