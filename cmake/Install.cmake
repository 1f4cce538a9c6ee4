# What `cmake --install` and the packages hold, and the same layout in the build tree: both programs look for their
# data in ../share from where they are. Manual pages and completions are made in ${CMAKE_BINARY_DIR}/share by the build.

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/viaduct)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/runtimes ${CMAKE_BINARY_DIR}/share/viaduct/runtimes SYMBOLIC)

target_link_options(viaduct PRIVATE $<$<CONFIG:Release>:-s>)
target_link_options(viaduct-agent PRIVATE $<$<CONFIG:Release>:-s>)

install(TARGETS viaduct viaduct-agent)
install(DIRECTORY runtimes/ DESTINATION share/viaduct/runtimes FILES_MATCHING PATTERN *.yaml)
install(DIRECTORY examples DESTINATION share/viaduct)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(generated man bash-completion zsh fish)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/share/${generated} DESTINATION share)
endforeach()
install(CODE [[
  file(GLOB pages $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/man/man1/viaduct*.1)
  if(pages)
    execute_process(COMMAND gzip -9nf ${pages} COMMAND_ERROR_IS_FATAL ANY)
  endif()
]])

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME viaduct)
set(CPACK_PACKAGE_VENDOR "The Viaduct developers")
set(CPACK_PACKAGE_CONTACT "The Viaduct developers <viaduct@example.org>")
set(CPACK_PACKAGE_DESCRIPTION
"It brings viaduct, which plans, starts and follows the run, and viaduct-agent,
a static program that goes into an allocation or a container image and starts
the ranks there.")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_CHECKSUM SHA256)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "openmpi-bin | mpich")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openssh-client, slurm-client, bash-completion")
include(CPack)
