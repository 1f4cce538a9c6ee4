#include "bridge/losses.h"

#include <algorithm>

#include "base/text.h"

namespace viaduct::bridge {
namespace {

using Segments = std::vector<std::string>;  // "spec", "containers", "[node]", "image"

// Whether `pattern` and `path` are the same from segment `first` on, as far as both go. "[]" stands for any list item.
bool agree(const Segments& pattern, const Segments& path, std::size_t first) {
  const std::size_t common = std::min(pattern.size(), path.size());
  for (std::size_t i = first; i < common; ++i)
    if (pattern[i] != path[i] && !(pattern[i] == "[]" && path[i].starts_with("["))) return false;
  return true;
}

class Walker {
 public:
  Walker(const Capabilities& capabilities, std::string_view trainer_job)
      : backend_(capabilities.backend), trainer_job_(trainer_job) {
    for (const auto& rule : capabilities.rules) rules_.push_back({split(rule.pattern, '.'), rule.reason});
  }

  void walk(const Value& value, Segments path, const std::string& shown) {
    std::vector<const Rule*> all;
    for (const auto& rule : rules_) all.push_back(&rule);
    walk(value, path, 0, shown, all);
  }

  std::vector<model::Loss> take() { return std::move(losses_); }

 private:
  struct Rule {
    Segments pattern;
    std::string_view reason;
  };

  // `above` are the rules that agree with the first `agreed` segments of the path; only these can matter below.
  void walk(const Value& value, Segments& path, std::size_t agreed, const std::string& shown,
            const std::vector<const Rule*>& above) {
    if (value.is_null()) return;
    const Rule* nearest_rule = nullptr;
    std::vector<const Rule*> here;  // those that speak of parts of this value
    for (const Rule* rule : above) {
      if (!agree(rule->pattern, path, agreed)) continue;
      if (rule->pattern.size() > path.size()) {
        here.push_back(rule);
      } else if (!nearest_rule || rule->pattern.size() >= nearest_rule->pattern.size()) {
        nearest_rule = rule;
      }
    }
    if (!here.empty() && !value.is_scalar()) {
      if (nearest_rule) here.push_back(nearest_rule);
      walk_parts(value, path, shown, here);
    } else if (!nearest_rule || !nearest_rule->reason.empty()) {
      losses_.push_back({shown, nearest_rule ? std::string(nearest_rule->reason)
                                             : str("the ", backend_, " backend has nothing like it")});
    }
  }

  void walk_parts(const Value& value, Segments& path, const std::string& shown, const std::vector<const Rule*>& rules) {
    const std::size_t depth = path.size();
    for (const auto& member : value.members()) {
      for (auto& part : split(member.key, '.')) path.push_back(std::move(part));  // as the rules are taken apart
      walk(member.value, path, depth, str(shown, ".", member.key), rules);
      path.resize(depth);
    }
    const bool jobs = path.back() == "replicatedJobs";
    for (std::size_t i = 0; i < value.items().size(); ++i) {
      const Value* named = value.items()[i].find("name");
      const std::string name = named ? named->text() : std::to_string(i);
      path.push_back(jobs && name == trainer_job_ ? "[trainer]" : str("[", name, "]"));
      walk(value.items()[i], path, depth, str(shown, "[", name, "]"), rules);
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
    walker.walk(*spec, {"TrainJob", "spec"}, "TrainJob.spec");
  }
  if (const Value* spec = runtime.document.root.find("spec")) {
    Value effective = *spec;
    effective.set("template", patched_template);
    walker.walk(effective, {"Runtime", "spec"}, str(runtime.kind, "/", runtime.metadata.name, ".spec"));
  }
  return walker.take();
}

}  // namespace viaduct::bridge
