// Every short workload within bounds: two directories, two names in each, a list of calls with their parameters, and after each call something that makes
// durable, or nothing. What a call needs to be there is made before. Source: bounded black-box crash testing, as CrashMonkey's ACE does it (Mohan and others,
// OSDI 2018); here also several descriptors of one file, files without a name, and lengths that are no multiple of 8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <xip/crash/workload.h>

namespace xip::crash {

inline constexpr unsigned longest_ace = 3;

// How many workloads of LENGTH calls there are, 1 to longest_ace.
[[nodiscard]] std::uint64_t ace_count(unsigned length) noexcept;
// Number INDEX of them, below ace_count(LENGTH). Its name says which: "ace2-1234".
[[nodiscard]] workload ace_workload(unsigned length, std::uint64_t index);

inline constexpr unsigned longest_random = 100;

// LENGTH of the same calls, 1 to longest_random, chosen by SEED: too long to count through. "random12-77".
[[nodiscard]] workload random_workload(unsigned length, std::uint64_t seed);

// The same for two tasks. Each makes LENGTH calls, with something that makes durable behind each, or nothing: all unordered pairs of such lists, 1 to
// longest_raced_ace. "2xace1-77".
inline constexpr unsigned longest_raced_ace = 2;
[[nodiscard]] std::uint64_t raced_ace_count(unsigned length) noexcept;
[[nodiscard]] workload raced_ace_workload(unsigned length, std::uint64_t index);
// LENGTH calls for each, by chance. "2xrandom6-77".
[[nodiscard]] workload raced_random_workload(unsigned length, std::uint64_t seed);

// The workload that is so named, if any is.
[[nodiscard]] std::optional<workload> generated_workload(std::string_view name);

}  // namespace xip::crash
