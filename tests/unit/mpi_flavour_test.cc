#include "launcher/mpi_flavour.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace viaduct;
using namespace viaduct::launcher;

TEST_CASE("mpi flavour: every supported mpirun is known by what --version prints") {
  struct Case {
    const char* output;
    MpiFamily family;
    int major;
    int minor;
    const char* description;
  };
  const Case cases[] = {
      {"mpirun (Open MPI) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n", MpiFamily::open_mpi, 4, 1,
       "Open MPI 4.1.4"},
      {"mpirun.openmpi (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n",
       MpiFamily::open_mpi, 4, 1, "Open MPI 4.1.4"},
      {"mpirun (Open MPI) 3.1.6\n", MpiFamily::open_mpi, 3, 1, "Open MPI 3.1.6"},
      {"mpirun (Open MPI) 5.0.11\n\nReport bugs to https://www.open-mpi.org/community/help/\n\n", MpiFamily::open_mpi,
       5, 0, "Open MPI 5.0.11"},
      {"mpirun (Open MPI) 5.1rc2\n", MpiFamily::open_mpi, 5, 1, "Open MPI 5.1rc2"},
      {"HYDRA build details:\n    Version:                                 4.0.2\n    Release Date:      Thu Apr  7\n",
       MpiFamily::mpich, 4, 0, "MPICH 4.0.2"},
      {"HYDRA build details:\n    Version:                                 5.0.2\n    CC:         cc\n",
       MpiFamily::mpich, 5, 0, "MPICH 5.0.2"},
      {"Intel(R) MPI Library for Linux* OS, Version 2021.19.0 Build 20260929 (id: 1821d9b)\n"
       "Copyright 2003-2026, Intel Corporation.\n",
       MpiFamily::intel, 2021, 19, "Intel MPI 2021.19.0"},
      {"Intel(R) MPI Library for Linux* OS, Version 2021.5 Build 20211102 (id: 9279b7d62)\n", MpiFamily::intel, 2021, 5,
       "Intel MPI 2021.5"},
      {"Intel(R) MPI Library for Linux* OS, Version 2019 Update 6 Build 20191024\n", MpiFamily::intel, 2019, 0,
       "Intel MPI 2019"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.output);
    const MpiFlavour mpi = parse_mpirun_version(c.output);
    CHECK(mpi.family == c.family);
    CHECK(mpi.major == c.major);
    CHECK(mpi.minor == c.minor);
    CHECK(describe(mpi) == c.description);
  }
}

TEST_CASE("mpi flavour: an mpirun of another kind or too old is refused with what it said") {
  const char* const outputs[] = {
      "",
      "mpirun (Open MPI) 1.10.7\n",
      "mpirun (Open MPI) five\n",
      "mpirun (Open MPI) 99999999999999999999.1\n",
      "HYDRA build details:\n    Version:          1.4\n",
      "HYDRA build details:\n    Version:          3.2\n    Configure options:  '--prefix=/opt/mvapich2'\n",
      "Intel(R) MPI Library for Linux* OS, Version 5.1 Update 3\n",
      "mpiexec version 1.4.1 revision 0a6ab30, PALS\n",
      "usage: mpirun [options]\n",
  };
  for (const char* output : outputs) {
    CAPTURE(output);
    try {
      parse_mpirun_version(output);
      FAIL("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == ExitCode::missing_on_host);
      CHECK(!std::string(e.what()).empty());
    }
  }
  CHECK_THROWS_WITH(parse_mpirun_version("mpirun (Open MPI) 1.10.7\nmore\n"),
                    "this mpirun is not known: \"mpirun (Open MPI) 1.10.7\"");
}
