# Language, warnings, sanitizers, linker and ccache.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_THREAD_PREFER_PTHREAD ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# Assertions of our own invariants stay in release builds: no -DNDEBUG.
set(CMAKE_CXX_FLAGS_RELEASE "-O3")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # At -O3 g++ 12 sees fmt write behind buffers that it does not write behind.
  string(APPEND CMAKE_CXX_FLAGS_RELEASE " -Wno-stringop-overflow")
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-O2 -g -D_GLIBCXX_ASSERTIONS")

foreach(option LOCKDEP EXHIBITS)
  if(XIP_${option})
    set(XIP_${option}_VALUE 1)
  else()
    set(XIP_${option}_VALUE 0)
  endif()
endforeach()

find_program(XIP_CCACHE ccache)
if(XIP_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${XIP_CCACHE}")
endif()

# Many small programs are linked: a fast linker is worth it where there is one.
if(NOT DEFINED XIP_LINKER)
  foreach(linker mold gold)
    find_program(XIP_LD_${linker} "ld.${linker}")
    if(XIP_LD_${linker})
      set(XIP_LINKER ${linker} CACHE STRING "Linker, as -fuse-ld= takes it")
      break()
    endif()
  endforeach()
endif()
if(XIP_LINKER)
  add_link_options("-fuse-ld=${XIP_LINKER}")
endif()

# Designated initializers leave members out on purpose. -Wrestrict of g++ 12 sees overlaps in std::string that are not there.
add_compile_options(-Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wextra-semi -Wvla -Wundef
                    -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wshadow=local -Wno-restrict -Wno-interference-size)
else()
  add_compile_options(-Wshadow)
endif()
if(XIP_WERROR)
  add_compile_options(-Werror)
endif()

if(XIP_SANITIZE)
  add_compile_options("-fsanitize=${XIP_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options("-fsanitize=${XIP_SANITIZE}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The instrumented code confuses the flow-based warnings of g++ 12; the other presets keep them.
    add_compile_options(-Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-null-dereference -Wno-tsan)
  endif()
endif()

if(XIP_LIBFUZZER)
  # Every object counts its edges; what runs them is linked into the targets of tests/fuzz alone.
  # Comparisons are not traced: mutations know the format, and it costs a sixth of the speed.
  add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

if(XIP_ANALYSIS)
  add_compile_options(-Wthread-safety -Wthread-safety-beta)
endif()
