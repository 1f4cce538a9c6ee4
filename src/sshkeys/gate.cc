#include "sshkeys/gate.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::sshkeys {
namespace {

constexpr std::size_t longest_command = 128 * 1024;  // bytes; Linux hands no longer word to a program (MAX_ARG_STRLEN)
constexpr std::size_t longest_excerpt = 60;          // bytes of the command that a reason repeats
constexpr std::size_t longest_mca_name = 128;

constexpr std::string_view digits = "0123456789";
constexpr std::string_view name_characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

// Open MPI 4 and PRRTE put this around the command when the account's shell is sh or ksh. No profile is read here.
constexpr std::string_view profile_wrap = "( test ! -r ./.profile || . ./.profile;";

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

std::string quoted(std::string_view text) { return str("\"", abbreviated(text, longest_excerpt), "\""); }

// ---- words ----------------------------------------------------------------------------------------------------------

struct Word {
  std::string text;
  std::size_t column = 1;
  bool bare = true;       // without quotes
  bool variable = false;  // with one of ${}, which only a path list may have
};

[[noreturn]] void refuse(std::size_t column, std::string_view reason) {
  throw Error(str("column ", column, ": ", reason));
}
[[noreturn]] void refuse(const Word& word, std::string_view reason) {
  refuse(word.column, str(quoted(word.text), " ", reason));
}

void check_characters(std::string_view command) {
  if (command.size() > longest_command) throw Error(str("a command of more than ", longest_command, " bytes"));
  const auto wrong = std::ranges::find_if(command, [](char c) { return c < 0x20 || c > 0x7e; });
  if (wrong == command.end()) return;
  refuse(static_cast<std::size_t>(wrong - command.begin()) + 1,
         str("byte ", static_cast<int>(static_cast<unsigned char>(*wrong)), " is not printable ASCII"));
}

// The command, word by word. A word is bare or has quotes around all of it; neither holds anything that a shell would
// act on, but for the ${} of path lists.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {
    skip_blanks();
    wrapped_ = text_.substr(at_).starts_with(profile_wrap);
    if (wrapped_) at_ += profile_wrap.size();
  }

  bool wrapped() const { return wrapped_; }
  std::size_t column() const { return at_ + 1; }

  // After the blanks here.
  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // nullopt at the end and before ')'.
  std::optional<Word> next() {
    if (at_end() || text_[at_] == ')') return std::nullopt;
    Word word = text_[at_] == '"' || text_[at_] == '\'' ? quoted_word() : bare_word();
    if (at_ < text_.size() && !contains(" ;)", text_.substr(at_, 1)))
      refuse(column(), str("'", text_[at_], "' can't be part of a word"));
    return word;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  Word bare_word() {
    static const std::string allowed = str(name_characters, "@%+=:,./^~-${}");
    Word word;
    word.column = column();
    const std::size_t end = std::min(text_.find_first_not_of(allowed, at_), text_.size());
    if (end == at_) refuse(column(), str("'", text_[at_], "' where a word should be"));
    word.text = text_.substr(at_, end - at_);
    word.variable = word.text.find_first_of("${}") != std::string::npos;
    at_ = end;
    return word;
  }
  Word quoted_word() {
    Word word;
    word.column = column();
    word.bare = false;
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) refuse(column(), "this quote is never closed");
    word.text = text_.substr(at_ + 1, end - at_ - 1);
    const std::size_t wrong = word.text.find_first_of("\"`$\\");
    if (wrong != std::string::npos) refuse(column() + 1 + wrong, str("'", word.text[wrong], "' between quotes"));
    at_ = end + 1;
    return word;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool wrapped_ = false;
};

// ---- directories ----------------------------------------------------------------------------------------------------

// "/usr/bin" for "/usr//./bin/"; nullopt when it is not absolute or climbs.
std::optional<std::string> normalised(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::string out;
  for (const auto& part : split(path, '/')) {
    if (part == "..") return std::nullopt;
    if (!part.empty() && part != ".") out += "/" + part;
  }
  return out.empty() ? "/" : out;
}

// "/usr" for "/usr/bin"; "" for "/bin".
std::string parent(const std::string& normal) { return normal.substr(0, normal.rfind('/')); }

