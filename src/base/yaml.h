#pragma once

#include <string>
#include <vector>

#include "base/value.h"

namespace viaduct {

// The documents of a YAML stream, read strictly: what the tools of Kubernetes would read differently from YAML 1.2, or
// silently, is an error with its place. Refused: duplicate keys, keys that are no plain text, plain `yes`, `off`, `y`
// (booleans in YAML 1.1 only), `010`, `0x1F`, `1_000`, `1:30` (integers in YAML 1.1 only), `{?x: 1}`, the characters
// that only YAML 1.1 ends lines at, merge keys, custom tags. Aliases are expanded, within a limit (a "billion laughs"
// is an error). Mistakes go to `diagnostics`; documents that are empty or only comments are left out.
std::vector<Document> parse_yaml(const SourcePtr& source, Diagnostics& diagnostics);

// Block style, one document, ends with a newline. Reads back as the same tree, in YAML 1.1 and 1.2.
std::string write_yaml(const Value& value);

}  // namespace viaduct
