#include "launcher/hostfile.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "model/hostlist.h"

namespace viaduct::launcher {
namespace {

constexpr std::string_view user_hint = "put User into ~/.ssh/config";

std::string shown(std::string_view text) { return printable(abbreviated(text, 80)); }

// "node[1-4]:8" taken apart.
struct HostWord {
  explicit HostWord(std::string_view word) : hosts(word) {
    const auto colon = word.rfind(':');
    if (colon == std::string_view::npos || word.find(']', colon) != std::string_view::npos) return;
    hosts = word.substr(0, colon);
    slots = word.substr(colon + 1);
  }
  std::string_view hosts;
  std::optional<std::string_view> slots;
};

std::optional<int> parse_slots(std::string_view text) {
  const auto slots = parse_integer(text);
  if (!slots || *slots < 1 || *slots > most_slots) return std::nullopt;
  return static_cast<int>(*slots);
}
std::string slots_rule() { return str("the slots must be a number from 1 to ", most_slots); }

// Throws Error for what is no hostlist.
std::vector<std::string> expand(std::string_view hosts) {
  if (contains(hosts, "@")) throw Error("a user before a host's name", ExitCode::bad_input, std::string(user_hint));
  auto names = model::expand_hostlist(hosts);
  if (names.empty()) throw Error("no host's name", ExitCode::bad_input);
  return names;
}

// A word of a line, and its column from 1.
struct Word {
  std::string_view text;
  std::uint32_t column = 1;
};

std::vector<Word> words_of(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
  line = line.substr(0, line.find('#'));
  std::vector<Word> words;
  for (std::size_t start = line.find_first_not_of(blanks); start < line.size();) {
    const std::size_t end = std::min(line.find_first_of(blanks, start), line.size());
    words.push_back({line.substr(start, end - start), static_cast<std::uint32_t>(start + 1)});
    start = line.find_first_not_of(blanks, end);
  }
  return words;
}

class HostfileParser {
 public:
  HostfileParser(const SourcePtr& source, int default_slots, Diagnostics& diagnostics)
      : source_(source), default_slots_(default_slots), diagnostics_(diagnostics) {}

  std::vector<HostSlots> parse() {
    const std::size_t errors = diagnostics_.error_count();
    std::string_view text = source_->text;
    for (line_ = 1; !text.empty() && !full_; ++line_) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      const auto words = words_of(line);
      if (!words.empty()) take_line(words);
    }
    if (hosts_.empty() && diagnostics_.error_count() == errors) diagnostics_.error(source_, {}, "it names no host");
    return std::move(hosts_);
  }

 private:
  void error(std::uint32_t column, std::string message, std::string_view hint = "") {
    diagnostics_.error(source_, {line_, column}, std::move(message), std::string(hint));
  }

  void take_line(const std::vector<Word>& words) {
    const Word& first = words.front();
    const HostWord host(first.text);
    std::optional<int> slots;
    if (host.slots) {
      const auto column = first.column + static_cast<std::uint32_t>(host.hosts.size()) + 1;
      take_slots(*host.slots, column, slots);
    }
    for (std::size_t i = 1; i < words.size(); ++i) take_setting(words[i], slots);
    take_hosts(host.hosts, first.column, slots.value_or(default_slots_));
  }

  void take_slots(std::string_view text, std::uint32_t column, std::optional<int>& slots) {
    if (slots) return error(column, "the slots are given twice");
    slots = parse_slots(text);
    if (!slots) error(column, str(slots_rule(), ", not ", text.empty() ? "nothing" : shown(text)));
  }

  void take_setting(const Word& word, std::optional<int>& slots) {
    const std::string_view name = word.text.substr(0, word.text.find('='));
    if (name.size() == word.text.size())
      return error(word.column, str(shown(word.text), " after a host's name"), "write it as in: node1 slots=4");
    const std::string_view value = word.text.substr(name.size() + 1);
    if (name == "slots") {
      take_slots(value, word.column + static_cast<std::uint32_t>(name.size()) + 1, slots);
    } else if (name == "user" || name == "username") {
      error(word.column, str(name, "= is not supported"), user_hint);
    } else if (name == "binding" || name == "ifhn") {
      diagnostics_.warning(source_, {line_, word.column}, str(name, "= is ignored"));
    } else if (name != "max_slots" && name != "max-slots") {
      const auto near = nearest(name, {"slots", "max_slots", "max-slots"});
      error(word.column, str("unknown setting ", shown(name)),
            near ? str("did you mean ", *near, '=', shown(value), "?") : "known are slots and max_slots");
    }
  }

  void take_hosts(std::string_view text, std::uint32_t column, int slots) {
    try {
      auto names = expand(text);
      if (names.size() > model::max_hosts - hosts_.size()) {
        full_ = true;
        return error(column, str("more than ", model::max_hosts, " hosts up to here"));
      }
      for (auto& name : names)
        if (is_new(name, column)) hosts_.push_back({std::move(name), slots});
    } catch (const Error& mistake) {
      report(mistake, column);
    }
  }

