# sdw_registry(NAME FOLDER [PREFIX]) - generated/registry/NAME.inc lists the files of src/FOLDER as X(name) lines.
# It is written while configuring; the CONFIGURE_DEPENDS glob configures again when a file comes or goes, so a new
# entry is a new file and nothing else. Include it as "registry/NAME.inc".
function(sdw_registry name folder)
  set(prefix "${ARGN}")
  file(GLOB entries CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/${prefix}*.c)
  execute_process(
    COMMAND sh ${CMAKE_SOURCE_DIR}/tools/gen_registry.sh ${CMAKE_SOURCE_DIR}/src/${folder}
            ${CMAKE_BINARY_DIR}/generated/registry/${name}.inc ${prefix}
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/gen_registry.sh)

sdw_registry(samplers diffusion/samplers)
sdw_registry(schedules diffusion/schedules)
sdw_registry(families model/families)
sdw_registry(codecs image/codecs)
sdw_registry(commands cli cmd_)
sdw_registry(routes server/routes)
sdw_registry(apidocs server/apidocs)
