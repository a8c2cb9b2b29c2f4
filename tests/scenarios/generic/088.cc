// What: 16 tasks write, cut and remove files on a disk that is full all the time.
// Why: who is refused must have lost nothing that was counted, whoever else frees or takes the last block meanwhile.
// Groups: auto load enospc. Needs: nothing.
#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr unsigned tasks = 16;

// A file that one task alone fills, checks, cuts and removes; SIZE is what it must have.
class own_file {
 public:
  own_file(run& t, vfs::task& me, unsigned number) : t_{t}, me_{me}, name_{numbered("file-", number)}, who_{.file = 100 + number} {
    fd_ = t.must(me.open(name_, O_RDWR | O_CREAT, 0644));
  }

  // False: the disk is full.
  [[nodiscard]] bool append(std::size_t bytes) {
    std::vector<std::byte> data(bytes);
    fill(data, static_cast<std::uint64_t>(size_), who_);
    const auto wrote = me_.pwrite(fd_, data.data(), data.size(), size_);
    if (wrote) size_ += static_cast<loff_t>(*wrote);
    t_.expect(wrote ? *wrote != 0 : wrote.error() == ENOSPC, "bytes were written, or the disk is full");
    t_.expect_equal(t_.must(me_.fstat(fd_)).size, size_, "the size after a write");
    return wrote.has_value();
  }
  void cut() {
    size_ /= 2;
    t_.must(me_.ftruncate(fd_, size_));
  }
  void check() {
    if (size_ != 0) t_.expect_data(me_, fd_, 0, static_cast<std::size_t>(size_), who_);
  }
  void remove() {
    t_.must(me_.close(fd_));
    t_.must(me_.unlink(name_));
  }

 private:
  run& t_;
  vfs::task& me_;
  const std::string name_;
  const stamp who_;
  int fd_;
  loff_t size_ = 0;
};

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto load enospc", "a full disk under 16 writers") {
  const std::uint64_t before = free_bytes(t);
  const int filler = t.create("filler");
  const std::uint64_t total = t.fill_up(filler, 0, {.file = 1});
  t.must(t->ftruncate(filler, static_cast<loff_t>(total - mib)));
  std::atomic<unsigned> refused{0};
  t.parallel(tasks, [&](vfs::task& me, unsigned i) {
    random_source chance = t.random(i);
    own_file file{t, me, i};
    for (unsigned n = 0; n < 60 && !t.stopping(); ++n) {
      if (chance.one_in(4))
        file.cut();
      else if (!file.append(1 + static_cast<std::size_t>(chance.below(200'000))))
        ++refused;
    }
    file.check();
    file.remove();
  });
  t.expect(refused != 0, "writes that found the disk full");
  t.must(t->close(filler));
  t.must(t->unlink("filler"));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
