# Files that the library carries: a program of the build turns each into a C array.
add_executable(embed ${CMAKE_SOURCE_DIR}/tools/embed.c)

# sdw_embed(target NAME file): target gets `const unsigned char NAME[]` and `const size_t NAME_size`.
function(sdw_embed target name file)
  set(output ${CMAKE_BINARY_DIR}/generated/${name}.c)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
  add_custom_command(OUTPUT ${output} COMMAND embed ${name} ${file} ${output} DEPENDS embed ${file}
    COMMENT "Embedding ${name}" VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()

sdw_embed(sdw_lib sdw_clip_merges ${CMAKE_SOURCE_DIR}/src/text/data/clip_merges.bin)
# The beginning of docs/api.md, which the program prints.
sdw_embed(sdw_server_lib sdw_api_guide ${CMAKE_SOURCE_DIR}/src/server/api_guide.md)
