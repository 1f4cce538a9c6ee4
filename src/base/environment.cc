#include "base/environment.h"

namespace viaduct {

Environment Environment::of_process(const char* const* envp) {
  Environment environment;
  for (; envp && *envp; ++envp) {
    const std::string_view entry = *envp;
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    environment.variables_.insert_or_assign(std::string(entry.substr(0, equals)),
                                            std::string(entry.substr(equals + 1)));
  }
  return environment;
}

std::optional<std::string> Environment::get(std::string_view name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::nullopt : std::optional(found->second);
}

std::string Environment::get_or(std::string_view name, std::string_view otherwise) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::string(otherwise) : found->second;
}

std::vector<std::string> Environment::as_strings() const {
  std::vector<std::string> strings;
  strings.reserve(variables_.size());
  for (const auto& [name, value] : variables_) strings.push_back(name + "=" + value);
  return strings;
}

CStrings::CStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  pointers_.reserve(strings_.size() + 1);
  for (auto& text : strings_) pointers_.push_back(text.data());
  pointers_.push_back(nullptr);
}

}  // namespace viaduct
