#include "bridge/losses.h"

#include <algorithm>

#include "base/text.h"

namespace viaduct::bridge {
namespace {

using Segments = std::vector<std::string>;  // "spec", "containers", "[node]", "image"

// Whether `pattern` begins with, or is, `path` as far as both go. "[]" stands for any list item.
bool agree(const Segments& pattern, const Segments& path) {
  const std::size_t common = std::min(pattern.size(), path.size());
  for (std::size_t i = 0; i < common; ++i)
    if (pattern[i] != path[i] && !(pattern[i] == "[]" && path[i].starts_with("["))) return false;
  return true;
}

class Walker {
 public:
  Walker(const Capabilities& capabilities, std::string_view trainer_job)
      : backend_(capabilities.backend), trainer_job_(trainer_job) {
    for (const auto& rule : capabilities.rules) rules_.push_back({split(rule.pattern, '.'), rule.reason});
  }

  void walk(const Value& value, Segments& path, const std::string& shown) {
    if (value.is_null()) return;
    const Rule* nearest_rule = nullptr;
    bool parts_have_rules = false;
    for (const auto& rule : rules_) {
      if (!agree(rule.pattern, path)) continue;
      if (rule.pattern.size() > path.size()) {
        parts_have_rules = true;
      } else if (!nearest_rule || rule.pattern.size() >= nearest_rule->pattern.size()) {
        nearest_rule = &rule;
      }
    }
    if (parts_have_rules && !value.is_scalar()) {
      walk_parts(value, path, shown);
    } else if (!nearest_rule || !nearest_rule->reason.empty()) {
      losses_.push_back({shown, nearest_rule ? std::string(nearest_rule->reason)
                                             : str("the ", backend_, " backend has nothing like it")});
    }
  }

  std::vector<model::Loss> take() { return std::move(losses_); }

 private:
  struct Rule {
    Segments pattern;
    std::string_view reason;
  };

  void walk_parts(const Value& value, Segments& path, const std::string& shown) {
    const std::size_t depth = path.size();
    for (const auto& member : value.members()) {
      for (auto& part : split(member.key, '.')) path.push_back(std::move(part));  // as the rules are taken apart
      walk(member.value, path, str(shown, ".", member.key));
      path.resize(depth);
    }
    const bool jobs = path.back() == "replicatedJobs";
    for (std::size_t i = 0; i < value.items().size(); ++i) {
      const Value* named = value.items()[i].find("name");
      const std::string name = named ? named->text() : std::to_string(i);
      path.push_back(jobs && name == trainer_job_ ? "[trainer]" : str("[", name, "]"));
      walk(value.items()[i], path, str(shown, "[", name, "]"));
      path.resize(depth);
    }
  }

  std::string backend_;
  std::string trainer_job_;
  std::vector<Rule> rules_;
  std::vector<model::Loss> losses_;
};

}  // namespace

std::vector<model::Loss> find_losses(const model::TrainJob& job, const model::Runtime& runtime,
                                     const Value& patched_template, std::string_view trainer_job,
                                     const Capabilities& capabilities) {
  Walker walker(capabilities, trainer_job);
  if (const Value* spec = job.document.root.find("spec")) {
    Segments path = {"TrainJob", "spec"};
    walker.walk(*spec, path, "TrainJob.spec");
  }
  if (const Value* spec = runtime.document.root.find("spec")) {
    Value effective = *spec;
    effective.set("template", patched_template);
    Segments path = {"Runtime", "spec"};
    walker.walk(effective, path, str(runtime.kind, "/", runtime.metadata.name, ".spec"));
  }
  return walker.take();
}

}  // namespace viaduct::bridge
