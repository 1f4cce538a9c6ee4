#include "base/value.h"

namespace viaduct {

Value Value::strings(const std::vector<std::string>& texts) {
  Value list = sequence();
  for (const auto& text : texts) list.push(text);
  return list;
}

const Value* Value::find(std::string_view key) const {
  for (const auto& member : members_)
    if (member.key == key) return &member.value;
  return nullptr;
}

Value* Value::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

const Value* Value::find_path(std::initializer_list<std::string_view> keys) const {
  const Value* at = this;
  for (const auto key : keys)
    if (at) at = at->find(key);
  return at;
}

void Value::set(std::string key, Value value) {
  kind_ = Kind::mapping;
  if (Value* existing = find(key)) {
    *existing = std::move(value);
  } else {
    members_.push_back({std::move(key), {}, std::move(value)});
  }
}

}  // namespace viaduct
