#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "sshkeys/gate.h"

using namespace viaduct;

namespace {

const sshkeys::GatePolicy policy = {{"/usr/bin", "/opt/openmpi5/bin", "/opt/mpich5/bin/", "/opt/intel/bin"},
                                    {"192.0.2.2", "fd00::2", "127.0.0.1", "vm", "foo"},
                                    "/opt/viaduct/viaduct-agent",
                                    "/etc/viaduct/ssh_config"};

void require(bool fact) {
  if (!fact) std::abort();
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

// The directory without "//", "/./" and a slash at the end, found otherwise than the gate does.
std::string tidied(std::string directory) {
  directory += '/';
  for (const std::string_view waste : {"/./", "//"})
    for (auto at = directory.find(waste); at != std::string::npos; at = directory.find(waste))
      directory.replace(at, waste.size(), "/");
  directory.pop_back();
  return directory;
}

bool has_programs(const std::string& directory) {
  return std::ranges::any_of(policy.program_directories,
                             [&](const auto& allowed) { return tidied(allowed) == tidied(directory); });
}

bool has_libraries(const std::string& directory) {
  return !contains(str(directory, "/"), "/../") &&
         std::ranges::any_of(policy.program_directories, [&](const auto& allowed) {
           const std::string bin = tidied(allowed);
           return tidied(directory).starts_with(bin.substr(0, bin.size() - 3) + "lib");
         });
}

void check_environment(const sshkeys::Assignment& variable) {
  require(is_printable(variable.value) && !contains(variable.value, "$"));
  if (variable.name == "PATH") {
    require(std::ranges::all_of(split(variable.value, ':'), has_programs));
  } else if (variable.name == "LD_LIBRARY_PATH") {
    require(std::ranges::all_of(split(variable.value, ':'), has_libraries));
  } else {
    require(variable.name == "PRTE_PREFIX" || variable.name == "PMIX_PREFIX" || variable.name == "OPAL_PREFIX");
    require(has_programs(variable.value + "/bin"));
  }
}

void check_command(const sshkeys::GatedCommand& command) {
  require(!command.argv.empty() && std::ranges::all_of(command.argv, is_printable));
  const std::string& name = command.argv[0];
  if (command.program == policy.agent) {
    require(name == "viaduct-agent" && command.argv.size() > 1 && command.argv[1] == "relay");
  } else {
    require(name == "orted" || name == "prted" || name == "hydra_pmi_proxy" || name == "hydra_bstrap_proxy");
    const auto slash = command.program.rfind('/');
    require(command.program.substr(slash + 1) == name);
    require(slash == std::string::npos || has_programs(command.program.substr(0, slash)));
  }
  std::ranges::for_each(command.environment, check_environment);
}

// The text with every quoted part as "Q"; aborts where a shell would look into the quotes.
std::string without_quotes(std::string_view text) {
  std::string out;
  char quote = 0;
  for (const char c : text) {
    require(is_printable({&c, 1}) && c != '`' && c != '\\');
    if (quote != 0) {
      require(c != '$');
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
      out += 'Q';
    } else {
      out += c;
    }
  }
  require(quote == 0);
  return out;
}

// What a shell would do with an accepted text: set variables and start one program.
void check_text(std::string_view text) {
  constexpr std::string_view wrap = "( test ! -r ./.profile || . ./.profile;";
  std::string bare = without_quotes(text);
  bare.erase(0, bare.find_first_not_of(' '));
  if (bare.starts_with(wrap)) {
    bare.erase(0, wrap.size());
    bare.resize(bare.find_last_not_of(' ') + 1);
    require(bare.ends_with(')'));
    bare.pop_back();
  }
  auto statements = split(bare, ';');
  require(statements.back().find('$') == std::string::npos);
  statements.pop_back();
  for (const auto& statement : statements) require(trim(statement).starts_with("export ") || contains(statement, "="));
  require(bare.find_first_of("|&<>()#*?[]!") == std::string::npos);
  for (auto at = bare.find('$'); at != std::string::npos; at = bare.find('$', at + 1))
    require(at > 0 && bare[at - 1] == ':');
}

}  // namespace

// What is accepted starts one of the few programs, with nothing left for a shell; what is refused is told in one line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto verdict = sshkeys::judge_command(text, policy);
  if (const auto* refusal = std::get_if<sshkeys::GateRefusal>(&verdict)) {
    require(!refusal->reason.empty() && refusal->reason.size() < 200 && printable(refusal->reason) == refusal->reason);
    require(!contains(refusal->reason, "\n"));
    return 0;
  }
  check_command(std::get<sshkeys::GatedCommand>(verdict));
  check_text(text);
  return 0;
}
