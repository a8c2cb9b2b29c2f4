// What the kernel knows of the file system: each inode number that it was told, the place behind it, and how often it was told.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/locks/mutex.h>
#include <xip/vfs/node.h>

namespace xip::fuse {

inline constexpr lock_class inode_table_class{"inode_table"};

// The kernel's number is the inode's own; the root is 1 there. An entry keeps its inode alive, unlinked or not, until the kernel has given back every
// look-up, which it does not do while a request on it runs: so what find answers stays for the length of the request.
class inode_table {
  struct entry {
    vfs::node place;
    std::uint64_t lookups = 0;
    std::uint64_t writers = 0;  // the kernel has it open so often for writing
  };

 public:
  // Memory for one more entry, or none.
  using spare = std::unordered_map<std::uint64_t, entry>::node_type;

  explicit inode_table(vfs::node root) noexcept;

  // ENOMEM.
  [[nodiscard]] static result<> fill(spare& s) noexcept;
  // The kernel is told of PLACE once more, which takes S if the table does not have it; if there is nothing in S, it is filled. Its number there; EUCLEAN for an
  // inode that the number of the root belongs to; ENOMEM with an empty S only.
  [[nodiscard]] result<std::uint64_t> remember(vfs::node place, spare& s) noexcept;
  // ESTALE: the kernel was not told of it.
  [[nodiscard]] result<const vfs::node*> find(std::uint64_t number) noexcept;
  // COUNT look-ups are given back. With the last the place is dropped, which may free the inode.
  void forget(std::uint64_t number, std::uint64_t count) noexcept;

  // While a file is open for writing the kernel may hold pages that were stored into through a mapping, which lives no longer than an open file.
  void add_writer(std::uint64_t number) noexcept;
  void drop_writer(std::uint64_t number) noexcept;
  [[nodiscard]] bool has_writers(std::uint64_t number) noexcept;

 private:
  struct shard {
    mutex<inode_table_class> lock;
    std::unordered_map<std::uint64_t, entry> entries XIP_GUARDED_BY(lock);

    void insert(spare&& s) noexcept XIP_REQUIRES(lock);
  };
  [[nodiscard]] shard& shard_of(std::uint64_t number) noexcept { return shards_[number % shards_.size()]; }

  vfs::node root_;
  std::array<shard, 64> shards_;
};

}  // namespace xip::fuse
