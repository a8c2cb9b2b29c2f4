// xip map: where the contents of a file lie, as filefrag -v; and what a program that maps it gets by its faults.
#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <linux/fiemap.h>

#include <xip/base/points.h>
#include <xip/mm/mm.h>
#include <xip/xip/extent_map.h>

#include "command.h"
#include "verbs.h"

namespace xip::tool {
namespace {

std::string flags_of(std::uint32_t flags) {
  constexpr struct {
    std::uint32_t bit;
    const char* name;
  } names[] = {
      {FIEMAP_EXTENT_LAST, "last"},          {FIEMAP_EXTENT_UNWRITTEN, "unwritten"}, {FIEMAP_EXTENT_MERGED, "merged"},
      {FIEMAP_EXTENT_UNKNOWN, "unknown"},    {FIEMAP_EXTENT_DELALLOC, "delalloc"},   {FIEMAP_EXTENT_NOT_ALIGNED, "not_aligned"},
      {FIEMAP_EXTENT_DATA_INLINE, "inline"}, {FIEMAP_EXTENT_SHARED, "shared"},
  };
  std::string text;
  for (const auto& n : names) {
    if ((flags & n.bit) == 0) continue;
    if (!text.empty()) text += ',';
    text += n.name;
  }
  return text;
}

result<> print_map(vfs::task& task, const place& p) {
  const int fd = XIP_TRY(task.open(p.path, O_RDONLY | O_NONBLOCK));
  const vfs::kstat stat = XIP_TRY(task.fstat(fd));
  std::vector<vfs::fiemap_extent> extents;
  XIP_TRY(task.fiemap(fd, 0, UINT64_MAX, extents));
  XIP_TRY(task.close(fd));
  const std::uint64_t block = stat.blksize;
  fmt::print("{}: {} bytes, {} extent{}, blocks of {} bytes\n", for_output(p.path), stat.size, extents.size(),
             extents.size() == 1 ? "" : "s", block);
  if (extents.empty()) return {};
  fmt::print("{:>4} {:>21} {:>25} {:>9}  flags\n", "#", "blocks in the file", "blocks on the device", "length");
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const auto& e = extents[i];
    const std::uint64_t logical = static_cast<std::uint64_t>(e.logical) / block, physical = e.physical / block, length = e.length / block;
    fmt::print("{:>4} {:>10}..{:>9} {:>12}..{:>11} {:>9}  {}\n", i, logical, logical + length - 1, physical, physical + length - 1, length,
               flags_of(e.flags));
  }
  return {};
}

// ---- faults

// What the last fault has brought.
class fault_watch final : public point_sink {
 public:
  void on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t) noexcept override {
    if (p == point::xip_before_entry) is_block_ = static_cast<extent_type>(b) == extent_type::mapped;
    if (p != point::mm_before_pte) return;
    pages = b;
    first = a - a % b;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  [[nodiscard]] bool has_block() const noexcept { return is_block_; }
  std::uint64_t first = 0, pages = 0;  // none: no page table has got an entry

 private:
  bool is_block_ = false;
};

// Faults one behind the other that brought as much each, of zeros or of one piece of the device.
struct fault_run {
  std::uint64_t first, faults, pages;    // of the file; pages: of each fault
  std::optional<std::uint64_t> block{};  // of the first page; none: zeros
  bool is_signal = false;

