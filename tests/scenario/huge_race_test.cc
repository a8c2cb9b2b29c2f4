// Races about entries of 2 MiB, which need more room than the image of races has. Each is explored with two preemptions.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/fiemap.h>

#include <xip/explore/block_sanitizer.h>
#include <xip/explore/explore.h>
#include <xip/explore/snapshot_device.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/mm/mm.h>
#include <xip/scenario/explored_kernel.h>

#include "scenario/race_image.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

constexpr std::uint64_t image_bytes = 16 * mib;
constexpr auto huge = static_cast<loff_t>(mm::pmd_size), page = static_cast<loff_t>(page_size);

void expect(bool holds, const char* what) {
  if (!holds) throw explore::failure{what};
}

class HugeRace : public testing::Test {
 protected:
  void SetUp() override {
    const tools use{find_tool("mke2fs"), find_tool("e2fsck")};
    if (use.mke2fs.empty()) GTEST_SKIP() << "mke2fs is not installed";
    auto made = make_race_image(use, image_bytes);
    ASSERT_TRUE(made.has_value()) << made.error();
    image_ = std::move(*made);
    device_.emplace(image_.size());
    owners_.emplace(*device_);
  }

  // A task with an address space of its own: the 2 MiB as a whole, and 8 pages from page 8 of them on.
  struct actor {
    vfs::task* task = nullptr;
    int fd = -1;
    mm::user_address whole = 0, part = 0;

    void store(mm::user_address at, std::uint64_t word) const {
      expect(mm::store(*task, at, &word, sizeof word).has_value(), "a store is signalled");
    }
    [[nodiscard]] std::uint64_t load(mm::user_address at) const {
      std::uint64_t word = ~std::uint64_t{0};
      expect(mm::load(*task, at, &word, sizeof word).has_value(), "a load is signalled");
      return word;
    }
    [[nodiscard]] std::uint64_t read(loff_t offset) const {
      std::uint64_t word = 0;
      expect(task->pread(fd, &word, sizeof word, offset) == sizeof word, "a read is short");
      return word;
    }
    void write(loff_t offset, std::uint64_t word) const {
      expect(task->pwrite(fd, &word, sizeof word, offset) == sizeof word, "a write is short");
    }
    [[nodiscard]] bool has_huge() const {
      bool found = false;
      mm::mm_struct::of(*task)->for_each_entry(
          [&](const mm::pte&, mm::user_address, mm::fault_order order) { found = found || order == mm::fault_order::pmd; });
      return found;
    }
  };
  using body = std::function<void(actor& me)>;

  // 2 MiB of a file that are preallocated or, with HOLE, nothing at all, at a border of the device.
  void make_file(vfs::task& me, bool hole) {
    const int probe = me.open("/probe", O_RDWR | O_CREAT, 0644).value();
    expect(me.fallocate(probe, 0, 0, 2 * huge).has_value(), "no room");
    std::vector<vfs::fiemap_extent> extents;
    expect(me.fiemap(probe, 0, INT64_MAX, extents).has_value(), "no map");
    const loff_t offset = static_cast<loff_t>(extents.at(0).physical) & (huge - 1);
    expect(me.close(probe).has_value() && me.unlink("/probe").has_value() && machine_.kernel().sync().has_value(), "no way back");
    fd_ = me.open("/file", O_RDWR | O_CREAT, 0644).value();
    expect(me.fallocate(fd_, 0, offset, 3 * huge - offset).has_value(), "no room");
    extents.clear();
    expect(me.fiemap(fd_, 0, INT64_MAX, extents).has_value(), "no map");
    from_ = huge;
    expect((static_cast<loff_t>(extents.at(0).physical) - static_cast<loff_t>(extents.at(0).logical)) % huge == 0, "it lies across");
    if (!hole) return;
    expect(me.ftruncate(fd_, offset).has_value() && me.ftruncate(fd_, 3 * huge).has_value(), "no hole");
  }

  [[nodiscard]] actor make_actor(const char* name) {
    actor made{.task = &machine_.task(name)};
    made.fd = made.task->open("/file", O_RDWR).value();
    made.whole = mm::mmap(*made.task, 0, static_cast<std::size_t>(huge), PROT_READ | PROT_WRITE, MAP_SHARED, made.fd, from_).value();
    made.part = mm::mmap(*made.task, 0, 8 * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, made.fd, from_ + 8 * page).value();
    return made;
  }

  void explore_two(bool hole, const body& first, const body& second, const body& check, const body& before = {}) {
    actor actors[3];
    explore::program p{.name = "huge", .state = {&machine_, &*device_, &*owners_}};
    p.setup = [&](explore::scheduler& s) {
      owners_->report_to(s);
      vfs::kernel& kernel = machine_.boot(s);
      p.deps = &kernel.deps();
      expect(device_->write(0, image_).has_value(), "no image");
      expect(kernel.register_filesystem(ext4lite_file_system()).has_value(), "no type");
      expect(kernel.mount("ext4", *device_, "/", "dax=always").has_value(), "no mount");
      make_file(machine_.task("setup"), hole);
      for (int i = 0; i < 3; ++i) actors[i] = make_actor(i == 0 ? "check" : i == 1 ? "first" : "second");
      if (before) before(actors[0]);
    };
    p.tasks.push_back({"first", [&] { first(actors[1]); }});
    p.tasks.push_back({"second", [&] { second(actors[2]); }});
    p.check = [&] { check(actors[0]); };
    const explore::report r = explore::explore(p, {.strategies = {{.bound = 1}, {.bound = 2}}, .max_schedules = 3000});
    EXPECT_TRUE(r.passed()) << (r.failures.empty() ? "" : r.failures[0].first.text + "\n" + r.failures[0].minimised.token);
    EXPECT_GT(r.schedules, 100u);
    RecordProperty("schedules", static_cast<int>(r.schedules));
  }