  // One complaint for a line.
  bool is_new(const std::string& name, std::uint32_t column) {
    const auto [first, fresh] = lines_.emplace(name, line_);
    if (!fresh && complained_ != line_) {
      error(column, str("host ", name, " stands in line ", first->second, " already"),
            "write each host once, with all its slots");
      complained_ = line_;
    }
    return fresh;
  }

  // A mistake in a hostlist that begins in `column`; it says its own column.
  void report(const Error& mistake, std::uint32_t column) {
    const std::string_view message = mistake.what();
    const auto rest = text_after(message, "hostlist, column ");
    const auto colon = rest ? rest->find(": ") : std::string_view::npos;
    if (colon == std::string_view::npos) return error(column, std::string(message), mistake.hint());
    const auto within = parse_integer(rest->substr(0, colon)).value_or(1);
    error(column + static_cast<std::uint32_t>(within) - 1, std::string(rest->substr(colon + 2)), mistake.hint());
  }

  const SourcePtr& source_;
  const int default_slots_;
  Diagnostics& diagnostics_;
  std::uint32_t line_ = 1;
  bool full_ = false;             // more hosts than are taken
  std::uint32_t complained_ = 0;  // the line of the last complaint about a host that stands there twice
  std::map<std::string, std::uint32_t, std::less<>> lines_;  // by host
  std::vector<HostSlots> hosts_;
};

// The parts between commas that are not in brackets; empty ones are skipped.
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  bool in_brackets = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && !in_brackets)) {
      if (const auto part = trim(text.substr(start, i - start)); !part.empty()) parts.push_back(part);
      start = i + 1;
    } else if (text[i] == '[' || text[i] == ']') {
      in_brackets = text[i] == '[';
    }
  }
  return parts;
}

}  // namespace

std::string render_hostfile(const std::vector<HostSlots>& hosts, MpiFamily family) {
  const std::string_view separator = family == MpiFamily::open_mpi ? " slots=" : ":";
  std::string text;
  for (const auto& [host, slots] : hosts) text += str(host, separator, slots, '\n');
  return text;
}

std::vector<HostSlots> parse_hostfile(const SourcePtr& source, int default_slots, Diagnostics& diagnostics) {
  return HostfileParser(source, default_slots, diagnostics).parse();
}

std::vector<HostSlots> parse_host_words(std::string_view text, int default_slots) {
  std::vector<HostSlots> hosts;
  for (const std::string_view part : parts_of(text)) {
    const HostWord word(part);
    const auto slots = word.slots ? parse_slots(*word.slots) : default_slots;
    if (!slots) throw Error(str(shown(part), ": ", slots_rule()), ExitCode::bad_input);
    try {
      for (auto& name : expand(word.hosts)) hosts.push_back({std::move(name), *slots});
    } catch (Error& error) {
      error.with_context(shown(part));
      throw;
    }
    if (hosts.size() > model::max_hosts)
      throw Error(str("more than ", model::max_hosts, " hosts"), ExitCode::bad_input);
  }
  if (hosts.empty()) throw Error("no hosts", ExitCode::bad_input, "write them as in node[01-04]:8,login");
  std::vector<std::string_view> names;
  names.reserve(hosts.size());
  for (const auto& host : hosts) names.push_back(host.host);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    throw Error(str("host ", *twice, " is given twice"), ExitCode::bad_input,
                "name each host once, with all its slots");
  return hosts;
}

std::vector<HostSlots> place_ranks(const std::vector<HostSlots>& hosts, int nodes, int ranks_per_node) {
  std::int64_t left = std::int64_t{nodes} * ranks_per_node;
  const std::int64_t ranks = left;
  std::int64_t offered = 0;
  std::vector<HostSlots> placed;
  for (const auto& [host, slots] : hosts) {
    const std::int64_t takes = slots == 0 ? ranks_per_node : slots;
    const std::int64_t gets = std::min({left, takes, std::int64_t{ranks_per_node}});
    placed.push_back({host, static_cast<int>(gets)});
    left -= gets;
    offered += takes;
  }
  if (offered < ranks)
    throw Error(str("too few slots: the job has ", count_of(ranks, "rank"), " (", nodes, " nodes of ", ranks_per_node,
                    "), and ", count_of(static_cast<std::int64_t>(hosts.size()), "host"),
                    hosts.size() == 1 ? " offers " : " offer ", count_of(offered, "slot")),
                ExitCode::bad_input, "name more hosts or slots, or ask for fewer nodes or ranks per node");
  for (std::size_t i = 0; i < hosts.size() && left > 0; ++i) {
    const std::int64_t more = std::min<std::int64_t>(left, std::max(hosts[i].slots - placed[i].slots, 0));
    placed[i].slots += static_cast<int>(more);
    left -= more;
  }
  std::erase_if(placed, [](const HostSlots& host) { return host.slots == 0; });
  return placed;
}

}  // namespace viaduct::launcher
