#include "base/reader.h"

#include <algorithm>

#include "base/text.h"

namespace viaduct {

static std::string described(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      return "null";
    case Value::Kind::boolean:
      return str("the boolean ", value.text());
    case Value::Kind::integer:
      return str("the number ", value.text());
    case Value::Kind::real:
      return str("the number ", value.text());
    case Value::Kind::string:
      return str("the text \"", abbreviated(value.text(), 60), "\"");
    case Value::Kind::sequence:
      return "a list";
    case Value::Kind::mapping:
      return "a mapping";
  }
  return "";
}

std::string ReadContext::member(const std::string& path, std::string_view key) const {
  if (style_ == PathStyle::dotted) return path.empty() ? std::string(key) : str(path, ".", key);
  std::string escaped;
  for (const char c : key) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return str(path, "/", escaped);
}

std::string ReadContext::item(const std::string& path, std::size_t index) const {
  return style_ == PathStyle::dotted ? str(path, "[", index, "]") : str(path, "/", index);
}

void ReadContext::error(Mark mark, const std::string& path, const std::string& reason, std::string hint) {
  diagnostics_.error(source_, mark, path.empty() ? reason : str(path, ": ", reason), std::move(hint));
}

void ReadContext::warning(Mark mark, const std::string& path, const std::string& reason, std::string hint) {
  diagnostics_.warning(source_, mark, path.empty() ? reason : str(path, ": ", reason), std::move(hint));
}

ObjectReader::ObjectReader(const Value& value, ReadContext& context, std::string path)
    : value_(value), context_(context), path_(std::move(path)) {
  if (!value_.is_mapping()) context_.error(value_.mark(), path_, str("must be a mapping, not ", described(value_)));
}

const Value* ObjectReader::any(std::string_view key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.emplace_back(key);
  const Value* found = value_.find(key);
  return found && found->is_null() ? nullptr : found;
}

const Value* ObjectReader::required(std::string_view key, std::string hint) {
  const Value* found = any(key);
  if (!found && value_.is_mapping())
    context_.error(value_.mark(), path_of(key), "required, but missing", std::move(hint));
  return found;
}

std::optional<std::string> read_string(const Value& value, ReadContext& context, const std::string& path) {
  if (value.kind() == Value::Kind::string) return value.text();
  const bool quotable = value.is_scalar() && !value.is_null();
  context.error(value.mark(), path, str("must be text, not ", described(value)),
                quotable ? str("quote it: \"", value.text(), "\"") : "");
  return std::nullopt;
}

std::optional<std::string> ObjectReader::string(std::string_view key) {
  const Value* found = any(key);
  return found ? read_string(*found, context_, path_of(key)) : std::nullopt;
}

std::string ObjectReader::required_string(std::string_view key) {
  const Value* found = required(key);
  return found ? read_string(*found, context_, path_of(key)).value_or("") : "";
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view key, std::int64_t least, std::int64_t most,
                                                  std::string_view message) {
  const Value* found = any(key);
  if (!found) return std::nullopt;
  if (found->kind() != Value::Kind::integer) {
    const bool quoted = found->kind() == Value::Kind::string && parse_integer(found->text());
    context_.error(found->mark(), path_of(key), str("must be a whole number, not ", described(*found)),
                   quoted ? str("remove the quotes: ", found->text()) : "");
    return std::nullopt;
  }
  const auto number = parse_integer(found->text());
  if (!number || *number < least || *number > most) {
    std::string range = str("must be from ", least, " to ", most);
    if (most >= std::numeric_limits<std::int32_t>::max()) range = str("must be ", least, " or more");
    if (number && *number > most) range = str("must be at most ", most);
    if (!number) range = "must fit into 64 bits";
    context_.error(
        found->mark(), path_of(key),
        !message.empty() && number && *number < least ? std::string(message) : str(range, ", not ", found->text()));
    return std::nullopt;
  }
  return number;
}

std::optional<std::int32_t> ObjectReader::int32(std::string_view key, std::int32_t least, std::string_view message,
                                                std::int32_t most) {
  const auto number = integer(key, least, most, message);
  return number ? std::optional(static_cast<std::int32_t>(*number)) : std::nullopt;
}

std::optional<bool> ObjectReader::boolean(std::string_view key) {
  const Value* found = any(key);
  if (!found) return std::nullopt;
  if (found->kind() != Value::Kind::boolean) {
    context_.error(found->mark(), path_of(key), str("must be true or false, not ", described(*found)),
                   found->kind() == Value::Kind::string && (found->text() == "true" || found->text() == "false")
                       ? "remove the quotes"
                       : "");
    return std::nullopt;
  }
  return found->text() == "true";
}

std::optional<std::vector<std::string>> ObjectReader::strings(std::string_view key) {
  const Value* found = any(key);
  if (!found) return std::nullopt;
  if (!found->is_sequence()) {
    context_.error(found->mark(), path_of(key), str("must be a list, not ", described(*found)),
                   found->kind() == Value::Kind::string ? "write one list item for each word: [\"a\", \"b\"]" : "");
    return std::nullopt;
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < found->items().size(); ++i)
    if (auto text = read_string(found->items()[i], context_, context_.item(path_of(key), i)))
      out.push_back(std::move(*text));
  return out;
}

std::vector<std::pair<std::string, std::string>> ObjectReader::string_map(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> out;
  const Value* found = any(key);
  if (!found) return out;
  const ObjectReader map(*found, context_, path_of(key));
  for (const auto& member : found->members()) {
    if (member.value.is_null()) continue;
    if (auto text = read_string(member.value, context_, map.path_of(member.key)))
      out.emplace_back(member.key, std::move(*text));
  }
  return out;
}

bool ObjectReader::object(std::string_view key, const std::function<void(ObjectReader&)>& read) {
  const Value* found = any(key);
  if (!found) return false;
  ObjectReader reader(*found, context_, path_of(key));
  if (!found->is_mapping()) return false;
  read(reader);
  reader.done();
  return true;
}

bool ObjectReader::objects(std::string_view key, const std::function<void(ObjectReader&)>& read) {
  const Value* found = any(key);
  if (!found) return false;
  if (!found->is_sequence()) {
    context_.error(found->mark(), path_of(key), str("must be a list, not ", described(*found)));
    return false;
  }
  for (std::size_t i = 0; i < found->items().size(); ++i) {
    ObjectReader reader(found->items()[i], context_, context_.item(path_of(key), i));
    if (!found->items()[i].is_mapping()) continue;
    read(reader);
    reader.done();
  }
  return true;
}

void ObjectReader::done() {
  for (const auto& member : value_.members()) {
    if (std::find(asked_.begin(), asked_.end(), member.key) != asked_.end()) continue;
    std::string hint;
    if (const auto near = nearest(member.key, asked_)) {
      hint = str("did you mean ", *near, "?");
    } else if (!asked_.empty()) {
      hint = str("known here: ", join(asked_, ", "));
    }
    context_.error(member.key_mark.line > 0 ? member.key_mark : member.value.mark(), path_of(member.key),
                   "unknown field", hint);
  }
}

void ObjectReader::error(std::string_view key, const std::string& reason, std::string hint) {
  context_.error(mark_of(key), path_of(key), reason, std::move(hint));
}

void ObjectReader::error_here(const std::string& reason, std::string hint) {
  context_.error(mark(), path_, reason, std::move(hint));
}

Mark ObjectReader::mark_of(std::string_view key) const {
  const Value* found = value_.find(key);
  return found ? found->mark() : value_.mark();
}

}  // namespace viaduct
