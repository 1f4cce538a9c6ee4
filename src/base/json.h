#pragma once

#include <string>

#include "base/value.h"

namespace viaduct {

// RFC 8259 JSON, strictly: duplicate keys, trailing text and bad UTF-8 are errors. Syntax errors and duplicates go to
// `diagnostics`; the returned tree holds what could be read.
Value parse_json(const SourcePtr& source, Diagnostics& diagnostics);

// For records of our own: throws Error naming the source when it is not valid JSON.
Document read_json_document(std::string name, std::string text);

// `indent` 0 writes one line. Ends without a newline. Bytes that are not UTF-8 become U+FFFD.
std::string write_json(const Value& value, int indent = 2);

}  // namespace viaduct