// "/usr/lib64/openmpi" is beside "/usr/bin"; nothing is beside "/scratch".
bool is_beside(const std::string& libraries, const std::string& programs) {
  const std::string up = parent(programs) + "/";
  if ((up == "/" && programs != "/bin") || !libraries.starts_with(up)) return false;
  const std::string first = split(libraries.substr(up.size()), '/').front();
  return first == "lib" || first == "lib32" || first == "lib64" || first == "libx32";
}

// One text for all ways to write an address, so that fd00::0:2 is fd00::2; any other text as it is.
std::string canonical_host(const std::string& host) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  in6_addr address{};
  for (const int family : {AF_INET, AF_INET6})
    if (inet_pton(family, host.c_str(), &address) == 1) return inet_ntop(family, &address, text.data(), text.size());
  return host;
}

// The policy, made ready for questions.
class Limits {
 public:
  explicit Limits(const GatePolicy& policy) : policy_(policy) {
    for (const auto& directory : policy.program_directories)
      if (auto normal = normalised(directory)) programs_.push_back(std::move(*normal));
    for (const auto& member : policy.members) members_.insert(canonical_host(member));
  }

  bool has_programs(std::string_view directory) const {
    const auto normal = normalised(directory);
    return normal && std::ranges::find(programs_, *normal) != programs_.end();
  }
  bool has_libraries(std::string_view directory) const {
    const auto normal = normalised(directory);
    return normal && std::ranges::any_of(programs_, [&](const auto& programs) { return is_beside(*normal, programs); });
  }
  bool is_prefix(std::string_view directory) const {
    const auto normal = normalised(directory);
    return normal && std::ranges::any_of(programs_, [&](const auto& p) { return *normal == parent(p); });
  }
  bool is_member(const std::string& host) const { return members_.empty() || members_.contains(canonical_host(host)); }
  bool is_agent(std::string_view program) const { return !policy_.agent.empty() && program == policy_.agent; }
  bool are_ssh_arguments(std::string_view text) const {
    return text.empty() || (!policy_.ssh_config.empty() && text == "-F " + policy_.ssh_config);
  }

 private:
  const GatePolicy& policy_;
  std::vector<std::string> programs_;  // normalised
  std::set<std::string> members_;      // canonical
};

// ---- variables ------------------------------------------------------------------------------------------------------

enum class VariableKind { programs, libraries, prefix, ignored };

struct KnownVariable {
  std::string_view name;
  VariableKind kind;
};

constexpr KnownVariable known_variables[] = {
    {"PATH", VariableKind::programs},
    {"LD_LIBRARY_PATH", VariableKind::libraries},
    {"DYLD_LIBRARY_PATH", VariableKind::ignored},  // macOS's; Open MPI sends it to everybody
    {"PRTE_PREFIX", VariableKind::prefix},
    {"PMIX_PREFIX", VariableKind::prefix},
    {"OPAL_PREFIX", VariableKind::prefix},
};

VariableKind kind_of_variable(const Word& word, std::string_view name) {
  const auto* known = std::ranges::find(known_variables, name, &KnownVariable::name);
  if (known == std::end(known_variables)) refuse(word, "sets a variable that may not be set here");
  return known->kind;
}

// A path list may end in ":$NAME", which Open MPI 4 writes as ":${NAME:-}".
bool take_own_value(std::string_view name, std::string& list) {
  for (const auto& reference : {str(":$", name), str(":${", name, ":-}"), str(":${", name, "}")}) {
    if (!list.ends_with(reference)) continue;
    list.resize(list.size() - reference.size());
    return true;
  }
  return false;
}

bool may_hold(VariableKind kind, const std::string& value, const Limits& limits) {
  const auto each = [&](auto&& allowed) { return std::ranges::all_of(split(value, ':'), allowed); };
  switch (kind) {
    case VariableKind::programs:
      return each([&](const auto& d) { return limits.has_programs(d); });
    case VariableKind::libraries:
      return each([&](const auto& d) { return limits.has_libraries(d); });
    case VariableKind::prefix:
      return limits.is_prefix(value);
    case VariableKind::ignored:
      return true;
  }
  return false;
}

