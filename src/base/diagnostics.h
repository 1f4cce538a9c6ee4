#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace viaduct {

// Where something stands in a source text. Both count from 1; line 0 means "not known". Columns count bytes.
struct Mark {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// A text somebody wrote: a file, standard input, a record of ours. Shared by every value read from it.
struct Source {
  std::string name;  // as the user gave it: "job.yaml", "-" is shown as "standard input"
  std::string text;
};
using SourcePtr = std::shared_ptr<const Source>;

// One mistake (or remark) in a source, with the way out where one is known.
struct Diagnostic {
  enum class Severity { error, warning };
  Severity severity = Severity::error;
  SourcePtr source;  // may be null
  Mark mark;
  std::string message;
  std::string hint;  // may be empty
};

// Collects everything that is wrong with a user's input, so that all of it can be shown at once. Not thread-safe.
class Diagnostics {
 public:
  void error(SourcePtr source, Mark mark, std::string message, std::string hint = "");
  void warning(SourcePtr source, Mark mark, std::string message, std::string hint = "");

  bool has_errors() const { return errors_ > 0; }
  std::size_t error_count() const { return errors_; }
  const std::vector<Diagnostic>& all() const { return all_; }

  // One block for each, in the order of the sources' lines: "job.yaml:12:15: error: …", the line, a caret, the hint. A
  // hundred at most, then how many more there are.
  std::string render(bool colour) const;

 private:
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
};

std::string render(const Diagnostic& diagnostic, bool colour);

}  // namespace viaduct