  [[nodiscard]] std::uint64_t end() const noexcept { return first + faults * pages; }
  [[nodiscard]] bool goes_on_with(const fault_run& next) const noexcept {
    const bool same = pages == next.pages && is_signal == next.is_signal && block.has_value() == next.block.has_value();
    return same && end() == next.first && (!block || *block + faults * pages == *next.block);
  }
};

// EXTENTS as fiemap has them, in the file's order.
[[nodiscard]] std::optional<std::uint64_t> block_of(const std::vector<vfs::fiemap_extent>& extents, std::uint64_t page) {
  const auto first_of = [](const vfs::fiemap_extent& e) { return static_cast<std::uint64_t>(e.logical) >> page_shift; };
  const auto behind = std::ranges::upper_bound(extents, page, {}, first_of);
  if (behind == extents.begin()) return std::nullopt;
  const vfs::fiemap_extent& e = *std::prev(behind);
  const std::uint64_t skip = page - first_of(e);
  return skip < e.length >> page_shift ? std::optional{(e.physical >> page_shift) + skip} : std::nullopt;
}

// Of PAGES pages from FIRST on, which are mapped at AT. ENOMEM.
[[nodiscard]] result<> load_all(vfs::task& task, mm::user_address at, std::uint64_t first, std::uint64_t pages,
                                const std::vector<vfs::fiemap_extent>& extents, std::vector<fault_run>& runs) {
  for (std::uint64_t page = first; page < first + pages;) {
    fault_watch watch;
    task.context.points = &watch;
    char byte = 0;
    const auto loaded = mm::load(task, at + ((page - first) << page_shift), &byte, 1);
    task.context.points = nullptr;
    if (!loaded && loaded.error().signal == mm::access_signal::killed) return fail(ENOMEM);
    fault_run made{.first = page, .faults = 1, .pages = 1, .is_signal = !loaded};
    if (loaded && watch.pages != 0) {
      made.first = watch.first, made.pages = watch.pages;
      if (watch.has_block()) made.block = block_of(extents, made.first);
    }
    page = made.first + made.pages;
    if (!runs.empty() && runs.back().goes_on_with(made))
      ++runs.back().faults;
    else
      runs.push_back(made);
  }
  return {};
}

void print_run(const fault_run& r) {
  const std::string from = r.is_signal ? "SIGBUS"
                           : r.block   ? fmt::format("blocks {}..{}", *r.block, *r.block + r.faults * r.pages - 1)
                                       : "zeros";
  fmt::print("{:>10}..{:>9} {:>9} {:>6}  {}\n", r.first, r.end() - 1, r.faults, r.pages == mm::pages_per_pmd ? "2 MiB" : "4 KiB", from);
}

// Each page of a shared mapping is loaded from, in its order. EIO: one of them could not be, which is printed like the others.
result<> print_faults(vfs::task& task, const place& p) {
  const int fd = XIP_TRY(task.open(p.path, O_RDONLY | O_NONBLOCK));
  const auto bytes = static_cast<std::uint64_t>(XIP_TRY(task.fstat(fd)).size);
  std::vector<vfs::fiemap_extent> extents;
  XIP_TRY(task.fiemap(fd, 0, UINT64_MAX, extents));
  const std::uint64_t pages = blocks_for(bytes, page_shift);
  std::vector<fault_run> runs;
  constexpr std::uint64_t pages_at_once = std::uint64_t{1} << 18;  // of a file that may say that it is huge
  for (std::uint64_t first = 0; first < pages; first += pages_at_once) {
    const std::uint64_t count = std::min(pages_at_once, pages - first);
    const auto offset = static_cast<loff_t>(first << page_shift);
    const mm::user_address at = XIP_TRY(mm::mmap(task, 0, count << page_shift, PROT_READ, MAP_SHARED, fd, offset));
    XIP_TRY(load_all(task, at, first, count, extents, runs));
    XIP_TRY(mm::munmap(task, at, count << page_shift));
  }
  XIP_TRY(task.close(fd));
  std::uint64_t faults = 0;
  for (const fault_run& r : runs) faults += r.faults;
  fmt::print("{}: {} page{}, {} fault{}\n", for_output(p.path), pages, pages == 1 ? "" : "s", faults, faults == 1 ? "" : "s");
  if (!runs.empty()) fmt::print("{:>21} {:>9} {:>6}  what is mapped\n", "pages of the file", "faults", "each");
  for (const fault_run& r : runs) print_run(r);
  if (std::ranges::any_of(runs, &fault_run::is_signal)) return fail(EIO);
  return {};
}

}  // namespace

int map_verb(int argc, char** argv) {
  CLI::App app{"Show where the contents of files lie: their extents, with flags", "map"};
  std::vector<std::string> arguments;
  app.add_option("IMAGE:/PATH", arguments, "regular files or directories")->required();
  bool faults = false;
  app.add_flag("--faults", faults, "map each file, load from each of its pages, and show which faults bring them; blocks of 4 KiB only");
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto places = places_of_one_image("map", arguments);
  if (!places) return exit_usage;
  const auto print_all = [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      if (const auto printed = faults ? print_faults(session.task(), p) : print_map(session.task(), p); !printed.has_value()) {
        complain("map", p.shown(), printed.error());
        code = exit_failed;
      }
    }
    return code;
  };
  return with_image("map", places->front().image, image_access::read, print_all, faults ? image_device::memory : image_device::requests);
}

}  // namespace xip::tool
