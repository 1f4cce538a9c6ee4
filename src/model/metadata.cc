#include "model/metadata.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::model {

const std::string* find(const StringMap& map, std::string_view key) {
  for (const auto& [name, value] : map)
    if (name == key) return &value;
  return nullptr;
}

ObjectMeta read_metadata(ObjectReader& object) {
  ObjectMeta meta;
  const bool there = object.object("metadata", [&](ObjectReader& reader) {
    meta.name = reader.string("name").value_or("");
    meta.name_space = reader.string("namespace").value_or("");
    meta.labels = reader.string_map("labels");
    meta.annotations = reader.string_map("annotations");
    if (const Value* generated = reader.any("generateName"); generated && meta.name.empty())
      reader.error("generateName", "a generated name is not supported", "set metadata.name");
    // What the API server adds when an object is read back.
    for (const auto* key : {"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields", "selfLink"})
      reader.ignore(key);
    if (!reader.value().find("generateName")) {
      reader.required("name");
      check_not_empty(reader, "name");
    }
  });
  if (!there) object.required("metadata", "add metadata with a name");
  return meta;
}

void check_length(ObjectReader& object, std::string_view key, const std::string& text, std::size_t most) {
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  if (static_cast<std::size_t>(characters) > most)
    object.error(key, str("Too long: may not be more than ", most, " bytes"));
}

void check_not_empty(ObjectReader& object, std::string_view key) {
  const Value* value = object.any(key);
  if (value && value->kind() == Value::Kind::string && value->text().empty())
    object.error(key, "should be at least 1 chars long");
}

void check_items(ObjectReader& object, std::string_view key, std::size_t count, std::size_t most) {
  if (count > most) object.error(key, str("Too many: ", count, ": must have at most ", most, " items"));
}

std::vector<EnvVar> read_env(ObjectReader& object, std::string_view key, std::size_t most) {
  std::vector<EnvVar> env;
  std::set<std::string> names;
  object.objects(key, [&](ObjectReader& reader) {
    EnvVar variable;
    variable.name = reader.required_string("name");
    const auto value = reader.string("value");
    variable.value = value.value_or("");
    variable.from_source = reader.any("valueFrom") != nullptr;
    if (variable.from_source && value && !value->empty())
      reader.error("valueFrom", "may not be specified when `value` is not empty");
    const Value* name = reader.value().find("name");
    const bool printable = std::all_of(variable.name.begin(), variable.name.end(),
                                       [](char c) { return c >= ' ' && c <= '~' && c != '='; });
    if (name && name->kind() == Value::Kind::string && (variable.name.empty() || !printable))
      reader.error("name",
                   "a valid environment variable name must consist only of printable ASCII characters other than '='");
    if (variable.value.find('\0') != std::string::npos) reader.error("value", "must not contain a zero byte");
    if (!names.insert(variable.name).second) reader.error("name", str("Duplicate value: \"", variable.name, "\""));
    env.push_back(std::move(variable));
  });
  check_items(object, key, env.size(), most);
  return env;
}

static std::vector<std::pair<std::string, Quantity>> read_quantities(ObjectReader& object, std::string_view key) {
  std::vector<std::pair<std::string, Quantity>> out;
  object.object(key, [&](ObjectReader& reader) {
    for (const auto& member : reader.value().members()) {
      const Value* value = reader.any(member.key);
      if (!value) continue;
      if (!value->is_scalar() || value->kind() == Value::Kind::boolean) {
        reader.error(member.key, "must be a quantity such as 4, \"500m\" or 8Gi");
        continue;
      }
      try {
        const Quantity quantity = Quantity::parse(value->text());
        if (quantity < Quantity()) reader.error(member.key, "must be greater than or equal to 0");
        out.emplace_back(member.key, quantity);
      } catch (const Error& e) {
        reader.error(member.key, e.what(), e.hint());
      }
    }
  });
  return out;
}

std::optional<ResourceRequirements> read_resources(ObjectReader& object, std::string_view key) {
  ResourceRequirements resources;
  const bool there = object.object(key, [&](ObjectReader& reader) {
    resources.limits = read_quantities(reader, "limits");
    resources.requests = read_quantities(reader, "requests");
    reader.ignore("claims");
    for (const auto& [name, request] : resources.requests)
      for (const auto& [limit_name, limit] : resources.limits)
        if (name == limit_name && limit < request)
          reader.error("requests",
                       str(name, ": must be less than or equal to ", name, " limit of ", limit.to_string()));
  });
  return there ? std::optional(resources) : std::nullopt;
}

}  // namespace viaduct::model
