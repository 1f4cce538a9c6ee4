#include "sshkeys/ssh_arguments.h"

#include <algorithm>
#include <span>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::sshkeys {
namespace {

constexpr std::string_view ignored_flags = "2aCkx";
constexpr std::string_view options_with_value = "ceFilmop";
constexpr int most_verbose = 3;

[[noreturn]] void refuse(const std::string& reason, const std::string& hint = "") {
  throw Error(reason, ExitCode::bad_input, hint);
}

std::string_view why_not_offered(char option) {
  const auto one_of = [&](std::string_view options) { return options.find(option) != std::string_view::npos; };
  if (one_of("t")) return "commands get no terminal";
  if (one_of("AgLRDWwXY")) return "connections are not forwarded";
  if (one_of("J")) return "hosts are reached directly";
  if (one_of("MOS")) return "connections are not shared";
  if (one_of("fNs")) return "it stays in the foreground and runs a command";
  if (one_of("bB")) return "the system chooses the address to connect from";
  if (one_of("1")) return "version 1 of the protocol is no more";
  return "this is not OpenSSH";
}

class Parser {
 public:
  explicit Parser(std::span<const std::string> words) : words_(words) {}

  SshArguments parse() {
    const bool ended = take_options();
    if (words_.empty()) refuse("no host to connect to", "write: ssh [OPTIONS] [USER@]HOST COMMAND");
    take_host(take_word());
    if (!ended) take_options();
    arguments_.command = join({words_.begin(), words_.end()}, " ");
    if (arguments_.command.empty())
      refuse("no command; an interactive login is not offered", "write the command after the host");
    return std::move(arguments_);
  }

 private:
  std::string take_word() {
    const std::string& word = words_.front();
    words_ = words_.subspan(1);
    return word;
  }

  // Whether "--" ended them.
  bool take_options() {
    while (!words_.empty() && words_.front().size() > 1 && words_.front().starts_with('-')) {
      const std::string word = take_word();
      if (word == "--") return true;
      take_cluster(std::string_view(word).substr(1));
    }
    return false;
  }

  // "xq", "p22", "xqp22": letters, the last maybe with its value.
  void take_cluster(std::string_view letters) {
    while (!letters.empty()) {
      const char option = letters.front();
      letters.remove_prefix(1);
      if (options_with_value.find(option) == std::string_view::npos) {
        take_flag(option);
        continue;
      }
      if (letters.empty() && words_.empty()) refuse(str('-', option, ": no value"));
      take_value(option, letters.empty() ? take_word() : std::string(letters));
      return;
    }
  }

  void take_flag(char option) {
    if (ignored_flags.find(option) != std::string_view::npos) return;
    switch (option) {
      case '4':
        return put_first("addressfamily", "inet", option);
      case '6':
        return put_first("addressfamily", "inet6", option);
      case 'n':
        return put_first("stdinnull", "yes", option);
      case 'q':
        return put_first("loglevel", "QUIET", option);
      case 'T':
        return put_first("requesttty", "no", option);
      case 'v':
        verbosity_ = std::min(verbosity_ + 1, most_verbose);
        return put_first("loglevel", str("DEBUG", verbosity_), option);
      default:
        refuse(str("option -", printable(std::string(1, option)), " is not offered: ", why_not_offered(option)));
    }
  }

  void take_value(char option, std::string value) {
    switch (option) {
      case 'F':
        arguments_.config_file = std::move(value);
        return;
      case 'i':
        return add("identityfile", std::move(value), "-i");
      case 'l':
        return add("user", std::move(value), "-l");
      case 'o':
        return take_setting(value);
      case 'p':
        return add("port", std::move(value), "-p");
      default:  // -c, -e and -m
        return;
    }
  }

  void take_setting(const std::string& text) {
    auto setting = parse_ssh_setting(text, "-o");
    if (!setting) return;
    if (setting->keyword == "host") refuse("-o: Host can stand in a file only");
    arguments_.settings.push_back(std::move(*setting));
  }

  void take_host(const std::string& word) {
    const auto at = word.rfind('@');
    if (at == 0) refuse(str("no user before the @: ", printable(word)));
    if (at != std::string::npos) add("user", word.substr(0, at), "the host");
    arguments_.host = at == std::string::npos ? word : word.substr(at + 1);
  }

  void add(std::string keyword, std::string value, std::string place) {
    arguments_.settings.push_back({std::move(keyword), {std::move(value)}, std::move(place)});
  }

  // These options win over what was said before them, and over -o wherever that stands.
  void put_first(std::string keyword, std::string value, char option) {
    arguments_.settings.insert(arguments_.settings.begin(), {std::move(keyword), {std::move(value)}, str('-', option)});
  }

  std::span<const std::string> words_;
  int verbosity_ = 0;
  SshArguments arguments_;
};

}  // namespace

SshArguments parse_ssh_arguments(const std::vector<std::string>& words) { return Parser(words).parse(); }

}  // namespace viaduct::sshkeys