std::optional<Assignment> read_assignment(const Word& word, const Limits& limits) {
  const std::size_t equals = word.text.find('=');
  Assignment out{word.text.substr(0, equals), word.text.substr(equals + 1)};
  const VariableKind kind = kind_of_variable(word, out.name);
  out.prepend = kind != VariableKind::prefix && take_own_value(out.name, out.value);
  if (out.value.find_first_of("${}") != std::string::npos) refuse(word, "expands a variable where it may not");
  if (!may_hold(kind, out.value, limits)) refuse(word, "names a directory that is not allowed");
  // A daemon is found without PATH; with that of its own host it finds the job's ssh, which stands there first.
  const bool has_effect = kind == VariableKind::libraries || kind == VariableKind::prefix;
  return has_effect ? std::optional(std::move(out)) : std::nullopt;
}

// ---- members --------------------------------------------------------------------------------------------------------

void check_member(const Word& word, const std::string& host, const Limits& limits) {
  if (host.empty()) refuse(word, "names no host");
  if (!limits.is_member(host)) refuse(word.column, str(quoted(host), " is not a host of this job"));
}

// "HOST:PORT", an IPv6 address perhaps between brackets.
void check_endpoint(const Word& word, const Limits& limits) {
  const std::size_t colon = word.text.rfind(':');
  if (colon == std::string::npos || !consists_of(word.text.substr(colon + 1), digits)) refuse(word, "is not HOST:PORT");
  std::string host = word.text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  check_member(word, host, limits);
}

// One way to reach a daemon: "tcp://ADDRESS,…:PORT,…[:MASK,…]", "tcp6://[ADDRESS,…]:PORT,…[:MASK,…]".
void check_contact(const Word& word, std::string_view contact, const Limits& limits) {
  const bool six = contact.starts_with("tcp6://[");
  if (!six && !contact.starts_with("tcp://")) refuse(word, "is not NAME;tcp://ADDRESS:PORT…");
  contact.remove_prefix(six ? 8 : 6);
  const std::size_t end = contact.find(six ? "]:" : ":");
  if (end == std::string_view::npos) refuse(word, "has no port");
  const std::string_view ports = contact.substr(end + (six ? 2 : 1));
  if (!consists_of(ports, "0123456789,:")) refuse(word, "has no port");
  for (const auto& host : split(contact.substr(0, end), ',')) check_member(word, host, limits);
}

// How Open MPI's daemons reach each other: "NAME;CONTACT;…".
void check_contacts(const Word& word, const Limits& limits) {
  const auto parts = split(word.text, ';');
  if (parts.size() < 2) refuse(word, "is not NAME;tcp://ADDRESS:PORT…");
  for (std::size_t i = 1; i < parts.size(); ++i) check_contact(word, parts[i], limits);
}

// ---- parameters of Open MPI -----------------------------------------------------------------------------------------

enum class McaRule { any, refused, one_of, ssh_arguments, prefix, libraries, contacts };

struct McaParameter {
  std::string_view pattern;  // of the name; '*' at either end stands for anything
  McaRule rule;
  std::string_view values = {};  // of one_of, between blanks
};

