#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/yaml.h"
#include "model/load.h"

using namespace viaduct;

static std::vector<Document> parse(std::string text, Diagnostics& diagnostics) {
  return parse_yaml(std::make_shared<const Source>(Source{"fuzz.yaml", std::move(text)}), diagnostics);
}

// Any text is read or complained about; a document that reads well does so again once it was written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Diagnostics diagnostics;
  const auto documents = parse(std::string(reinterpret_cast<const char*>(data), size), diagnostics);
  model::Objects objects;
  model::read_objects(documents, objects, diagnostics);
  diagnostics.render(true);
  if (diagnostics.has_errors()) return 0;

  for (const auto& document : documents) {
    const std::string written = write_yaml(document.root);
    Diagnostics again;
    const auto reread = parse(written, again);
    model::read_objects(reread, objects, again);
    if (again.has_errors() || reread.size() != 1 || write_yaml(reread.front().root) != written) std::abort();
  }
  return 0;
}
