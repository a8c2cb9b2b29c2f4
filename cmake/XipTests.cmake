# Unit tests: one GoogleTest program for each folder tests/ROOM.

# xip_unit_tests(NAME [LINK target...]): program NAME_tests of tests/NAME/*.cc, linked with room NAME where LINK is not given.
function(xip_unit_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 unit "" "" "LINK")
  file(GLOB tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cc")
  if(NOT tests)
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${name}/*.cc")
  if(NOT unit_LINK)
    set(unit_LINK libxip_${name})
  endif()
  add_executable(${name}_tests ${sources})
  target_include_directories(${name}_tests PRIVATE "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(${name}_tests PRIVATE ${unit_LINK} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name}_tests TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${name}" TIMEOUT 300)
endfunction()
