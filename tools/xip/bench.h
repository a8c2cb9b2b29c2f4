// What the files of `xip bench` share.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <xip/base/result.h>

#include "paired.h"

namespace xip::tool {

// Says why there are no figures, and ends the process.
[[noreturn]] void give_up(const std::string& why);

template <class T>
T must(result<T> r, const char* what) {
  if (!r.has_value()) give_up(fmt::format("{}: {}", what, r.error().message()));
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

// A file PATH of BYTES bytes with an ext4 of 4 KiB blocks; MORE: options of mke2fs.
void make_image(const std::string& path, std::size_t bytes, const std::vector<std::string>& more);

void report(benchmark::State& state, paired_ratio& pair);

// Runs PER_ROUND operations of both a round until the benchmark has enough.
template <class Figure, class Baseline>
void run_pair(benchmark::State& state, std::size_t per_round, Figure&& figure, Baseline&& baseline) {
  paired_ratio pair;
  std::size_t next = 0;
  for (auto round : state) {
    static_cast<void>(round);
    pair.round(next, next + per_round, figure, baseline);
    next += per_round;
    state.SetIterationTime(pair.last_seconds());
  }
  report(state, pair);
}

// bench_explore.cc: schedules against the calls they are made of. IMAGE: a file that can be made.
void explore_lock_litmus(benchmark::State& state);
void explore_read_truncate(benchmark::State& state, const std::string& image);

}  // namespace xip::tool
