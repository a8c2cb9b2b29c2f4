// A file system behind the VFS as what is crashed: it runs a workload, is mounted again after each crash, and what is found is held against what
// had been asked of it.
//
//   file_system_crash crash{{.type = my_file_system()}, *parse_workload("mine", "creat /a\nfsync /a\n")};
//   crash_engine engine{image, {.unit = 8}};
//   crash_report r = engine.run(crash.make_program(), crash);
//
// What may be found (the contract is the reader's, Linux's ext4 with DAX keeps it):
//   names, owners, modes, links, sizes, attributes   those of one moment: of everything up to some call, no earlier than the last one that was made
//                                                     durable; a write or fallocate that grows a file may have got halfway,
//                                                     not one that inserts a range
//   bytes     of a file that was synced: what was written then or later. Each word of 8 bytes is one that some call wrote there, or zero
//             where none had been; never what the block held for somebody else. A range that is taken out or put in moves them at once, with the size
//   times     (mtime, ctime) of a file that was synced: no older than they were then. fdatasync and the like promise none
// In a directory with the flags of chattr +S or +D, or on a mount with dirsync, each change of a name is durable when its call returns.
// Then, once for each meaning: every directory takes a new file, everything can be removed, and the file system can be unmounted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <xip/base/exhibits.h>
#include <xip/crash/engine.h>
#include <xip/crash/ordering.h>
#include <xip/crash/workload.h>
#include <xip/vfs/kernel.h>

namespace xip::crash {

struct crashed_file_system {
  const vfs::file_system_type& type;
  std::string mount_options = {};  // without a timer (commit=): nobody but the workload runs
  // Another judge, of an unmounted image: what is wrong with it, or nothing. Empty: nobody. Whoever crashes ext4 gives it e2fsck.
  std::function<std::string(std::span<const std::byte> image)> check = {};
  // Of the images that a recovery has left it sees every so-many-th, by their hashes: 1 is all, 0 none. It always sees what is left when everything has
  // been removed, once for each tree of names and attributes, extended ones too, whatever the bytes and times of its files.
  std::uint64_t check_every = 0;
  // Another recovery, of what a crash has left: it changes IMAGE as it likes, and says why it could not. The mount has to find what is there then. It sees every check_every-th of
  // the crash's images. Whoever crashes ext4 gives it e2fsck -p. Empty: nobody.
  std::function<std::string(std::span<std::byte> image)> recover_elsewhere = {};
  // Planted bugs that are there in the workload and afterwards, but not in its setup (xip/base/exhibits.h).
  exhibit_set exhibits;
  const void* stand_in = nullptr;
  // Where nobody waits for the medium in the workload.
  std::optional<ordering_site> without = {};
};

// What the image BEFORE is after W's setup; TO has it then. Why not, else.
[[nodiscard]] std::string set_up(const crashed_file_system& fs, const workload& w, std::span<const std::byte> before,
                                 std::vector<std::byte>& to);

class file_system_crash final : public subject {
 public:
  file_system_crash(crashed_file_system fs, workload w);
  ~file_system_crash();

  // The workload's steps, without its setup. Each run of it tells this subject anew what may be found.
  [[nodiscard]] program make_program();
  // Where the last run waited for the medium.
  [[nodiscard]] const std::set<ordering_site>& waits() const noexcept;
  // What the steps answered in the last run: 0 or an errno.
  [[nodiscard]] std::span<const int> answers() const noexcept;

  recovery recover(dev::device& device) override;
  std::string judge(const recovery& found, const position& at) override;
  std::string probe(dev::device& device, const recovery& found) override;
  std::string inspect(std::span<const std::byte> image, std::uint64_t hash) override;
  std::string audit(std::span<const std::byte> recovered, std::uint64_t hash) override;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace xip::crash
