# Scenarios: tests/scenarios/DIR/NNN.cc is scenario DIR/NNN. Each file is compiled once; `xip check` holds all of them, and each is a
# program of its own, build/P/scenarios/DIR-NNN, as in xfstests.
#
# A scenario's file is compiled with
#   XIP_SCENARIO_DIR      "DIR", a string
#   XIP_SCENARIO_NUMBER   "NNN", a string
#   XIP_SCENARIO_SYMBOL   xip_scenario_DIR_NNN, the name of the constant it defines
# and a program lists its scenarios in a source generated from cmake/scenario_registry.cc.in: no static constructors, no registry to fill.

# xip_find_scenarios(VARIABLE): names DIR/NNN, sorted.
function(xip_find_scenarios variable)
  file(GLOB names CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/tests/scenarios" "${PROJECT_SOURCE_DIR}/tests/scenarios/*/[0-9][0-9][0-9].cc")
  list(TRANSFORM names REPLACE "\\.cc$" "")
  list(SORT names)
  set(${variable} "${names}" PARENT_SCOPE)
endfunction()

function(xip_scenario_symbol variable name)
  string(MAKE_C_IDENTIFIER "xip_scenario_${name}" symbol)
  set(${variable} "${symbol}" PARENT_SCOPE)
endfunction()

# xip_scenario_registry(FILE name...): the generated source that lists these scenarios.
function(xip_scenario_registry file)
  set(XIP_SCENARIO_DECLARATIONS "")
  set(XIP_SCENARIO_ENTRIES "")
  foreach(name IN LISTS ARGN)
    xip_scenario_symbol(symbol ${name})
    string(APPEND XIP_SCENARIO_DECLARATIONS "extern const scenario ${symbol};\n")
    string(APPEND XIP_SCENARIO_ENTRIES "      &${symbol},\n")
  endforeach()
  configure_file("${PROJECT_SOURCE_DIR}/cmake/scenario_registry.cc.in" "${file}" @ONLY)
endfunction()

# xip_add_scenarios(TARGET name...): library TARGET of these scenarios' objects, an archive from which a program takes what it lists.
function(xip_add_scenarios target)
  set(sources)
  foreach(name IN LISTS ARGN)
    set(source "${PROJECT_SOURCE_DIR}/tests/scenarios/${name}.cc")
    get_filename_component(dir ${name} DIRECTORY)
    get_filename_component(number ${name} NAME)
    xip_scenario_symbol(symbol ${name})
    set_source_files_properties("${source}" PROPERTIES COMPILE_DEFINITIONS
      "XIP_SCENARIO_DIR=\"${dir}\";XIP_SCENARIO_NUMBER=\"${number}\";XIP_SCENARIO_SYMBOL=${symbol}")
    list(APPEND sources "${source}")
  endforeach()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/scenarios")
  target_link_libraries(${target} PRIVATE libxip_scenario)
endfunction()

# xip_scenario_programs(ARCHIVE RUNTIME name...): one program each. They share one library, RUNTIME, so that many stay small.
function(xip_scenario_programs archive runtime)
  foreach(name IN LISTS ARGN)
    string(REPLACE "/" "-" program ${name})
    set(registry "${PROJECT_BINARY_DIR}/generated/scenarios/${program}.cc")
    xip_scenario_registry("${registry}" ${name})
    add_executable(scenario-${program} "${registry}" $<TARGET_OBJECTS:xip_scenario_main>)
    set_target_properties(scenario-${program} PROPERTIES OUTPUT_NAME ${program} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/scenarios")
    target_link_libraries(scenario-${program} PRIVATE ${archive} ${runtime})
  endforeach()
endfunction()
