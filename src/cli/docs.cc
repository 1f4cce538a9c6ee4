#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"

// Writes man pages and shell completions from the command line's own description, so that they can't differ from it.
namespace viaduct::cli {
namespace {

namespace fs = std::filesystem;

std::vector<const CLI::App*> visible_commands(const CLI::App& app) {
  std::vector<const CLI::App*> commands;
  for (const CLI::App* command : app.get_subcommands({}))
    if (!command->get_group().empty()) commands.push_back(command);
  return commands;
}

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (out.starts_with(".") || out.starts_with("'")) out = "\\&" + out;
  return out;
}

std::string synopsis(const CLI::App& command) {
  std::string out;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) out += str(" ", option->get_name(true), option->get_expected_max() > 1 ? "..." : "");
  }
  return "[OPTION...]" + out;
}

std::string option_names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const auto& name : option.get_snames()) names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) names.push_back("--" + name);
  const std::string value = option.get_expected_max() > 0 ? " VALUE" : "";
  return join(names, ", ") + value;
}

std::string options_section(const CLI::App& command) {
  std::string out;
  for (const CLI::Option* option : command.get_options()) {
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += str(" (default: ", option->get_default_str(), ")");
    const std::string name = option->get_positional() ? option->get_name(true) : option_names(*option);
    out += str(".TP\n.B ", roff(name), "\n", roff(text), "\n");
  }
  return out;
}

// "viaduct keys create": a command with those it belongs to.
std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent ? str(full_name(*parent), " ", command.get_name()) : command.get_name();
}

std::string man_page(const CLI::App& app, const CLI::App& command, const std::string& name) {
  std::string out = str(".TH ", name, " 1 \"\" \"viaduct " VIADUCT_VERSION "\"\n.SH NAME\n", roff(name), " \\- ",
                        roff(command.get_description()), "\n");
  const auto commands = visible_commands(command);
  out += str(".SH SYNOPSIS\n.B ", roff(full_name(command)), "\n",
             roff(commands.empty() ? synopsis(command) : "COMMAND [OPTION...]"), "\n");
  if (!command.get_footer().empty()) out += str(".SH DESCRIPTION\n", roff(command.get_footer()), "\n");
  out += str(".SH OPTIONS\n", options_section(command));
  if (!commands.empty()) {
    out += ".SH COMMANDS\n";
    for (const CLI::App* sub : commands)
      out += str(".TP\n.B ", roff(sub->get_name()), "\n", roff(sub->get_description()), "; see ",
                 roff(str(name, "-", sub->get_name())), "(1)\n");
  } else {
    out += str(".SH SEE ALSO\n.BR ", roff(app.get_name()), " (1)\n");
  }
  return out;
}

std::string words_of(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options()) {
    for (const auto& name : option->get_snames()) words.push_back("-" + name);
    for (const auto& name : option->get_lnames()) words.push_back("--" + name);
  }
  return join(words, " ");
}

bool takes_job_names(const CLI::App& command) {
  const auto options = command.get_options();
  return std::any_of(options.begin(), options.end(), [](const CLI::Option* option) {
    return option->get_positional() && option->get_name(true) == "NAME";
  });
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return names;
}

// The commands that have commands of their own, and all that have none.
std::vector<const CLI::App*> groups_of(const CLI::App& app) {
  auto commands = visible_commands(app);
  std::erase_if(commands, [](const CLI::App* command) { return visible_commands(*command).empty(); });
  return commands;
}
std::vector<const CLI::App*> leaves_of(const CLI::App& app) {
  std::vector<const CLI::App*> leaves;
  for (const CLI::App* command : visible_commands(app)) {
    const auto below = visible_commands(*command);
    if (below.empty()) leaves.push_back(command);
    leaves.insert(leaves.end(), below.begin(), below.end());
  }
  return leaves;
}

// "keys create": as typed after the program's name.
std::string typed_name(const CLI::App& app, const CLI::App& command) {
  return full_name(command).substr(app.get_name().size() + 1);
}

std::string bash_completion(const CLI::App& app) {
  std::string groups;
  for (const CLI::App* group : groups_of(app))
    groups += str("    ", group->get_name(), ") if ((COMP_CWORD == 2)); then mapfile -t COMPREPLY < <(compgen -W \"",
                  join(names_of(visible_commands(*group)), " "),
                  "\" -- \"$current\"); return; fi; command+=\" ${COMP_WORDS[2]}\" ;;\n");
  std::string cases;
  for (const CLI::App* command : leaves_of(app)) {
    const std::string operands = takes_job_names(*command) ? "$(viaduct list -o name 2>/dev/null)" : "";
    cases += str("    '", typed_name(app, *command), "') words=\"", words_of(*command), "\"; operands=\"", operands,
                 "\" ;;\n");
  }
  return str(
      "# bash completion for viaduct\n_viaduct() {\n  local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} "
      "words operands=\n"
      "  if ((COMP_CWORD == 1)); then\n    mapfile -t COMPREPLY < <(compgen -W \"",
      join(names_of(visible_commands(app)), " "), " ", words_of(app),
      "\" -- \"$current\")\n    return\n  fi\n"
      "  case $command in\n",
      groups,
      "  esac\n"
      "  case ${COMP_WORDS[COMP_CWORD-1]} in\n    -o|--output) mapfile -t COMPREPLY < <(compgen -W \"text table yaml "
      "json name\" -- \"$current\"); return ;;\n  esac\n"
      "  case $command in\n",
      cases,
      "    *) return ;;\n  esac\n"
      "  if [[ $current == -* ]]; then\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
      "  elif [[ -n $operands ]]; then\n    mapfile -t COMPREPLY < <(compgen -W \"$operands\" -- \"$current\")\n"
      "  else\n    compopt -o filenames 2>/dev/null\n    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n  "
      "fi\n}\n"
      "complete -F _viaduct viaduct\n");
}

