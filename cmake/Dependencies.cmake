# What Viaduct builds with. scripts/install-packages build installs all of it but the static hwloc.
find_package(nlohmann_json 3.9 REQUIRED)
find_package(CLI11 2 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libyaml REQUIRED IMPORTED_TARGET yaml-0.1>=0.2.5)

# hwloc for viaduct-agent is static and without its udev, XML and GPU back ends (Debian's libhwloc.a needs a static
# libudev, which does not exist). scripts/static-deps builds it from Debian's source package into a cache.
if(NOT VIADUCT_STATIC_DEPS)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/static-deps --prefix
                  OUTPUT_VARIABLE VIADUCT_STATIC_DEPS OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT EXISTS ${VIADUCT_STATIC_DEPS}/lib/libhwloc.a)
  message(FATAL_ERROR "There is no static hwloc in '${VIADUCT_STATIC_DEPS}'. Run scripts/static-deps (or scripts/build, which does it for you).")
endif()
add_library(viaduct_hwloc STATIC IMPORTED)
set_target_properties(viaduct_hwloc PROPERTIES
  IMPORTED_LOCATION ${VIADUCT_STATIC_DEPS}/lib/libhwloc.a
  INTERFACE_INCLUDE_DIRECTORIES ${VIADUCT_STATIC_DEPS}/include)
