#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "model/hostlist.h"
#include "sshkeys/trust_bundle.h"

// viaduct keys create, show, rotate and remove: the keys by which the hosts of a job know each other.
namespace viaduct::cli {
namespace {

namespace fs = std::filesystem;
using sshkeys::BundleRecord;
using sshkeys::NodeAddress;
using sshkeys::PublicKey;

// ---- what is asked for ----------------------------------------------------------------------------------------------

constexpr const char* nodes_rule = "write them as in node[01-04]:2222,login or node1=10.0.0.7:2222 or n=[fd00::7]:2222";

std::vector<std::string> split_outside_brackets(std::string_view text) {
  std::vector<std::string> words(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == ',' && depth <= 0) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  std::erase(words, "");
  return words;
}

// Takes ":PORT" off the end of a word, if it is there. A colon between brackets is part of an IPv6 address.
int take_port(std::string& word, int otherwise) {
  const std::size_t colon = word.rfind(':');
  if (colon == std::string::npos || word.find(']', colon) != std::string::npos) return otherwise;
  const auto port = parse_integer(std::string_view(word).substr(colon + 1));
  if (!port || *port < 1 || *port > 65535)
    throw Error(str("--nodes ", printable(abbreviated(word, 100)), ": the port must be 1 to 65535"),
                ExitCode::bad_input, nodes_rule);
  word.resize(colon);
  return static_cast<int>(*port);
}

std::string take_address(std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) return "";
  std::string address = word.substr(equals + 1);
  word.resize(equals);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return address;
}

std::vector<std::string> expand(const std::string& hosts, const std::string& shown) {
  try {
    return model::expand_hostlist(hosts);
  } catch (Error& e) {
    throw e.with_context("--nodes " + shown);
  }
}

std::vector<NodeAddress> parse_nodes(const std::string& text, int default_port) {
  std::vector<NodeAddress> nodes;
  for (auto& word : split_outside_brackets(text)) {
    const std::string shown = printable(abbreviated(word, 100));
    const int port = take_port(word, default_port);
    const std::string address = take_address(word);
    const auto names = expand(word, shown);
    if (names.size() > 1 && !address.empty())
      throw Error(str("--nodes ", shown, ": one address for several nodes"), ExitCode::bad_input, nodes_rule);
    for (const auto& name : names) nodes.push_back({name, address, port});
  }
  if (nodes.empty()) throw Error("--nodes names no node", ExitCode::bad_input, nodes_rule);
  return nodes;
}

fs::path keys_home(const Context& context) { return context.store.home() / "keys"; }

fs::path without_dots(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// Of a job's name, or of a path, which has a slash.
fs::path directory_of(const Context& context, const std::string& text) {
  if (contains(text, "/")) return without_dots(text);
  if (text.empty() || text.starts_with("."))
    throw Error(str("\"", printable(text), "\" is no job's name"), ExitCode::bad_input,
                "a directory is written with a slash: ./mine");
  return keys_home(context) / text;
}

// What `action` makes of the bundle's directory; when there is none, the Error says what there is.
template <typename Action>
auto with_bundle(const Context& context, const std::string& text, const Action& action) {
  try {
    return action(directory_of(context, text));
  } catch (const Error& e) {
    if (e.code() != ExitCode::not_found) throw;
    const auto near = nearest(text, list_directory(keys_home(context)));
    throw Error(e.what(), e.code(), near ? str("did you mean ", *near, "?") : "`viaduct keys create` makes some");
  }
}

// ---- create, rotate, remove -----------------------------------------------------------------------------------------

struct CreateArgs {
  std::string job;
  std::string nodes;
  std::string directory;
  int attempt = 1;
  std::string host_keys = "per-node";
  std::string user;
  std::string agent;
  int port = 2222;
};

std::string whose(const fs::path& directory) {
  return str("  ", (directory / "launcher").string(), " is for the launcher alone, ", (directory / "nodes").string(),
             "/NAME for that node alone\n");
}

int create(Context& context, const CreateArgs& args) {
  sshkeys::BundleLayout layout;
  layout.directory = args.directory.empty() ? keys_home(context) / args.job : without_dots(args.directory);
  layout.addresses = parse_nodes(args.nodes, args.port);
  layout.user = args.user;
  layout.agent = args.agent.empty() ? context.agent.string() : args.agent;
  std::vector<std::string> names;
  for (const auto& node : layout.addresses) names.push_back(node.name);
  const auto host_keys = args.host_keys == "per-job" ? sshkeys::HostKeys::per_job : sshkeys::HostKeys::per_node;
  sshkeys::write_trust_bundle(sshkeys::make_trust_bundle(args.job, args.attempt, names, host_keys), layout);
  context.terminal.out(str(args.job, ": keys of attempt ", args.attempt, " for ",
                           count_of(static_cast<std::int64_t>(names.size()), "node"), "\n", whose(layout.directory)));
  return 0;
}

int rotate(Context& context, const std::string& text) {
  const auto record = with_bundle(context, text, sshkeys::rotate_trust_bundle);
  context.terminal.out(str(record.job, ": new keys, of attempt ", record.attempt, "; the old ones are removed\n",
                           whose(record.layout.directory)));
  return 0;
}

int remove(Context& context, const std::string& text) {
  with_bundle(context, text, [&](const fs::path& directory) {
    sshkeys::remove_trust_bundle(directory);
    context.terminal.out(str(directory.string(), " removed (the files were not overwritten)\n"));
  });
  return 0;
}

// ---- show -----------------------------------------------------------------------------------------------------------

struct FoundKey {
  std::string who;
  std::string address;            // "": nobody connects there
  std::string file;               // below the bundle's directory
  std::string mode;               // "0600"; "" when there is no file
  std::optional<PublicKey> half;  // of the private key, or of the .pub file where the private key can't be read
};

std::string octal(mode_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode));
  return text;
}

