# What `cmake --install` puts where: program, library with its public headers and pkg-config file, demo model.
include(GNUInstallDirs)
if(TARGET sdw)
  install(TARGETS sdw RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # The names under which orchestrators start a worker; the part behind the last '-' is the backend.
  foreach(name sd-worker-cpu sd-worker-rbee sd-worker-rbee-cpu)
    install(CODE "
      set(link \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/${name}\")
      file(CREATE_LINK sdw \"\${link}\" SYMBOLIC)
      message(STATUS \"Installing: \${link}\")")
  endforeach()
  # Completions and man pages are printed by the program itself, so they are what it does.
  install(CODE "execute_process(COMMAND sh ${CMAKE_SOURCE_DIR}/scripts/print-docs.sh $<TARGET_FILE:sdw> ${CMAKE_BINARY_DIR}/printed COMMAND_ERROR_IS_FATAL ANY)")
  install(DIRECTORY ${CMAKE_BINARY_DIR}/printed/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
  install(FILES ${CMAKE_BINARY_DIR}/printed/sdw DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${CMAKE_BINARY_DIR}/printed/_sdw DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()
install(TARGETS sdw_lib ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/sdw DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
# OPTIONAL: a checkout without the model's weights still installs.
install(DIRECTORY demo/model/ DESTINATION ${CMAKE_INSTALL_DATADIR}/sdw/demo-model OPTIONAL)
# The file finds the prefix from its own place, so that a tree installed with another --prefix, or moved, works.
file(RELATIVE_PATH PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/sdw.pc.in ${CMAKE_BINARY_DIR}/sdw.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/sdw.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