// The first that fits counts; what fits none may have any value. Everything set for mpirun comes to its daemons, so
// what users set must pass unless it makes a daemon run or load something else.
constexpr McaParameter mca_parameters[] = {
    // What starts other daemons and the ranks: *_launch_agent, *_fork_agent, plm_*_agent. In tree-spawn mode a daemon
    // calls ssh itself, and mpirun repeats the agent it was given.
    {"plm_rsh_agent", McaRule::one_of, "ssh"},
    {"plm_ssh_agent", McaRule::one_of, "ssh"},
    {"*agent*", McaRule::refused},
    // Arguments of what starts daemons: an -o ProxyCommand is a command.
    {"plm_rsh_args", McaRule::ssh_arguments},
    {"plm_ssh_args", McaRule::ssh_arguments},
    {"*_args", McaRule::refused},
    // A daemon is one by `env`; other values make it something else. Other ways to start daemons call other programs.
    {"ess", McaRule::one_of, "env"},
    {"plm", McaRule::one_of, "rsh ssh isolated"},
    // Where code is loaded from: mca_base_component_path and its likes; what a daemon sets as the next one's
    // LD_LIBRARY_PATH (plm_*_pass_libpath); libraries put before or into programs.
    {"*component_path*", McaRule::refused},
    {"*_libpath", McaRule::libraries},
    {"*preload*", McaRule::refused},
    {"*_library", McaRule::refused},
    {"*plugin*", McaRule::refused},
    // Files of further parameters (mca_base_param_files, mca_base_override_param_file, mca_base_param_file_prefix …),
    // and variables for whatever is started, LD_PRELOAD among them (mca_base_env_list, mca_base_envar_file_prefix,
    // prte_forward_envars).
    {"*param_file*", McaRule::refused},
    {"*env_list*", McaRule::refused},
    {"*envar*", McaRule::refused},
    // Commands: copy programs (filem_rsh_rcp), notifier_command_cmd, orte_base_user_debugger, orte_xterm, and what is
    // named like one.
    {"filem*", McaRule::refused},
    {"notifier*", McaRule::refused},
    {"*debugger*", McaRule::refused},
    {"*xterm*", McaRule::refused},
    {"*_rsh", McaRule::refused},
    {"*_rcp", McaRule::refused},
    {"*_cmd", McaRule::refused},
    {"*command*", McaRule::refused},
    {"*_exec", McaRule::refused},
    {"*_prog", McaRule::refused},
    {"*_program", McaRule::refused},
    {"*_script", McaRule::refused},
    // With these PMIx lets strangers connect, who may then start processes.
    {"psec*", McaRule::refused},
    {"*remote_connections", McaRule::refused},
    // Whom a daemon obeys (orte_hnp_uri, orte_parent_uri, prte_…), or connects to.
    {"*_uri", McaRule::contacts},
    // Where an MPI is installed, and so loads from. Paths that choose the mapping of ranks are harmless, others
    // unknown.
    {"*_prefix", McaRule::prefix},
    {"rmaps_*", McaRule::any},
    {"*_path", McaRule::refused},
};

bool fits(std::string_view pattern, std::string_view name) {
  const bool open_start = pattern.starts_with('*');
  const bool open_end = pattern.ends_with('*');
  if (open_start) pattern.remove_prefix(1);
  if (open_end) pattern.remove_suffix(1);
  if (open_start && open_end) return contains(name, pattern);
  if (open_start) return name.ends_with(pattern);
  return open_end ? name.starts_with(pattern) : name == pattern;
}

bool is_one_of(std::string_view value, std::string_view values) {
  return std::ranges::any_of(split(values, ' '), [&](const auto& v) { return v == value; });
}

bool is_allowed(const McaParameter& parameter, const Word& value, const Limits& limits) {
  const std::string& text = value.text;
  switch (parameter.rule) {
    case McaRule::any:
      return true;
    case McaRule::refused:
      return false;
    case McaRule::one_of:
      return is_one_of(text, parameter.values);
    case McaRule::ssh_arguments:
      return limits.are_ssh_arguments(text);
    case McaRule::prefix:
      return limits.is_prefix(text);
    case McaRule::libraries:
      return may_hold(VariableKind::libraries, text, limits);
    case McaRule::contacts:
      check_contacts(value, limits);
      return true;
  }
  return false;
}

// ---- options of Hydra -----------------------------------------------------------------------------------------------

enum class OptionValue { none, number, word, ports, host, endpoint, launcher, ssh, program_directory };

struct HydraOption {
  std::string_view name;  // without its one or two dashes
  OptionValue value;
};

// MPICH's proxy, and Intel's, whose options follow the bootstrap proxy's. As seen from MPICH 4.0 and 5.0 and Intel MPI
// 2021.18. Left out, although the proxies know them: what says which program to run with which variables (exec, env,
// gtool-…, preload); that comes over the control connection.
constexpr HydraOption pmi_proxy_options[] = {
    {"control-port", OptionValue::endpoint},
    {"proxy-id", OptionValue::number},
    {"pgid", OptionValue::number},
    {"debug", OptionValue::none},
    {"rmk", OptionValue::word},
    {"launcher", OptionValue::launcher},
    {"launcher-exec", OptionValue::ssh},
    {"demux", OptionValue::word},
    {"iface", OptionValue::word},
    {"retries", OptionValue::number},
    {"usize", OptionValue::number},
    {"pmi-port", OptionValue::number},
    {"gpus-per-proc", OptionValue::number},
    {"gpu-subdevs-per-proc", OptionValue::number},
    {"auto-cleanup", OptionValue::number},
    {"fault-continue", OptionValue::number},
    {"abort-signal", OptionValue::number},
    {"stdin", OptionValue::word},
};

