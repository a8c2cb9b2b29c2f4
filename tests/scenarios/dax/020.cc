// What: what a task maps is of the kind that was asked for, and a store is at the block's place in the device without a call.
// Why: scenarios run on a model of mappings and on pointers; one that ran on the other kind would show nothing about its own.
// Groups: auto quick mmap. Needs: DAX.
#include <xip/scenario/scenario.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

// Where the device's own window has the first block of the file.
[[nodiscard]] const std::byte* in_window(run& t, int fd) {
  const auto extents = extents_of(t, fd);
  return t.must(t.device().direct_access(extents.at(0).physical, page_size, dev::access_intent::read)).data;
}
[[nodiscard]] std::uint64_t word_at(const void* place) { return *static_cast<const volatile std::uint64_t*>(place); }

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick mmap", "the kind of mappings that was asked for", .dax = true) {
  const int fd = t.create("file");
  t.must(t->ftruncate(fd, 8192));
  const user_address at = map_file(t, t.task(), fd, 8192);
  t.expect_equal(maps_pointers(t.task()), t.has_pointers(), "whether what is mapped are pointers");
  expect_store(t, t.task(), at + 8, 0x746163);
  t.expect_equal(word_at(in_window(t, fd) + 8), 0x746163u, "the word in the device");
  if (t.has_pointers()) {
    t.expect_equal(word_at(static_cast<std::byte*>(mm::user_pointer(at)) + 8), 0x746163u, "the word at the pointer");
    *static_cast<volatile std::uint64_t*>(mm::user_pointer(at + 16)) = 0x646f67;  // in a page that is there
    t.expect_equal(read_word(t, t.task(), fd, 16), 0x646f67u, "what the CPU has stored, read by a call");
  }
  const auto behind = store_user(t.task(), at + 8192, "x", 1);
  t.expect(!behind && behind.error().signal == mm::access_signal::segv_maperr, "SIGSEGV behind the mapping");
  t.must(t->ftruncate(fd, 4096));
  const auto cut = load_word(t.task(), at + 4096);
  t.expect(!cut.has_value(), "SIGBUS behind the end of the file");
  const vfs::task_ptr other = t.new_task();
  t.must(mm::mm_struct::make_for(*other));
  t.expect_equal(maps_pointers(*other), t.has_pointers(), "another task, likewise");
  t.must(mm::munmap(t.task(), at, 8192));
  t.must(t->close(fd));
}
