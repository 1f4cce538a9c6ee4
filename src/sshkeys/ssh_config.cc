#include "sshkeys/ssh_config.h"

#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "sshkeys/known_hosts.h"

namespace viaduct::sshkeys {
namespace {

constexpr std::string_view blanks = " \t";
constexpr int longest_deadline = 24 * 60 * 60;

// Keywords, with a blank before and after each.
constexpr std::string_view used_keywords =
    " addressfamily batchmode connectionattempts connecttimeout globalknownhostsfile host hostkeyalias hostname "
    "identitiesonly identityfile ignoreunknown loglevel passwordauthentication port serveralivecountmax "
    "serveraliveinterval stdinnull stricthostkeychecking user userknownhostsfile ";

constexpr std::string_view ignored_keywords =
    " addkeystoagent canonicaldomains canonicalizefallbacklocal canonicalizemaxdots canonicalizepermittedcnames "
    "casignaturealgorithms certificatefile challengeresponseauthentication checkhostip cipher ciphers "
    "clearallforwardings compression compressionlevel controlmaster controlpath controlpersist dsaauthentication "
    "enableescapecommandline enablesshkeysign escapechar exitonforwardfailure fingerprinthash forwardagent "
    "forwardx11 forwardx11timeout forwardx11trusted gatewayports gssapiauthentication gssapiclientidentity "
    "gssapidelegatecredentials gssapikexalgorithms gssapikeyexchange gssapirenewalforcesrekey "
    "gssapiserveridentity gssapitrustdns hashknownhosts hostbasedacceptedalgorithms hostbasedauthentication "
    "hostbasedkeytypes hostkeyalgorithms identityagent ipqos kbdinteractiveauthentication kbdinteractivedevices "
    "keepalive kexalgorithms logverbose macs nohostauthenticationforlocalhost numberofpasswordprompts "
    "permitremoteopen pkcs11provider preferredauthentications protocol proxyusefdpass pubkeyacceptedalgorithms "
    "pubkeyacceptedkeytypes pubkeyauthentication rekeylimit requiredrsasize rhostsrsaauthentication "
    "rsaauthentication securitykeyprovider sendenv setenv streamlocalbindmask streamlocalbindunlink "
    "syslogfacility tcpkeepalive tunneldevice updatehostkeys useprivilegedport verifyhostkeydns visualhostkey "
    "xauthlocation ";

// Keywords that ask for what is not done, unless they have the harmless value.
struct RefusedKeyword {
  std::string_view keyword;
  std::string_view harmless;  // "": there is none
  std::string_view why;
};
constexpr std::string_view no_forwarding = "connections are not forwarded";
constexpr std::string_view no_programs = "no other program is started";
constexpr std::string_view no_detours = "hosts are reached directly";
constexpr RefusedKeyword refused_keywords[] = {
    {"bindaddress", "", "the system chooses the address to connect from"},
    {"bindinterface", "", "the system chooses the interface to connect from"},
    {"canonicalizehostname", "no", "a host's name is taken as it is"},
    {"dynamicforward", "", no_forwarding},
    {"forkafterauthentication", "no", "it stays in the foreground"},
    {"knownhostscommand", "none", no_programs},
    {"localcommand", "", no_programs},
    {"localforward", "", no_forwarding},
    {"permitlocalcommand", "no", no_programs},
    {"proxycommand", "none", no_detours},
    {"proxyjump", "none", no_detours},
    {"remotecommand", "none", "the command stands on the command line"},
    {"remoteforward", "", no_forwarding},
    {"requesttty", "no", "commands get no terminal"},
    {"revokedhostkeys", "none", "revoked keys stand in known_hosts, marked @revoked"},
    {"sessiontype", "default", "only commands can be run"},
    {"tunnel", "no", no_forwarding},
};

std::string shown(std::string_view text) { return printable(abbreviated(text, 80)); }

[[noreturn]] void refuse(std::string_view place, const std::string& reason, const std::string& hint = "") {
  throw Error(str(place, ": ", reason), ExitCode::bad_input, hint);
}

// Takes one word off the text, as argv_split of OpenSSH does.
std::string take_word(std::string_view& text, std::string_view place) {
  std::string word;
  char quote = 0;
  std::size_t i = 0;
  for (; i < text.size() && (quote != 0 || !contains(blanks, text.substr(i, 1))); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '\\' && (next == '\'' || next == '"' || next == '\\' || (quote == 0 && next == ' '))) {
      word += next;
      ++i;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else {
      word += c;
    }
  }
  if (quote != 0) refuse(place, "a quote is not closed");
  text.remove_prefix(i);
  return word;
}

void skip_blanks(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size())); }

