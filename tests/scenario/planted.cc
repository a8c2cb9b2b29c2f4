// Scenarios that end in every way a scenario can end.
#include "scenario/planted.h"

#include <array>
#include <csignal>
#include <fstream>
#include <limits>

#include <poll.h>
#include <unistd.h>

namespace xip::scenario {
namespace {

void passes(run& t) {
  const int fd = t.create("file");
  t.put(fd, 0, 10'000, {.file = 1});
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_data(again, 0, 10'000, {.file = 1});
}

void fails(run& t) {
  t.put(t.create("evidence"), 0, 5000, {.file = 7});
  t.expect_equal(41, 42, "the answer");
}

void crashes(run& t) {
  const int fd = t.create("evidence");
  t.put(fd, 0, 5000, {.file = 7});
  t.must(t->syncfs(fd));
  static_cast<void>(std::raise(SIGILL));
}

void skips(run& t) { t.skip("the moon is full"); }

void hangs(run&) {
  for (;;) ::poll(nullptr, 0, -1);
}

void logs_an_error(run& t) { t.kernel().printk(vfs::log_level::error, "something is wrong with inode 12"); }

void fails_in_a_thread(run& t) {
  t.parallel(3, [&](vfs::task&, unsigned index) { t.expect(index != 1, "thread 1 is content"); });
}

void damages_the_image(run& t) {
  t.must(t->close(t.create("file")));
  t.umount();
  const std::vector<std::byte> garbage(4096, std::byte{0x55});
  t.must(t.device().write(4096, garbage));
}

void leaves_a_file_open(run& t) { static_cast<void>(t.create("file")); }

void fails_with_odd_text(run& t) { t.fail("a <b> & \"c\" \x01 \xff ]]> end"); }

void mistakes_an_errno(run& t) { t.expect_errno(t->open("none", O_RDONLY), EACCES); }

void finds_foreign_bytes(run& t) {
  const int fd = t.create("file");
  t.put(fd, 0, 8192, {.file = 1});
  t.put(fd, 4096, 8, {.file = 2, .generation = 5});
  t.expect_data(fd, 0, 8192, {.file = 1});
}

void prints_its_seed(run& t) { t.fail("chance said " + std::to_string(t.random().next())); }

pid_t parent_of(pid_t process) {
  std::ifstream status{"/proc/" + std::to_string(process) + "/stat"};
  status.ignore(std::numeric_limits<std::streamsize>::max(), ')');
  std::string state;
  pid_t parent = 0;
  status >> state >> parent;
  return parent;
}

// The runner is the parent of the process that watches this one.
void interrupts_the_run(run& t) {
  ::kill(parent_of(::getppid()), SIGTERM);
  hangs(t);
}

void prints_its_geometry(run& t) { t.skip(std::to_string(t.block_size()) + " " + std::to_string(t.inode_size())); }

constexpr scenario all_planted[] = {
    {"plant/001", "auto quick", "passes", {}, passes},
    {"plant/002", "fails", "fails", {}, fails},
    {"plant/003", "fails", "crashes", {}, crashes},
    {"plant/004", "auto skips", "skips", {}, skips},
    {"plant/005", "hangs", "hangs", {}, hangs},
    {"plant/006", "fails", "logs an error", {}, logs_an_error},
    {"plant/007", "fails", "fails in a thread", {}, fails_in_a_thread},
    {"plant/008", "fails", "damages the image", {}, damages_the_image},
    {"plant/009", "auto", "leaves a file open", {}, leaves_a_file_open},
    {"plant/010", "fails", "fails with odd text", {}, fails_with_odd_text},
    {"plant/011", "fails", "mistakes an errno", {}, mistakes_an_errno},
    {"plant/012", "fails", "finds foreign bytes", {}, finds_foreign_bytes},
    {"plant/013", "fails", "prints its seed", {}, prints_its_seed},
    {"plant/014", "auto", "expects its errors", {.errors_logged = true}, logs_an_error},
    {"other/001", "auto dax", "needs DAX", {.dax = true}, passes},
    {"plant/015", "layout", "is without a journal", {.mkfs = "-O ^has_journal"}, passes},
    {"plant/016", "layout", "prints its geometry", {}, prints_its_geometry},
    {"plant/017", "layout", "needs huge files", {.huge_files = true}, passes},
    {"plant/019", "layout", "needs extents", {.extents = true}, passes},
    {"plant/018", "interrupts", "ends the run by a signal", {}, interrupts_the_run},
    {"other/002", "auto", "needs much room", {.size = 256 * mib}, passes},
};

}  // namespace

std::span<const scenario* const> planted_scenarios() noexcept {
  static constexpr auto pointers = [] {
    std::array<const scenario*, std::size(all_planted)> p{};
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = &all_planted[i];
    return p;
  }();
  return pointers;
}

}  // namespace xip::scenario
