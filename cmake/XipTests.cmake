# Unit tests, and what tests of a build with lock checking have in common.
#
# Every test appends the lock edges it saw to one file. Fixture `lock_edges_file` empties it before the first test; tests that fill it
# set up fixture `lock_edges`, so that the comparison with the written chains runs after all of them (and pulls them in when it is
# asked for alone).
set(XIP_LOCK_EDGES "${PROJECT_BINARY_DIR}/lock-edges")

if(XIP_LOCKDEP)
  set(XIP_TEST_PROPERTIES ENVIRONMENT "XIP_LOCKDEP_EDGES=${XIP_LOCK_EDGES}" FIXTURES_REQUIRED lock_edges_file FIXTURES_SETUP lock_edges)
else()
  set(XIP_TEST_PROPERTIES)
endif()

# Seconds until a test has hung, on a machine that does something else besides. The thread sanitizer takes ten times as long as nothing.
if(XIP_SANITIZE STREQUAL "thread")
  set(XIP_UNIT_TIMEOUT 1200)
  set(XIP_COMMAND_TIMEOUT 3600)
else()
  set(XIP_UNIT_TIMEOUT 300)
  set(XIP_COMMAND_TIMEOUT 900)
endif()

# What test programs of several rooms use: tests/support.
function(xip_test_support)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.cc")
  add_library(xip_test_support STATIC ${sources})
  target_include_directories(xip_test_support PUBLIC "${PROJECT_SOURCE_DIR}/tests")
endfunction()

# xip_unit_tests(NAME [LINK target...]): program NAME_tests of tests/NAME/*.cc, linked with room NAME where LINK is not given, and with tests/support.
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
  target_link_libraries(${name}_tests PRIVATE ${unit_LINK} xip_test_support GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name}_tests TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${name}" TIMEOUT ${XIP_UNIT_TIMEOUT} ${XIP_TEST_PROPERTIES})
endfunction()

# xip_command_test(NAME LABEL label COMMAND ...): a test that runs a command, such as `xip check`.
function(xip_command_test name)
  cmake_parse_arguments(PARSE_ARGV 1 command "" "LABEL;TIMEOUT" "COMMAND")
  if(NOT command_TIMEOUT)
    set(command_TIMEOUT ${XIP_COMMAND_TIMEOUT})
  endif()
  add_test(NAME ${name} COMMAND ${command_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "${command_LABEL}" TIMEOUT ${command_TIMEOUT} SKIP_RETURN_CODE 77 ${XIP_TEST_PROPERTIES})
endfunction()

# The chains at the heads of the files against what lockdep saw in all tests.
function(xip_lock_chain_tests)
  set(tool "${PROJECT_SOURCE_DIR}/tools/lock-chains")
  add_test(NAME lock-chains.can_fail COMMAND Python3::Interpreter "${tool}" --self-test)
  set_tests_properties(lock-chains.can_fail PROPERTIES LABELS lint)
  if(XIP_LOCKDEP)
    add_test(NAME lock-chains.empty COMMAND "${CMAKE_COMMAND}" -E remove -f "${XIP_LOCK_EDGES}")
    set_tests_properties(lock-chains.empty PROPERTIES FIXTURES_SETUP lock_edges_file)
    add_test(NAME lock-chains COMMAND Python3::Interpreter "${tool}" --edges "${XIP_LOCK_EDGES}" --root "${PROJECT_SOURCE_DIR}")
    add_test(NAME lock-chains.table COMMAND Python3::Interpreter "${tool}" --edges "${XIP_LOCK_EDGES}" --root "${PROJECT_SOURCE_DIR}"
             --table "${PROJECT_SOURCE_DIR}/docs/locking.md")
    set_tests_properties(lock-chains lock-chains.table PROPERTIES LABELS lint FIXTURES_REQUIRED lock_edges)
  endif()
endfunction()