// A bundle as it lies there, and what is wrong with it.
class Inspection {
 public:
  explicit Inspection(const BundleRecord& record) : directory_(record.layout.directory) {
    keys_.push_back(look("launcher", "", "launcher/id_ed25519"));
    const auto client = keys_.front().half;
    const auto lines = split(read_text("launcher/known_hosts"), '\n');
    const std::set<std::string> known_hosts(lines.begin(), lines.end());
    read_text("launcher/ssh_config");
    for (const auto& node : record.layout.addresses) {
      const std::string below = str("nodes/", node.name, "/");
      const std::string& host = node.address.empty() ? node.name : node.address;
      const bool six = contains(host, ":");
      keys_.push_back(look(node.name, str(six ? "[" : "", host, six ? "]:" : ":", node.port), below + key_file));
      check_pinned(known_hosts, keys_.back());
      check_authorized(below + "authorized_keys", client);
      read_text(below + "sshd_config");
    }
  }

  const std::vector<FoundKey>& keys() const { return keys_; }
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  static constexpr const char* key_file = "ssh_host_ed25519_key";

  template <typename... Parts>
  void complain(const std::string& file, const Parts&... parts) {
    problems_.push_back(str((directory_ / file).string(), ": ", parts...));
  }

  FoundKey look(const std::string& who, const std::string& address, const std::string& file) {
    FoundKey found{who, address, file, "", std::nullopt};
    const fs::path path = directory_ / file;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
      complain(file, "missing");
    } else {
      const mode_t mode = status.st_mode & 07777U;
      found.mode = octal(mode);
      if ((mode & 077U) != 0) complain(file, "others may use this private key (mode ", found.mode, ", not 0600)");
      try {
        found.half = sshkeys::PrivateKey::read(path).public_key();
      } catch (const Error& e) {
        problems_.emplace_back(e.what());
      }
    }
    if (::lstat(path.parent_path().c_str(), &status) == 0 && (status.st_mode & 022U) != 0)
      problems_.push_back(str(path.parent_path().string(), ": others may put files there (mode ",
                              octal(status.st_mode & 07777U), ", not 0700)"));
    check_public_half(file + ".pub", found.half);
    return found;
  }

  // "" after complaining.
  std::string read_text(const std::string& file) {
    try {
      if (auto text = read_file_if_exists(directory_ / file)) return std::move(*text);
      complain(file, "missing");
    } catch (const Error& e) {
      problems_.emplace_back(e.what());
    }
    return "";
  }

  std::optional<PublicKey> read_public(const std::string& file) {
    const std::string text = read_text(file);
    if (text.empty()) return std::nullopt;
    try {
      return sshkeys::parse_public_key(text.substr(0, text.find('\n')), (directory_ / file).string());
    } catch (const Error& e) {
      problems_.emplace_back(e.what());
      return std::nullopt;
    }
  }

  void check_public_half(const std::string& file, std::optional<PublicKey>& half) {
    const auto written = read_public(file);
    if (half && written && *half != *written) complain(file, "not the public half of the private key beside it");
    if (!half) half = written;
  }

  void check_authorized(const std::string& file, const std::optional<PublicKey>& client) {
    const auto authorized = read_public(file);
    if (client && authorized && *client != *authorized) complain(file, "not the launcher's key");
  }

  void check_pinned(const std::set<std::string>& known_hosts, const FoundKey& node) {
    if (node.half && !known_hosts.contains(str(node.who, " ", node.half->line(""))))
      complain("launcher/known_hosts", "it does not have the key of ", node.who);
  }

  fs::path directory_;
  std::vector<FoundKey> keys_;
  std::vector<std::string> problems_;
};

