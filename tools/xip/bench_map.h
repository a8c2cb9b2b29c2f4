// The benchmarks of mapped files.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include <benchmark/benchmark.h>

#include <xip/mm/mm.h>
#include <xip/vfs/kernel.h>

namespace xip::tool {

// A file of BYTES bytes of a file system with direct access, and one on the host's tmpfs, both written.
struct map_bed {
  vfs::kernel& kernel;
  std::string path;
  int host_fd;
  std::size_t bytes;
  std::function<std::size_t(std::size_t)> random_offset;  // of a page
};

// What is not there is told BY a userfaultfd or by SIGSEGV.
void map_first_load(benchmark::State& state, const map_bed& bed, mm::trap_by by);
void map_first_store(benchmark::State& state, const map_bed& bed, mm::trap_by by);
void map_store_in_hole(benchmark::State& state, const map_bed& bed, mm::trap_by by);  // both files are holes then
void map_store_and_sync(benchmark::State& state, const map_bed& bed);
void map_access(benchmark::State& state, const map_bed& bed, const std::byte* window);
void model_first_load(benchmark::State& state, const map_bed& bed);

}  // namespace xip::tool
