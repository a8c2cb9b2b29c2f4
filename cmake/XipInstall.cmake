# What is installed: headers, libxip and libxip_scenario, the CMake package `libxip` and libxip.pc.
include(CMakePackageConfigHelpers)

set(XIP_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/libxip")

install(DIRECTORY include/xip DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_BINARY_DIR}/generated/include/xip/base/config.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/xip/base")
# Two sets, so that who wants libxip::xip alone needs nothing of what libxip::scenario stands on.
install(TARGETS xip EXPORT libxipTargets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS scenario EXPORT libxipScenarioTargets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT libxipTargets NAMESPACE libxip:: DESTINATION "${XIP_CMAKE_DIR}")
install(EXPORT libxipScenarioTargets NAMESPACE libxip:: DESTINATION "${XIP_CMAKE_DIR}")

configure_package_config_file(cmake/libxipConfig.cmake.in generated/libxipConfig.cmake INSTALL_DESTINATION "${XIP_CMAKE_DIR}")
write_basic_package_version_file(generated/libxipConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/generated/libxipConfig.cmake" "${PROJECT_BINARY_DIR}/generated/libxipConfigVersion.cmake"
        DESTINATION "${XIP_CMAKE_DIR}")

# A static libxip cannot carry what it stands on, so its users link that too.
if(BUILD_SHARED_LIBS)
  set(XIP_PC_REQUIRES "")
  set(XIP_PC_REQUIRES_PRIVATE "liburing libpmem libisal fmt")
else()
  set(XIP_PC_REQUIRES "liburing libpmem libisal fmt")
  set(XIP_PC_REQUIRES_PRIVATE "")
endif()
configure_file(cmake/libxip.pc.in generated/libxip.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/generated/libxip.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