// Intel's, which starts those below it in a tree, by `launcher` and from `base-path`.
constexpr HydraOption bootstrap_proxy_options[] = {
    {"upstream-host", OptionValue::host},
    {"upstream-port", OptionValue::number},
    {"port-range", OptionValue::ports},
    {"pgid", OptionValue::number},
    {"launcher", OptionValue::launcher},
    {"launcher-number", OptionValue::number},
    {"launcher-exec", OptionValue::ssh},
    {"launch-type", OptionValue::number},
    {"base-path", OptionValue::program_directory},
    {"tree-width", OptionValue::number},
    {"tree-level", OptionValue::number},
    {"subtree-size", OptionValue::number},
    {"proxy-id", OptionValue::number},
    {"node-id", OptionValue::number},
    {"time-left", OptionValue::number},
    {"iface", OptionValue::word},
    {"v6", OptionValue::none},
    {"debug", OptionValue::none},
};

bool is_allowed(OptionValue kind, const Word& value, const Limits& limits) {
  const std::string& text = value.text;
  switch (kind) {
    case OptionValue::none:
      return true;
    case OptionValue::number:
      return parse_integer(text).has_value();
    case OptionValue::word:
      return !text.empty() && !text.starts_with('-');
    case OptionValue::ports:
      return consists_of(text, "0123456789:,-") && !text.starts_with('-');
    case OptionValue::host:
      check_member(value, text, limits);
      return !text.starts_with('-');
    case OptionValue::endpoint:
      check_endpoint(value, limits);
      return !text.starts_with('-');
    case OptionValue::launcher:
      return is_one_of(text, "ssh rsh fork");
    case OptionValue::ssh:
      return text == "ssh";
    case OptionValue::program_directory:
      return limits.has_programs(text);
  }
  return false;
}

// ---- the command ----------------------------------------------------------------------------------------------------

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "name" for "-name" and "--name"; "" for anything else.
std::string_view option_name(const Word& word) {
  std::string_view name = word.text;
  if (!word.bare || !name.starts_with('-')) return {};
  name.remove_prefix(name.starts_with("--") ? 2 : 1);
  return name.starts_with('-') ? std::string_view() : name;
}

class Judge {
 public:
  Judge(std::string_view command, const GatePolicy& policy) : limits_(policy), words_(command) {}

  GatedCommand judge() {
    Word program = take_variables();
    if (program.bare && program.text == "exec") program = need("a program");
    take_program(program);
    if (words_.wrapped() && !words_.take(')')) refuse(words_.column(), "the bracket around the command is not closed");
    if (!words_.at_end()) refuse(words_.column(), "something after the command");
    return std::move(command_);
  }

 private:
  // No word with a variable leaves here.
  std::optional<Word> next() {
    auto word = words_.next();
    if (word && word->variable) refuse(*word, "expands a variable where it may not");
    return word;
  }
  Word need(std::string_view what) {
    auto word = next();
    if (!word) refuse(words_.column(), str("the end where ", what, " should be"));
    return std::move(*word);
  }
  void keep(const Word& word) { command_.argv.push_back(word.text); }

  // The list of NAME=value and `export NAME` in front; gives the word after it.
  Word take_variables() {
    while (auto word = words_.next()) {
      if (word->bare && word->text == "export") {
        const Word name = need("a variable");
        kind_of_variable(name, name.text);
      } else if (word->bare && contains(word->text, "=")) {
        if (auto assignment = read_assignment(*word, limits_)) command_.environment.push_back(std::move(*assignment));
      } else {
        if (word->variable) refuse(*word, "expands a variable where it may not");
        return std::move(*word);
      }
      if (!words_.take(';')) refuse(words_.column(), "no ';' after a variable");
    }
    refuse(words_.column(), "no program to start");
  }

  void take_program(const Word& program) {
    command_.argv.emplace_back(base_name(program.text));
    if (limits_.is_agent(program.text)) {
      command_.program = program.text;
      return take_relay();
    }
    check_directory(program);
    command_.program = normalised(program.text).value_or(program.text);
    const std::string& name = command_.argv[0];
    if (name == "orted" || name == "prted") return take_mca_options();
    if (name == "hydra_pmi_proxy") return take_pmi_proxy_options();
    if (name == "hydra_bstrap_proxy") return take_bootstrap_proxy_options();
    refuse(program, "is not a program that may be started here");
  }

