# What libxip stands on. Debian packages only; tools/setup installs them.

find_package(PkgConfig REQUIRED)
pkg_check_modules(liburing REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(libpmem REQUIRED IMPORTED_TARGET libpmem)
pkg_check_modules(libisal REQUIRED IMPORTED_TARGET libisal)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
if(XIP_TESTS)
  find_package(GTest REQUIRED)
endif()
find_package(benchmark REQUIRED)