  std::vector<std::byte> image_;
  std::optional<explore::snapshot_device> device_;
  std::optional<explore::block_sanitizer> owners_;
  explored_kernel machine_;
  int fd_ = -1;
  loff_t from_ = 0;  // where the 2 MiB begin in it
};

// Linux e2093926a098, de14b9cb5e02: a page and the whole, each with a fault of its own.
TEST_F(HugeRace, AStoreIntoAPageAndOneIntoTheWhole) {
  explore_two(
      false, [](actor& me) { me.store(me.part, 1); }, [](actor& me) { me.store(me.whole + 9 * page + 8, 2); },
      [this](actor& me) {
        expect(me.load(me.whole + 8 * page) == 1 && me.read(from_ + 8 * page) == 1, "the page");
        expect(me.load(me.part + page + 8) == 2 && me.read(from_ + 9 * page + 8) == 2, "the whole");
      });
}

TEST_F(HugeRace, TwoStoresIntoAHoleOfTwoMegabytes) {
  explore_two(
      true, [](actor& me) { me.store(me.whole, 1); }, [](actor& me) { me.store(me.whole + 8, 2); },
      [this](actor& me) {
        expect(me.load(me.whole) == 1 && me.read(from_) == 1, "the first");
        expect(me.load(me.whole + 8) == 2 && me.read(from_ + 8) == 2, "the second");
      });
}

// Linux cd656375f946: zeros of 2 MiB that stay mapped when one block of them was written.
TEST_F(HugeRace, ALoadOfZerosAndAWriteIntoThem) {
  explore_two(
      false,
      [](actor& me) {
        const std::uint64_t word = me.load(me.whole + 9 * page);
        expect(word == 0 || word == 3, "zero or what was written");
      },
      [this](actor& me) {
        me.write(from_ + 9 * page, 3);
        expect(me.load(me.part + page) == 3, "who has written loads it");
      },
      [](actor& me) { expect(me.load(me.whole + 9 * page) == 3, "what was written"); },
      [](actor& me) { expect(me.load(me.whole) == 0, "zeros"); });
}

// A page is stored to while others load the zeros around it.
TEST_F(HugeRace, AStoreIntoAPageOfZerosThatAreMappedAsAWhole) {
  explore_two(
      true, [](actor& me) { me.store(me.part, 1); },
      [](actor& me) {
        const std::uint64_t word = me.load(me.whole + 8 * page);
        expect(word == 0 || word == 1, "zero or what was stored");
      },
      [this](actor& me) {
        expect(me.load(me.whole + 8 * page) == 1 && me.read(from_ + 8 * page) == 1, "what was stored");
        expect(me.task->fsync(me.fd).has_value(), "fsync");
        expect(me.load(me.whole + 9 * page) == 0, "zeros beside it");
      },
      [](actor& me) { expect(me.load(me.whole) == 0 && me.has_huge(), "zeros in one entry"); });
}

// Linux 23c84eb78375: who waits for a page of a whole waits for the whole.
TEST_F(HugeRace, ASyncOfTheWholeAndStoresIntoItsPages) {
  explore_two(
      false,
      [](actor& me) {
        me.store(me.whole + 8 * page, 1);
        expect(me.task->fsync(me.fd).has_value(), "fsync");
        me.store(me.whole + 8 * page, 2);
      },
      [](actor& me) { me.store(me.part + 8, 3); },
      [this](actor& me) {
        expect(me.read(from_ + 8 * page) == 2 && me.read(from_ + 8 * page + 8) == 3, "both words");
        expect(me.task->fsync(me.fd).has_value(), "fsync");
      },
      [](actor& me) {
        me.store(me.whole, 9);
        expect(me.has_huge(), "the 2 MiB are one entry");
      });
}

TEST_F(HugeRace, ATruncateIntoItsMiddleAndAStoreIntoWhatStays) {
  explore_two(
      false, [](actor& me) { me.store(me.whole + 8, 1); },
      [this](actor& me) {
        expect(me.task->ftruncate(me.fd, from_ + 4 * page).has_value(), "ftruncate");
        std::uint64_t word = 0;
        expect(!mm::load(*me.task, me.whole + 4 * page, &word, sizeof word), "behind the end there is nothing");
      },
      [this](actor& me) {
        expect(me.load(me.whole + 8) == 1 && me.read(from_ + 8) == 1, "what was stored stays");
        expect(me.load(me.whole) == 9, "and what was there");
      },
      [](actor& me) { me.store(me.whole, 9); });
}

}  // namespace
}  // namespace xip::scenario
