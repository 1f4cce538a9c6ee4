#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace viaduct {

// Environment variables as a value: read once in main, changed as a value, handed to a child. Never touches the
// process' own environment. Sorted by name.
class Environment {
 public:
  Environment() = default;
  static Environment of_process(const char* const* envp);

  std::optional<std::string> get(std::string_view name) const;
  std::string get_or(std::string_view name, std::string_view otherwise) const;
  bool has(std::string_view name) const { return variables_.find(name) != variables_.end(); }
  void set(const std::string& name, std::string value) { variables_[name] = std::move(value); }
  void set_default(const std::string& name, std::string value) { variables_.try_emplace(name, std::move(value)); }
  void unset(const std::string& name) { variables_.erase(name); }

  const std::map<std::string, std::string, std::less<>>& variables() const { return variables_; }
  std::vector<std::string> as_strings() const;  // "NAME=value"

 private:
  std::map<std::string, std::string, std::less<>> variables_;
};

// A list of C strings for execve and posix_spawn, ended by a null. Owns the text.
class CStrings {
 public:
  explicit CStrings(std::vector<std::string> strings);
  CStrings(const CStrings&) = delete;
  CStrings& operator=(const CStrings&) = delete;
  char* const* data() const { return pointers_.data(); }

 private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

}  // namespace viaduct
