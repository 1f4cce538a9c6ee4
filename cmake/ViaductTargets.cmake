# One static library per folder of src/: viaduct_library(base SOURCES a.cc b.cc DEPENDS ...)
# makes target viaduct_base. Sources are listed by name.

add_library(viaduct_options INTERFACE)
target_include_directories(viaduct_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(viaduct_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Werror
  # GCC 12 warns of an overlap that can't be in "text" + std::string (GCC's bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
target_compile_definitions(viaduct_options INTERFACE VIADUCT_VERSION="${PROJECT_VERSION}")
if(VIADUCT_SANITIZE)
  target_compile_options(viaduct_options INTERFACE -fsanitize=${VIADUCT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(viaduct_options INTERFACE -fsanitize=${VIADUCT_SANITIZE})
endif()

function(viaduct_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(viaduct_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(viaduct_${name} PUBLIC viaduct_options ${ARG_DEPENDS})
endfunction()
