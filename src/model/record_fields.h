#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/text.h"
#include "model/exit_record.h"

// What the readers of Viaduct's own JSON records have in common.
namespace viaduct::model {

template <typename Enum, std::size_t N>
std::string name_in(const std::array<std::pair<Enum, std::string_view>, N>& names, Enum value) {
  for (const auto& [candidate, name] : names)
    if (candidate == value) return std::string(name);
  return "";
}

template <typename Enum, std::size_t N>
Enum value_in(const std::array<std::pair<Enum, std::string_view>, N>& names, ObjectReader& reader,
              std::string_view key) {
  const std::string text = reader.required_string(key);
  for (const auto& [candidate, name] : names)
    if (name == text) return candidate;
  if (!text.empty()) reader.error(key, str("unknown value \"", text, "\""));
  return names[0].first;
}

inline std::optional<Timestamp> read_time(ObjectReader& reader, std::string_view key) {
  const auto text = reader.string(key);
  if (!text) return std::nullopt;
  try {
    return parse_rfc3339(*text);
  } catch (const Error& e) {
    reader.error(key, e.what());
    return std::nullopt;
  }
}

// Reads a whole record; all its mistakes become one Error.
template <typename Record, typename Read>
Record read_record(const Document& document, const Read& read) {
  Diagnostics diagnostics;
  ReadContext context(document.source, diagnostics, ReadContext::PathStyle::pointer);
  ObjectReader reader(document.root, context, "");
  Record record = read(reader);
  reader.done();
  if (diagnostics.has_errors())
    throw Error(str("the record is damaged, or of another version of Viaduct:\n", trim(diagnostics.render(false))));
  return record;
}

FailedRank read_failed_rank(ObjectReader& reader);

}  // namespace viaduct::model
