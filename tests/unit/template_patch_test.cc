#include "bridge/template_patch.h"

#include <catch2/catch.hpp>

#include "base/json.h"
#include "unit/objects.h"

using namespace viaduct;

static std::string merged(const std::string& target, const std::string& patch) {
  Diagnostics diagnostics;
  Value tree = test::document(target, diagnostics).root;
  bridge::merge_template(tree, test::document(patch, diagnostics).root);
  CHECK(test::places(diagnostics) == test::Lines{});
  return write_json(tree, 0);
}

TEST_CASE("template patch: mappings merge, scalars are replaced, null removes") {
  CHECK(merged("{a: {b: 1, c: 2}, d: x}", "{a: {c: 3, e: 4}, d: w}") == R"({"a":{"b":1,"c":3,"e":4},"d":"w"})");
  CHECK(merged("{a: {b: 1, c: 2}}", "{a: {b: }}") == R"({"a":{"c":2}})");
  CHECK(merged("{a: {b: 1}}", "{a: }") == "{}");
  CHECK(merged("{a: 1}", "{a: {b: 2}}") == R"({"a":{"b":2}})");
  CHECK(merged("{a: 1}", "{}") == R"({"a":1})");
}

TEST_CASE("template patch: lists with a key merge item by item in the template's order, new items come last") {
  CHECK(merged("{containers: [{name: a, image: x}, {name: b, image: x}]}",
               "{containers: [{name: c}, {name: b, image: z}]}") ==
        R"({"containers":[{"name":"a","image":"x"},{"name":"b","image":"z"},{"name":"c"}]})");
  CHECK(merged("{replicatedJobs: [{name: a, template: {spec: {x: 1}}}]}",
               "{replicatedJobs: [{name: a, template: {spec: {z: 2}}}]}") ==
        R"({"replicatedJobs":[{"name":"a","template":{"spec":{"x":1,"z":2}}}]})");
  for (const auto* key : {"initContainers", "volumes", "imagePullSecrets", "schedulingGates", "env"})
    CHECK(merged(str("{", key, ": [{name: a}]}"), str("{", key, ": [{name: b}]}")) ==
          str("{\"", key, "\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"));
}

TEST_CASE("template patch: volume mounts have their path as key") {
  CHECK(merged("{volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /b}]}",
               "{volumeMounts: [{name: w, mountPath: /b}]}") ==
        R"({"volumeMounts":[{"name":"v","mountPath":"/a"},{"name":"w","mountPath":"/b"}]})");
}

TEST_CASE("template patch: any other list is replaced as a whole") {
  CHECK(merged("{tolerations: [{key: a}], args: [x]}", "{tolerations: [{key: b}], args: []}") ==
        R"({"tolerations":[{"key":"b"}],"args":[]})");
}