const char* host_keys_text(const BundleRecord& record) {
  return record.host_keys == sshkeys::HostKeys::per_node ? "per-node" : "per-job";
}

Value to_value(const BundleRecord& record, const Inspection& inspection) {
  Value keys = Value::sequence();
  for (const auto& key : inspection.keys()) {
    Value item = Value::mapping();
    item.set("who", key.who);
    if (!key.address.empty()) item.set("address", key.address);
    item.set("fingerprint", key.half ? Value(key.half->fingerprint()) : Value::null());
    item.set("file", key.file);
    item.set("mode", key.mode.empty() ? Value::null() : Value(key.mode));
    keys.push(std::move(item));
  }
  Value out = Value::mapping();
  out.set("job", record.job);
  out.set("attempt", record.attempt);
  out.set("directory", record.layout.directory.string());
  out.set("hostKeys", host_keys_text(record));
  out.set("user", record.layout.user);
  out.set("agent", record.layout.agent);
  out.set("keys", std::move(keys));
  out.set("problems", Value::strings(inspection.problems()));
  return out;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 3, ' ');
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string text_of(const BundleRecord& record, const Inspection& inspection, bool colour) {
  std::string out;
  const auto row = [&](std::string_view name, const std::string& value) {
    constexpr std::size_t name_width = 12;
    if (!value.empty()) out += str(paint(colour, "1", name), std::string(name_width - name.size(), ' '), value, "\n");
  };
  row("job", record.job);
  row("attempt", std::to_string(record.attempt));
  row("directory", record.layout.directory.string());
  row("host keys", record.host_keys == sshkeys::HostKeys::per_node ? "one for each node" : "one for the whole job");
  row("user", record.layout.user);
  row("agent", record.layout.agent);
  std::vector<std::vector<std::string>> rows = {{"WHO", "ADDRESS", "MODE", "FINGERPRINT", "PRIVATE KEY"}};
  for (const auto& key : inspection.keys())
    rows.push_back({key.who, key.address, key.mode.empty() ? "none" : key.mode,
                    key.half ? key.half->fingerprint() : "unknown", key.file});
  return str(out, "\n", table(rows));
}

