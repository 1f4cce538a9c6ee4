#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"
#include "base/yaml_scalar.h"

namespace viaduct {
namespace {

// Plain only where YAML 1.1 and 1.2 and every reader agree that it is text.
bool safe_plain(std::string_view text) {
  constexpr std::string_view first_ok = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
  constexpr std::string_view rest_ok = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%+=,-: ()";
  if (text.empty() || first_ok.find(text[0]) == std::string_view::npos) return false;
  if (text.find_first_not_of(rest_ok) != std::string_view::npos) return false;
  if (text.find(": ") != std::string_view::npos || text.back() == ':' || text.back() == ' ') return false;
  return resolve_plain(text) == Value::Kind::string && surprise_in_yaml_1_1(text).empty();
}

// JSON's quotes and escapes are YAML's too, but some characters YAML wants escaped, or folds as line breaks.
std::string quoted(const std::string& text) {
  const std::string json = write_json(Value(text), 0);
  std::string out;
  for (std::size_t i = 0; i < json.size();) {
    const auto [c, length] = decode_utf8(std::string_view(json).substr(i));
    if (!is_printable(c) || c == 0x85 || c == 0x2028 || c == 0x2029 || c == 0xfeff) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out.append(json, i, length);
    }
    i += length;
  }
  return out;
}

std::string yaml_string(const std::string& text) { return safe_plain(text) ? text : quoted(text); }

void write(std::string& out, const Value& value, std::size_t indent, bool after_key) {
  const std::string margin(indent, ' ');
  const bool empty = value.items().empty() && value.members().empty();
  if (value.is_scalar() || empty) {
    if (after_key) out += ' ';
    switch (value.kind()) {
      case Value::Kind::null:
        out += "null";
        break;
      case Value::Kind::string:
        out += yaml_string(value.text());
        break;
      case Value::Kind::sequence:
        out += "[]";
        break;
      case Value::Kind::mapping:
        out += "{}";
        break;
      default:
        out += value.text();
    }
    out += '\n';
    return;
  }
  if (after_key) out += '\n';
  bool first = !after_key;
  for (const auto& item : value.items()) {
    if (!first) out += margin;
    first = false;
    out += "- ";
    write(out, item, indent + 2, false);
  }
  for (const auto& member : value.members()) {
    if (!first) out += margin;
    first = false;
    constexpr std::size_t longest_simple_key = 1024;  // all of it, as YAML has it
    const std::string key = yaml_string(member.key);
    out += key.size() < longest_simple_key ? key + ":" : str("? ", key, "\n", margin, ":");
    write(out, member.value, member.value.is_sequence() ? indent : indent + 2, true);
  }
}

}  // namespace

std::string write_yaml(const Value& value) {
  std::string out;
  write(out, value, 0, false);
  return out;
}

}  // namespace viaduct