// Seconds, or numbers with units as in 1h30m; nothing when it is malformed or more than an int holds.
std::optional<int> parse_seconds(std::string_view text) {
  std::int64_t total = 0;
  while (!text.empty()) {
    const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789"));
    const auto number = parse_integer(digits);
    if (!number || *number > std::numeric_limits<int>::max()) return std::nullopt;
    text.remove_prefix(digits.size());
    std::int64_t unit = 1;
    if (!text.empty()) {
      constexpr std::string_view units = "smhdw";
      constexpr int seconds[] = {1, 60, 60 * 60, 24 * 60 * 60, 7 * 24 * 60 * 60};
      const auto which = units.find(lower(text.substr(0, 1)));
      if (which == std::string_view::npos) return std::nullopt;
      unit = seconds[which];
      text.remove_prefix(1);
    }
    total += *number * unit;
    if (total > std::numeric_limits<int>::max()) return std::nullopt;
  }
  return static_cast<int>(total);
}

// Names go into messages and to the resolver, and known_hosts has them between commas and blanks.
bool is_host_name(std::string_view name) {
  constexpr std::string_view more = "._-:%";
  return !name.empty() && name.size() <= 255 && name.front() != '-' && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || more.find(c) != more.npos;
  });
}

bool host_matches(const std::string& host, const std::vector<std::string>& patterns) {
  bool matched = false;
  for (const std::string_view pattern : patterns) {
    if (pattern.starts_with('!')) {
      if (matches_pattern(host, pattern.substr(1))) return false;
    } else if (matches_pattern(host, pattern)) {
      matched = true;
    }
  }
  return matched;
}

template <typename List>
bool has(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != std::ranges::end(list);
}

bool is_one_of(std::string_view keywords, std::string_view keyword) {
  return contains(keywords, str(' ', keyword, ' '));
}

const RefusedKeyword* find_refused(std::string_view keyword) {
  const auto found = std::ranges::find(refused_keywords, keyword, &RefusedKeyword::keyword);
  return found == std::end(refused_keywords) ? nullptr : &*found;
}

std::string keyword_hint(std::string_view keyword) {
  const auto near = nearest(keyword, split(str(used_keywords, ignored_keywords), ' '));
  return near ? str("did you mean ", *near, "?") : "IgnoreUnknown lets it pass";
}

class Resolver {
 public:
  Resolver(const std::string& host, const std::string& home) : home_(home) { target_.host = host; }

  void add(const SshSetting& setting) {
    const std::string& keyword = setting.keyword;
    if (keyword == "match") refuse(setting.place, "Match is not understood", "write a Host block");
    if (keyword == "include") refuse(setting.place, "Include is not understood", "put the settings here");
    if (keyword == "host") {
      active_ = host_matches(target_.host, setting.values);
    } else if (!is_one_of(used_keywords, keyword) && !is_one_of(ignored_keywords, keyword) && !find_refused(keyword)) {
      if (!may_be_unknown(keyword))
        refuse(setting.place, str("unknown keyword ", shown(keyword)), keyword_hint(keyword));
    } else if (active_) {
      obtained_.emplace(keyword, &setting);
      if (keyword == "identityfile") identities_.push_back(&setting);
    }
  }

  SshTarget resolve() {
    refuse_what_is_not_done();
    take_names();
    take_user();
    take_identities();
    take_known_hosts("userknownhostsfile", {"~/.ssh/known_hosts", "~/.ssh/known_hosts2"});
    take_known_hosts("globalknownhostsfile", {"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"});
    take_times();
    take_host_key_checking();
    take_log_level();
    take_family();
    target_.no_stdin = is_yes("stdinnull");
    for (const auto* keyword : {"batchmode", "identitiesonly", "passwordauthentication"}) is_yes(keyword);
    return std::move(target_);
  }

 private:
  const SshSetting* find(std::string_view keyword) const {
    const auto found = obtained_.find(keyword);
    return found == obtained_.end() ? nullptr : found->second;
  }

  // The keyword's only value, "" when it is not set.
  static const std::string& only_value(const SshSetting& setting) {
    if (setting.values.size() > 1) refuse(setting.place, str(setting.keyword, " takes one value"));
    if (setting.values.front().empty()) refuse(setting.place, str(setting.keyword, " has an empty value"));
    return setting.values.front();
  }

