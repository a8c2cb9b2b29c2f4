// Mapped files: what the first touch of a page costs, beside the host's own page faults on tmpfs, and what an access costs when it is there.
#include "bench_map.h"

#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xip/mm/mm.h>

#include "bench.h"

namespace xip::tool {
namespace {

// Every page of a mapping, in its order.
void load(const char* at) { benchmark::DoNotOptimize(*static_cast<const volatile char*>(at)); }
void store(char* at) { *static_cast<volatile char*>(at) = 1; }

// A task of its own with an address space of the host: other benchmarks' tasks have plain buffers only as long as there is none.
class host_task {
 public:
  host_task(const map_bed& bed, mm::trap_by by) : task_{must(bed.kernel.make_task({}, "map"), "task")} {
    must(mm::mm_struct::make_host_for(*task_, by), "an address space of the host");
    fd_ = must(task_->open(bed.path, O_RDWR | O_CREAT, 0644), bed.path.c_str());
  }
  ~host_task() {
    static_cast<void>(mm::mm_struct::make_for(*task_));
    static_cast<void>(task_->close(fd_));
  }
  host_task(const host_task&) = delete;
  host_task& operator=(const host_task&) = delete;

  [[nodiscard]] char* map(std::size_t bytes) {
    return static_cast<char*>(mm::user_pointer(must(mm::mmap(*task_, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0), "mmap")));
  }
  void unmap(char* at, std::size_t bytes) { must(mm::munmap(*task_, reinterpret_cast<mm::user_address>(at), bytes), "munmap"); }
  void sync() { must(task_->fsync(fd_), "fsync"); }
  void empty(std::size_t bytes) {
    must(task_->ftruncate(fd_, 0), "truncate");
    must(task_->ftruncate(fd_, static_cast<loff_t>(bytes)), "truncate");
  }

 private:
  vfs::task_ptr task_;
  int fd_ = -1;
};

// The host lets nobody have what BY asks for.
[[nodiscard]] bool is_denied(const map_bed& bed, mm::trap_by by) {
  const vfs::task_ptr probe{must(bed.kernel.make_task({}, "map"), "task")};
  if (mm::mm_struct::make_host_for(*probe, by)) return false;
  return by == mm::trap_by::userfaultfd;
}

[[nodiscard]] char* map_host(int fd, std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) give_up("mmap of a file on tmpfs");
  return static_cast<char*>(at);
}

// Both are mapped as the first page is touched, and unmapped behind each round; BETWEEN makes the files ready for the next one.
template <class Touch, class Between>
void first_touch(benchmark::State& state, const map_bed& bed, mm::trap_by by, Touch&& touch, Between&& between) {
  if (is_denied(bed, by)) return state.SkipWithError("this host denies userfaultfd");
  host_task us{bed, by};
  paired_ratio pair;
  char *ours = nullptr, *theirs = nullptr;
  for (auto round : state) {
    static_cast<void>(round);
    between(us);
    pair.round(
        0, bed.bytes / page_size,
        [&](std::size_t i) {
          if (i == 0) ours = us.map(bed.bytes);
          touch(ours + i * page_size);
        },
        [&](std::size_t i) {
          if (i == 0) theirs = map_host(bed.host_fd, bed.bytes);
          touch(theirs + i * page_size);
        });
    us.unmap(ours, bed.bytes);
    ::munmap(theirs, bed.bytes);
    state.SetIterationTime(pair.last_seconds());
  }
  report(state, pair);
  state.counters["file_bytes"] = static_cast<double>(bed.bytes);
}

}  // namespace

void map_first_load(benchmark::State& state, const map_bed& bed, mm::trap_by by) {
  first_touch(state, bed, by, load, [](host_task&) {});
}

void map_first_store(benchmark::State& state, const map_bed& bed, mm::trap_by by) {
  first_touch(state, bed, by, store, [](host_task& us) { us.sync(); });
}

void map_store_in_hole(benchmark::State& state, const map_bed& bed, mm::trap_by by) {
  first_touch(state, bed, by, store, [&](host_task& us) {
    us.empty(bed.bytes);
    if (::ftruncate(bed.host_fd, 0) != 0 || ::ftruncate(bed.host_fd, static_cast<off_t>(bed.bytes)) != 0) give_up("/dev/shm: truncate");
  });
}

// A word is stored somewhere else each time, and made durable: what one store has made writable is flushed, and write-protected, as a whole.
void map_store_and_sync(benchmark::State& state, const map_bed& bed) {
  host_task us{bed, mm::trap_by::any};
  char *const ours = us.map(bed.bytes), *const theirs = map_host(bed.host_fd, bed.bytes);
  const auto place = [&](std::size_t i) { return i * 7 % (bed.bytes / mm::pmd_size) * mm::pmd_size + i % mm::pages_per_pmd * page_size; };
  run_pair(
      state, 256,
      [&](std::size_t i) {
        store(ours + place(i));
        us.sync();
      },
      [&](std::size_t i) {
        store(theirs + place(i));
        if (::msync(theirs + place(i), page_size, MS_SYNC) != 0) give_up("/dev/shm: msync");
      });
  us.unmap(ours, bed.bytes);
  ::munmap(theirs, bed.bytes);
}

// Pages that are there, at random, beside the device's own window.
void map_access(benchmark::State& state, const map_bed& bed, const std::byte* window) {
  host_task us{bed, mm::trap_by::any};
  char* const at = us.map(bed.bytes);
  for (std::size_t i = 0; i < bed.bytes; i += page_size) load(at + i);
  std::vector<std::byte> buffer(page_size);
  run_pair(
      state, 4096,
      [&](std::size_t i) {
        std::memcpy(buffer.data(), at + bed.random_offset(i), page_size);
        benchmark::ClobberMemory();
      },
      [&](std::size_t i) {
        std::memcpy(buffer.data(), window + bed.random_offset(i), page_size);
        benchmark::ClobberMemory();
      });
  us.unmap(at, bed.bytes);
}

// A fault of the model and a load of 8 bytes, beside a pread of as many.
void model_first_load(benchmark::State& state, const map_bed& bed) {
  const vfs::task_ptr task{must(bed.kernel.make_task({}, "map"), "task")};
  const int fd = must(task->open(bed.path, O_RDONLY), bed.path.c_str());
  paired_ratio pair;
  for (auto round : state) {
    static_cast<void>(round);
    const mm::user_address at = must(mm::mmap(*task, 0, bed.bytes, PROT_READ, MAP_SHARED, fd, 0), "mmap");
    std::uint64_t word = 0;
    pair.round(
        0, bed.bytes / page_size, [&](std::size_t i) { benchmark::DoNotOptimize(mm::load(*task, at + i * page_size, &word, sizeof word)); },
        [&](std::size_t i) { benchmark::DoNotOptimize(task->pread(fd, &word, sizeof word, static_cast<loff_t>(i * page_size))); });
    must(mm::munmap(*task, at, bed.bytes), "munmap");
    state.SetIterationTime(pair.last_seconds());
  }
  report(state, pair);
  static_cast<void>(task->close(fd));
}

}  // namespace xip::tool
