// What AddressSanitizer believes about memory that we hand out ourselves. Empty in other builds.
#pragma once

#include <cstddef>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define XIP_EXPLORE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define XIP_EXPLORE_ASAN 1
#endif
#endif
#ifndef XIP_EXPLORE_ASAN
#define XIP_EXPLORE_ASAN 0
#endif

namespace xip::explore {

inline constexpr bool address_sanitizer = XIP_EXPLORE_ASAN != 0;

#if XIP_EXPLORE_ASAN
// May be touched, or not until it is allowed again.
void allow_access(const void* memory, std::size_t bytes) noexcept;
void forbid_access(const void* memory, std::size_t bytes) noexcept;
// The marks of MEMORY (aligned to 8 bytes), for putting them back later. They cover what users marked by hand, too.
void copy_marks(const void* memory, std::size_t bytes, std::vector<unsigned char>& to);
void put_marks(const void* memory, const std::vector<unsigned char>& from) noexcept;
// MEMORY stays mapped for ever, and what it points to counts as still in use.
void keep_reachable(const void* memory, std::size_t bytes) noexcept;
#else
inline void allow_access(const void*, std::size_t) noexcept {}
inline void forbid_access(const void*, std::size_t) noexcept {}
inline void copy_marks(const void*, std::size_t, std::vector<unsigned char>&) {}
inline void put_marks(const void*, const std::vector<unsigned char>&) noexcept {}
inline void keep_reachable(const void*, std::size_t) noexcept {}
#endif

}  // namespace xip::explore
