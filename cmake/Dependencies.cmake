# What Viaduct builds with. scripts/install-packages build installs all of it but the static hwloc.
find_package(nlohmann_json 3.9 REQUIRED)
find_package(CLI11 2 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libyaml REQUIRED IMPORTED_TARGET yaml-0.1>=0.2.5)

find_package(OpenSSL 3.0 REQUIRED)

# hwloc and libssh are static, and without what has no static form itself (libudev, Kerberos). scripts/static-deps builds
# them from Debian's source packages into a cache.
if(NOT VIADUCT_STATIC_DEPS)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/static-deps --prefix
                  OUTPUT_VARIABLE VIADUCT_STATIC_DEPS OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT EXISTS ${VIADUCT_STATIC_DEPS}/complete)
  message(FATAL_ERROR "There is no static hwloc and libssh in '${VIADUCT_STATIC_DEPS}'. Run scripts/static-deps (or scripts/build, which does it for you).")
endif()
foreach(name hwloc ssh)
  add_library(viaduct_${name} STATIC IMPORTED)
  set_target_properties(viaduct_${name} PROPERTIES
    IMPORTED_LOCATION ${VIADUCT_STATIC_DEPS}/lib/lib${name}.a
    INTERFACE_INCLUDE_DIRECTORIES ${VIADUCT_STATIC_DEPS}/include)
endforeach()
set_target_properties(viaduct_ssh PROPERTIES INTERFACE_COMPILE_DEFINITIONS LIBSSH_STATIC
                                             INTERFACE_LINK_LIBRARIES crypto)  # libcrypto.a with -static