std::string quoted(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else if (c == '[' || c == ']' || c == ':') {
      out += str("\\", c);
    } else {
      out += c;
    }
  }
  return out;
}

// The names and descriptions of an app's commands, for _describe.
std::string zsh_commands(const CLI::App& app) {
  std::string out;
  for (const CLI::App* command : visible_commands(app))
    out += str("    '", command->get_name(), ":", quoted(command->get_description()), "'\n");
  return out;
}

std::string zsh_completion(const CLI::App& app) {
  std::string groups;
  for (const CLI::App* group : groups_of(app))
    groups += str("    ", group->get_name(), ")\n  commands=(\n", zsh_commands(*group),
                  "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n"
                  "  command+=\" $words[2]\"\n  shift words\n  ((CURRENT--)) ;;\n");
  std::string cases;
  for (const CLI::App* command : leaves_of(app)) {
    cases += str("    '", typed_name(app, *command), "') _arguments");
    for (const CLI::Option* option : command->get_options()) {
      const std::string value = option->get_expected_max() > 0 ? ":value:" : "";
      for (const auto& name : option->get_lnames())
        cases += str(" '--", name, "[", quoted(option->get_description()), "]", value, "'");
      for (const auto& name : option->get_snames())
        cases += str(" '-", name, "[", quoted(option->get_description()), "]", value, "'");
    }
    cases +=
        takes_job_names(*command) ? " '*:job:($(viaduct list -o name 2>/dev/null))' ;;\n" : " '*:file:_files' ;;\n";
  }
  return str("#compdef viaduct\n_viaduct() {\n  local -a commands\n  commands=(\n", zsh_commands(app),
             "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n  local "
             "command=$words[2]\n  shift words\n  ((CURRENT--))\n"
             "  case $command in\n",
             groups, "  esac\n  case $command in\n", cases, "  esac\n}\n_viaduct \"$@\"\n");
}

std::string fish_completion(const CLI::App& app) {
  std::string out = "# fish completion for viaduct\ncomplete -c viaduct -f\n";
  const auto text = [](const std::string& description) { return shell_quote(description); };
  const auto seen = [](const std::string& names) { return "__fish_seen_subcommand_from " + names; };
  for (const CLI::App* command : visible_commands(app))
    out += str("complete -c viaduct -n __fish_use_subcommand -a ", command->get_name(), " -d ",
               text(command->get_description()), "\n");
  for (const CLI::App* group : groups_of(app))
    for (const CLI::App* command : visible_commands(*group))
      out += str("complete -c viaduct -n '", seen(group->get_name()), "; and not ",
                 seen(join(names_of(visible_commands(*group)), " ")), "' -a ", command->get_name(), " -d ",
                 text(command->get_description()), "\n");
  for (const CLI::App* command : leaves_of(app)) {
    const CLI::App* parent = command->get_parent();
    const std::string here =
        str("complete -c viaduct -n '", parent == &app ? "" : str(seen(parent->get_name()), "; and "),
            seen(command->get_name()), "'");
    out += takes_job_names(*command) ? here + " -a '(viaduct list -o name 2>/dev/null)'\n" : here + " -F\n";
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_positional()) continue;
      std::string line = here;
      for (const auto& name : option->get_snames()) line += " -s " + name;
      for (const auto& name : option->get_lnames()) line += " -l " + name;
      if (option->get_expected_max() > 0) line += " -x";
      out += str(line, " -d ", text(option->get_description()), "\n");
    }
  }
  return out;
}

int write_docs(const CLI::App& app, const fs::path& share) {
  const auto write = [&](const fs::path& path, const std::string& content) {
    viaduct::create_directories((share / path).parent_path());
    write_file_atomically(share / path, content);
  };
  write("man/man1/viaduct.1", man_page(app, app, "viaduct"));
  auto commands = leaves_of(app);
  const auto groups = groups_of(app);
  commands.insert(commands.end(), groups.begin(), groups.end());
  for (const CLI::App* command : commands) {
    std::string name = full_name(*command);
    std::ranges::replace(name, ' ', '-');
    write(str("man/man1/", name, ".1"), man_page(app, *command, name));
  }
  write("bash-completion/completions/viaduct", bash_completion(app));
  write("zsh/site-functions/_viaduct", zsh_completion(app));
  write("fish/vendor_completions.d/viaduct.fish", fish_completion(app));
  return 0;
}

}  // namespace

void add_docs(CLI::App& app, Chosen& chosen) {
  auto share = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("docs", "Write man pages and shell completions (used by the build)");
  command->add_option("DIRECTORY", *share, "The share directory to write to")->required();
  command->group("");
  command->callback([share, &app, &chosen] { chosen = [share, &app](Context&) { return write_docs(app, *share); }; });
}

}  // namespace viaduct::cli
