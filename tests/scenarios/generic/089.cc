// What: a random tree while allocations fail, each with a chance of 1 in 50; then everything that a call reported is there.
// Why: memory runs out in the middle of anything; a call that fails for it may have done nothing, and nobody may be lost or die.
// A file whose blocks cannot be freed for it stays on the orphan list, and the log says so.
// Groups: auto load. Needs: nothing.
#include <map>

#include "helpers.h"

namespace xip::scenario {
namespace {

// What must be there after each call, by what it answered.
class careful_tree {
 public:
  explicit careful_tree(run& t) : t_{t} {}

  // True: it failed for want of memory.
  bool step(random_source& chance) {
    const std::string name = numbered("d/", chance.below(30));
    switch (chance.below(5)) {
      case 0:
        return make(name);
      case 1:
        return append(name, 1 + static_cast<std::size_t>(chance.below(20'000)));
      case 2:
        return answered(t_->unlink(name), [&] { files_.erase(name); });
      case 3: {
        const std::string to = numbered("d/", chance.below(30));
        return answered(t_->rename(name, to), [&] {
          if (to == name) return;
          files_[to] = files_.at(name);
          files_.erase(name);
        });
      }
      default:
        return answered(t_->stat(name), [] {});
    }
  }

  void verify() {
    t_.expect_equal(t_.names_in("d").size(), files_.size(), "files in the directory");
    for (const auto& [name, known] : files_) {
      const int fd = t_.must(t_->open(name, O_RDONLY));
      t_.expect_equal(t_.size_of(fd), known.size, "the size of a file");
      if (known.size != 0) t_.expect_data(fd, 0, static_cast<std::size_t>(known.size), {.file = known.stamp});
      t_.must(t_->close(fd));
    }
  }

 private:
  struct known_file {
    std::uint32_t stamp = 0;
    loff_t size = 0;
  };

  template <class Answer, class Done>
  bool answered(const Answer& answer, Done&& done) {
    if (answer) {
      done();
      return false;
    }
    t_.expect(answer.error() == ENOMEM || answer.error() == ENOENT, "done, or no memory, or no such file");
    return answer.error() == ENOMEM;
  }

  bool make(const std::string& name) {
    const auto fd = t_->open(name, O_RDWR | O_CREAT, 0644);
    return answered(fd, [&] {
      files_.try_emplace(name, known_file{++made_, 0});
      t_.must(t_->close(*fd));
    });
  }

  bool append(const std::string& name, std::size_t bytes) {
    const auto fd = t_->open(name, O_RDWR);
    if (!fd) return answered(fd, [] {});
    known_file& known = files_.at(name);
    std::vector<std::byte> data(bytes);
    fill(data, static_cast<std::uint64_t>(known.size), {.file = known.stamp});
    const auto wrote = t_->pwrite(*fd, data.data(), data.size(), known.size);
    t_.must(t_->close(*fd));
    return answered(wrote, [&] { known.size += static_cast<loff_t>(*wrote); });
  }

  run& t_;
  std::map<std::string, known_file> files_;
  std::uint32_t made_ = 0;
};

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto load", "a random tree with too little memory", .errors_logged = true) {
  t.must(t->mkdir("d", 0755));
  careful_tree tree{t};
  random_source chance = t.random();
  unsigned failed = 0;
  for (unsigned n = 0; n < 3000; ++n) {
    t.inject(point::alloc_memory, ENOMEM, static_cast<std::uint32_t>(chance.below(12)), 1 + static_cast<std::uint32_t>(chance.below(4)));
    failed += tree.step(chance);
    t.inject(point::alloc_memory, ENOMEM, 0, 0);
    if (n % 200 == 199) t.kernel().drop_caches();
    if (n % 1000 == 999) {
      t.cycle();
      tree.verify();
    }
  }
  t.expect(failed >= 50, "calls that failed for want of memory");
  tree.verify();
}