  [[noreturn]] static void refuse_value(const SshSetting& setting, std::string_view rule) {
    refuse(setting.place, str(setting.keyword, " is ", rule, ", not ", shown(join(setting.values, " "))));
  }

  bool may_be_unknown(const std::string& keyword) const {
    const SshSetting* setting = find("ignoreunknown");
    return setting && host_matches(keyword, split(lower(only_value(*setting)), ','));
  }

  void refuse_what_is_not_done() const {
    for (const auto& [keyword, setting] : obtained_) {
      const RefusedKeyword* refused = find_refused(keyword);
      if (!refused) continue;
      const std::string value = lower(setting->values.front());
      const bool harmless = value == refused->harmless || (keyword == "requesttty" && value == "auto");
      if (!harmless) refuse(setting->place, str(keyword, " is not offered: ", refused->why));
    }
  }

  int number(std::string_view keyword, int low, int high, int otherwise) const {
    const SshSetting* setting = find(keyword);
    if (!setting) return otherwise;
    const auto value = parse_integer(only_value(*setting));
    if (!value || *value < low || *value > high) refuse_value(*setting, str("a number from ", low, " to ", high));
    return static_cast<int>(*value);
  }

  int seconds(std::string_view keyword, int otherwise) const {
    const SshSetting* setting = find(keyword);
    if (!setting || lower(only_value(*setting)) == "none") return otherwise;
    const auto value = parse_seconds(only_value(*setting));
    if (!value) refuse_value(*setting, "a time, as in 90 or 1m30s");
    return *value > 0 ? *value : otherwise;
  }

  bool is_yes(std::string_view keyword) const {
    const SshSetting* setting = find(keyword);
    if (!setting) return false;
    const std::string value = lower(only_value(*setting));
    if (value != "yes" && value != "true" && value != "no" && value != "false") refuse_value(*setting, "yes or no");
    return value == "yes" || value == "true";
  }

