#include "launcher/fabric.h"

#include "base/files.h"

namespace viaduct::launcher {

bool has_fabric() {
  for (const auto* devices : {"/sys/class/infiniband", "/sys/class/cxi", "/sys/class/hfi1", "/sys/class/ipath"})
    if (!list_directory(devices).empty()) return true;
  return false;
}

}  // namespace viaduct::launcher