int show(Context& context, const std::string& text, const std::string& output) {
  with_bundle(context, text, [&](const fs::path& directory) {
    for (BundleRecord record = sshkeys::read_bundle_record(directory);;) {
      const Inspection inspection(record);
      const BundleRecord after = sshkeys::read_bundle_record(directory);
      const bool replaced = after.attempt != record.attempt;
      record = after;
      if (replaced) continue;  // while we looked
      if (output == "json") return context.terminal.out(write_json(to_value(record, inspection)) + "\n");
      context.terminal.out(text_of(record, inspection, context.terminal.colour_out()));
      for (const auto& problem : inspection.problems()) context.terminal.err(str("viaduct: warning: ", problem, "\n"));
      return;
    }
  });
  return 0;
}

// ---- the command line -----------------------------------------------------------------------------------------------

void add_create(CLI::App& keys, Chosen& chosen) {
  auto args = std::make_shared<CreateArgs>();
  CLI::App* command = keys.add_subcommand("create", "Make the keys of one attempt of a job");
  command->add_option("JOB", args->job, "The job's name")->required();
  command
      ->add_option("--nodes", args->nodes,
                   "The job's nodes: hostlists with ports, as in node[01-04]:2222,login; an address to connect to "
                   "comes before the port, as in node1=10.0.0.7:2222")
      ->required();
  command->add_option("--dir", args->directory, "Directory to make (default: $VIADUCT_HOME/keys/JOB)");
  command->add_option("--attempt", args->attempt, "Number of the attempt; 1 is the first")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()))
      ->capture_default_str();
  command
      ->add_option("--host-keys", args->host_keys,
                   "per-node: one for each node; per-job: one for all, where all nodes mount the same Secret")
      ->check(CLI::IsMember({"per-node", "per-job"}))
      ->capture_default_str();
  command->add_option("--user", args->user, "Login name on the nodes (default: that of who calls ssh)");
  command->add_option("--agent", args->agent,
                      "Path of viaduct-agent on the nodes (default: of the one beside viaduct)");
  command->add_option("--port", args->port, "Port of nodes that are given without one")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  command->footer(
      "launcher/ has the private client key, known_hosts and ssh_config (ssh -F); nodes/NAME/ that node's private "
      "host\n"
      "key, authorized_keys and sshd_config (sshd -f, or the same files for viaduct-agent sshd). Each goes to its "
      "host\n"
      "alone. With --host-keys per-job, whoever has the key of one node can stand in for any other.");
  command->callback([args, &chosen] { chosen = [args](Context& context) { return create(context, *args); }; });
}

void add_show(CLI::App& keys, Chosen& chosen) {
  auto text = std::make_shared<std::string>();
  auto output = std::make_shared<std::string>("text");
  CLI::App* command = keys.add_subcommand("show", "Show who has which key, and what is wrong with the files");
  command->add_option("JOB", *text, "The job, or the keys' directory (with a slash)")->required();
  command->add_option("-o,--output", *output, "Form: text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->callback(
      [text, output, &chosen] { chosen = [text, output](Context& context) { return show(context, *text, *output); }; });
}

void add_rotate(CLI::App& keys, Chosen& chosen) {
  auto text = std::make_shared<std::string>();
  CLI::App* command = keys.add_subcommand("rotate", "Replace all keys at once by new ones, for the next attempt");
  command->add_option("JOB", *text, "The job, or the keys' directory (with a slash)")->required();
  command->callback([text, &chosen] { chosen = [text](Context& context) { return rotate(context, *text); }; });
}

void add_remove(CLI::App& keys, Chosen& chosen) {
  auto text = std::make_shared<std::string>();
  CLI::App* command = keys.add_subcommand("remove", "Remove the keys; the files are removed, not overwritten");
  command->add_option("JOB", *text, "The job, or the keys' directory (with a slash)")->required();
  command->callback([text, &chosen] { chosen = [text](Context& context) { return remove(context, *text); }; });
}

}  // namespace

void add_keys(CLI::App& app, Chosen& chosen) {
  CLI::App* keys = app.add_subcommand("keys", "Make and keep the SSH keys by which a job's hosts know each other");
  keys->require_subcommand(1);
  for (const auto add : {add_create, add_show, add_rotate, add_remove}) add(*keys, chosen);
}

}  // namespace viaduct::cli