  void check_directory(const Word& program) {
    const std::size_t slash = program.text.rfind('/');
    if (slash != std::string::npos && !limits_.has_programs(program.text.substr(0, slash + 1)))
      refuse(program, "is not in a directory from which programs may be started");
  }

  void take_relay() {
    if (const Word relay = need("relay"); !relay.bare || relay.text != "relay")
      refuse(relay, "is not what the agent may be asked for");
    command_.argv.emplace_back("relay");
    while (const auto word = next()) {
      if (!word->bare) refuse(*word, "is quoted, which relay does not need");
      keep(*word);
    }
  }

  void take_mca_options() {
    constexpr std::string_view triples = "mca gmca omca gomca prtemca gprtemca pmixmca gpmixmca";
    constexpr std::string_view flags =
        "tree-spawn daemonize allow-run-as-root hetero-nodes leave-session-attached debug debug-daemons "
        "debug-daemons-file report-bindings set-sid";
    while (const auto word = next()) {
      const std::string_view name = option_name(*word);
      keep(*word);
      if (is_one_of(name, triples)) {
        take_parameter();
      } else if (!is_one_of(name, flags)) {
        refuse(*word, str("is not an option that ", command_.argv[0], " may have"));
      }
    }
  }

  void take_parameter() {
    const Word name = need("the name of a parameter");
    const Word value = need("the value of a parameter");
    if (!consists_of(name.text, name_characters) || name.text.size() > longest_mca_name)
      refuse(name, "is not the name of a parameter");
    const auto* known = std::ranges::find_if(mca_parameters, [&](const auto& p) { return fits(p.pattern, name.text); });
    const bool allowed = known == std::end(mca_parameters) || is_allowed(*known, value, limits_);
    if (!allowed) refuse(name, "may not be set here, or not to this");
    const bool arguments = known != std::end(mca_parameters) && known->rule == McaRule::ssh_arguments;
    if (value.text.starts_with('-') && !arguments && !parse_integer(value.text))
      refuse(value, "looks like an option where a value should be");
    // Of several the largest rank and the smallest size count.
    if (name.text == "ess_base_vpid") vpid_ = std::max(vpid_.value_or(0), whole_number(value));
    if (name.text == "ess_base_num_procs") size_ = std::min(size_.value_or(INT64_MAX), whole_number(value));
    if (vpid_ && size_ && *vpid_ >= *size_)
      refuse(name, str("makes the daemon number ", *vpid_, " of ", *size_, " from 0"));
    keep(name);
    keep(value);
  }

  static std::int64_t whole_number(const Word& word) {
    const auto number = parse_integer(word.text);
    if (!number || *number < 0) refuse(word, "is not a whole number");
    return *number;
  }

  template <std::size_t N>
  void take_hydra_option(const Word& word, const HydraOption (&options)[N]) {
    const std::string_view name = option_name(word);
    const auto* known = std::ranges::find(options, name, &HydraOption::name);
    if (known == std::end(options)) refuse(word, str("is not an option that ", command_.argv[0], " may have"));
    keep(word);
    if (known->value == OptionValue::none) return;
    const Word value = need("the value of an option");
    if (!is_allowed(known->value, value, limits_)) refuse(value, str("is no value for ", word.text));
    keep(value);
  }

  void take_pmi_proxy_options() {
    while (const auto word = next()) take_hydra_option(*word, pmi_proxy_options);
  }

  // Intel's bootstrap proxy gets, after its own options, the proxy to start on its host, with that one's options.
  void take_bootstrap_proxy_options() {
    while (const auto word = next()) {
      if (base_name(word->text) != "hydra_pmi_proxy") {
        take_hydra_option(*word, bootstrap_proxy_options);
        continue;
      }
      check_directory(*word);
      keep(*word);
      return take_pmi_proxy_options();
    }
  }

  Limits limits_;
  Words words_;
  GatedCommand command_;
  std::optional<std::int64_t> vpid_;  // the daemon's rank, and how many daemons there are, as told
  std::optional<std::int64_t> size_;
};

}  // namespace

std::variant<GatedCommand, GateRefusal> judge_command(std::string_view command, const GatePolicy& policy) {
  try {
    check_characters(command);
    return Judge(command, policy).judge();
  } catch (const Error& error) {
    return GateRefusal{error.what()};
  }
}

}  // namespace viaduct::sshkeys