  std::string expanded(const SshSetting& setting, std::string_view value,
                       const std::map<char, std::string>& meanings) const {
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] != '%') {
        out += value[i];
        continue;
      }
      const auto meaning = i + 1 < value.size() ? meanings.find(value[++i]) : meanings.end();
      if (meaning == meanings.end())
        refuse(setting.place, str("a % in ", setting.keyword, " that is not understood: ", shown(value)));
      out += meaning->second;
    }
    return out;
  }

  void take_names() {
    if (!is_host_name(target_.host))
      throw Error(str("not a host name: \"", shown(target_.host), '"'), ExitCode::bad_input);
    const SshSetting* name = find("hostname");
    const std::map<char, std::string> meanings = {{'%', "%"}, {'h', target_.host}};
    target_.host_name = lower(name ? expanded(*name, only_value(*name), meanings) : target_.host);
    if (!is_host_name(target_.host_name)) refuse_value(*name, "a host name");
    target_.port = number("port", 1, 65535, target_.port);
    if (const SshSetting* alias = find("hostkeyalias")) {
      target_.alias = lower(only_value(*alias));
      if (!is_host_name(target_.alias)) refuse_value(*alias, "a host name");
    } else {
      target_.alias = target_.port == 22 ? target_.host_name : str('[', target_.host_name, "]:", target_.port);
    }
  }

  void take_user() {
    const SshSetting* user = find("user");
    if (!user) return;
    target_.user = only_value(*user);
    if (target_.user->starts_with('-') || printable(*target_.user) != *target_.user || contains(*target_.user, "\n"))
      refuse_value(*user, "the name of a user");
  }

  void add_file(const SshSetting& setting, const std::string& value, std::vector<std::string>& files) {
    if (value.empty()) refuse(setting.place, str(setting.keyword, " has an empty value"));
    const bool in_home = value.starts_with("~/");
    if (home_.empty() && (in_home || contains(value, "%d"))) {
      target_.remarks.push_back(str(setting.place, ": ", shown(value), " is left out: there is no home directory"));
      return;
    }
    const std::string path = in_home ? str(home_, value.substr(1)) : value;
    std::string file = expanded(setting, path, {{'%', "%"}, {'d', home_}, {'h', target_.host_name}});
    if (!has(files, file)) files.push_back(std::move(file));
  }

  void take_identities() {
    for (const SshSetting* setting : identities_)
      if (lower(only_value(*setting)) != "none") add_file(*setting, setting->values.front(), target_.identities);
    if (!identities_.empty() || home_.empty()) return;
    for (const auto* name : {"id_rsa", "id_ecdsa", "id_ed25519"})
      target_.identities.push_back(str(home_, "/.ssh/", name));
  }

  void take_known_hosts(std::string_view keyword, std::vector<std::string> otherwise) {
    const SshSetting defaults{std::string(keyword), std::move(otherwise), "default"};
    const SshSetting* setting = find(keyword);
    if (!setting) setting = &defaults;
    if (setting->values.size() == 1 && lower(setting->values.front()) == "none") return;
    for (const auto& value : setting->values) add_file(*setting, value, target_.known_hosts);
  }

  void take_times() {
    const std::int64_t once = seconds("connecttimeout", target_.deadline_seconds);
    const int attempts = number("connectionattempts", 1, std::numeric_limits<int>::max(), 1);
    target_.deadline_seconds = static_cast<int>(std::min<std::int64_t>(once * attempts, longest_deadline));
    target_.alive_interval_seconds = seconds("serveraliveinterval", 0);
    target_.alive_count = number("serveralivecountmax", 1, std::numeric_limits<int>::max(), target_.alive_count);
  }

  void take_host_key_checking() {
    const SshSetting* setting = find("stricthostkeychecking");
    if (!setting) return;
    const std::string value = lower(only_value(*setting));
    if (has(std::initializer_list<std::string_view>{"yes", "true", "ask"}, value)) return;
    if (!has(std::initializer_list<std::string_view>{"no", "false", "off", "accept-new"}, value))
      refuse_value(*setting, "yes, no, ask, off or accept-new");
    target_.remarks.push_back(
        str(setting->place, ": StrictHostKeyChecking ", value, " is ignored: a host's key is always checked"));
  }

  void take_log_level() {
    const SshSetting* setting = find("loglevel");
    if (!setting) return;
    const std::string value = lower(only_value(*setting));
    static const std::map<std::string, int, std::less<>> verbosities = {{"quiet", 0},  {"fatal", 0},   {"error", 0},
                                                                        {"info", 0},   {"verbose", 1}, {"debug", 1},
                                                                        {"debug1", 1}, {"debug2", 2},  {"debug3", 3}};
    const auto verbosity = verbosities.find(value);
    if (verbosity == verbosities.end()) refuse_value(*setting, "QUIET, FATAL, ERROR, INFO, VERBOSE or DEBUG");
    target_.verbosity = verbosity->second;
    target_.quiet = value == "quiet" || value == "fatal";
  }

  void take_family() {
    const SshSetting* setting = find("addressfamily");
    if (!setting) return;
    const std::string value = lower(only_value(*setting));
    if (value != "any" && value != "inet" && value != "inet6") refuse_value(*setting, "any, inet or inet6");
    if (value != "any") target_.family = value == "inet" ? AddressFamily::ipv4 : AddressFamily::ipv6;
  }

  const std::string& home_;
  bool active_ = true;
  std::map<std::string, const SshSetting*, std::less<>> obtained_;  // by keyword
  std::vector<const SshSetting*> identities_;
  SshTarget target_;
};

}  // namespace

std::optional<SshSetting> parse_ssh_setting(std::string_view line, std::string place) {
  if (line.find('\0') != std::string_view::npos) refuse(place, "a NUL byte");
  line = trim(line);
  if (line.empty() || line.starts_with('#')) return std::nullopt;
  const std::string_view keyword = line.substr(0, line.find_first_of(" \t=\"'"));
  if (keyword.empty()) refuse(place, str("no keyword at its beginning: ", shown(line)));
  line.remove_prefix(keyword.size());
  skip_blanks(line);
  if (line.starts_with('=')) line.remove_prefix(1);
  skip_blanks(line);
  SshSetting setting{lower(keyword), {}, std::move(place)};
  for (; !line.empty() && !line.starts_with('#'); skip_blanks(line))
    setting.values.push_back(take_word(line, setting.place));
  if (setting.values.empty()) refuse(setting.place, str("no value after ", shown(keyword)));
  return setting;
}

std::vector<SshSetting> parse_ssh_config(std::string_view text, std::string_view name) {
  std::vector<SshSetting> settings;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (auto setting = parse_ssh_setting(line, str(name, ':', line_number))) settings.push_back(std::move(*setting));
  }
  return settings;
}

SshTarget resolve_target(const std::vector<SshSetting>& settings, const std::string& host, const std::string& home) {
  Resolver resolver(host, home);
  for (const auto& setting : settings) resolver.add(setting);
  return resolver.resolve();
}

}  // namespace viaduct::sshkeys
