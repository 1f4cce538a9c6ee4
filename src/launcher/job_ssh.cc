#include "launcher/job_ssh.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct::launcher {

void put_job_ssh_first(Environment& environment, const fs::path& directory, const fs::path& ssh_config) {
  const fs::path bin = directory / "bin";
  if (bin.string().find(':') != std::string::npos)
    throw Error(str("PATH can't name ", bin.string(), ", for there is a colon in it"), ExitCode::bad_input);
  environment.set("PATH", str(bin.string(), ":", environment.get_or("PATH", "/usr/local/bin:/usr/bin:/bin")));
  environment.set("VIADUCT_SSH_CONFIG", ssh_config.string());
}

void place_job_ssh(const fs::path& directory, const fs::path& agent) {
  const fs::path bin = directory / "bin";
  create_directories(bin, 0700);
  std::error_code error;
  fs::create_symlink(agent, bin / "ssh", error);
  if (error && error != std::errc::file_exists)
    throw Error(str("can't write ", (bin / "ssh").string(), ": ", error.message()));
}

}  // namespace viaduct::launcher
