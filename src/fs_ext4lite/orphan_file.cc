#include "fs_ext4lite/orphan_file.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <xip/base/assert.h>

#include "fs_ext4lite/block_validity.h"
#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/inode.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::uint32_t word_at(std::span<const std::byte> data, std::size_t offset) noexcept {
  le32 word;
  std::memcpy(&word, data.data() + offset, sizeof word);
  return word;
}

[[nodiscard]] std::uint32_t slots_in(std::span<const std::byte> block) noexcept {
  return static_cast<std::uint32_t>((block.size() - sizeof(ext4_orphan_block_tail)) / sizeof(le32));
}

}  // namespace

void orphan_file::append(dev::buffer_ref block) {
  const std::span<const std::byte> data = block->data();
  per_block_ = slots_in(data);
  std::uint32_t free = 0;
  for (std::uint32_t i = 0; i < per_block_; ++i) free += word_at(data, i * sizeof(le32)) == 0 ? 1 : 0;
  blocks_.push_back({std::move(block), free});
}

std::uint32_t orphan_file::slots() const noexcept { return static_cast<std::uint32_t>(blocks_.size()) * per_block_; }

bool orphan_file::empty() const noexcept {
  return std::ranges::all_of(blocks_, [this](const one_block& b) { return b.free == per_block_; });
}

std::optional<std::uint32_t> orphan_file::free_slot() const noexcept {
  const auto with_room = std::ranges::find_if(blocks_, [](const one_block& b) { return b.free != 0; });
  if (with_room == blocks_.end()) return std::nullopt;
  auto slot = static_cast<std::uint32_t>(with_room - blocks_.begin()) * per_block_;
  while (number_in(slot) != 0) ++slot;
  return slot;
}

orphan_file::position orphan_file::position_of(std::uint32_t slot) const noexcept {
  XIP_ASSERT(slot < slots());
  return {slot / per_block_, slot % per_block_ * sizeof(le32)};
}

std::uint32_t orphan_file::number_in(std::uint32_t slot) const noexcept {
  const position at = position_of(slot);
  return word_at(blocks_[at.block].buffer->data(), at.offset);
}

result<> orphan_file::put(handle& h, std::uint32_t slot, std::uint32_t number) {
  const position at = position_of(slot);
  one_block& block = blocks_[at.block];
  const std::span<std::byte> data = XIP_TRY(get_write_access(h, *block.buffer));
  XIP_ASSERT((word_at(data, at.offset) == 0) == (number != 0));
  const le32 word{number};
  std::memcpy(data.data() + at.offset, &word, sizeof word);
  block.free = number != 0 ? block.free - 1 : block.free + 1;
  return dirty_metadata(h, *block.buffer);
}

std::string orphan_file::place(std::uint32_t slot) const {
  const position at = position_of(slot);
  return fmt::format("slot {} of block {}", slot % per_block_, blocks_[at.block].buffer->block().value());
}

// ---- at mount --------------------------------------------------------------------------------------------------------------------------

namespace {

class orphan_file_loader {
 public:
  orphan_file_loader(ext4_sb_info& sb, std::string& message)
      : sb_{sb}, number_{sb.s_orphan_file_inum}, message_{message}, file_{sb.memory()}, places_{&sb.memory()}, zones_{&sb.memory()} {}

  [[nodiscard]] result<orphan_file> load() {
    XIP_TRY(check_number());
    auto inode = read_apart(sb_, ino_t{number_}, false);
    if (!inode) return refuse(fmt::format("it cannot be read: {}", inode.error().message()), inode.error());
    if (!(*inode)->is_reg()) return refuse("it is no regular file");
    const loff_t bytes = i_size_read(**inode);
    if (bytes > orphan_file_bytes_max) return refuse(fmt::format("it has {} bytes, more than {}", bytes, orphan_file_bytes_max));
    const auto end = static_cast<std::uint32_t>(bytes >> sb_.s_blocksize_bits);
    for (std::uint32_t at = 0; at < end;) at += XIP_TRY(take_extent(**inode, lblk_t{at}, end - at));
    XIP_TRY(check_places());
    const bool at_mount = sb_.s_root == nullptr;  // nobody else looks at the zones yet
    for (const system_zone& zone : zones_)
      if (at_mount) add_system_zone(sb_, zone);
    return std::move(file_);
  }

 private:
  [[nodiscard]] std::unexpected<error> refuse(std::string_view why, error answer = error{EUCLEAN}) {
    message_ = fmt::format("the orphan file, inode {}: {}; run e2fsck, or only read it (ro)", number_, why);
    return fail(answer);
  }

  [[nodiscard]] result<> check_number() {
    if (number_ < sb_.s_first_ino) return refuse("the number is reserved");
    if (number_ > sb_.s_inodes_count) return refuse(fmt::format("the last inode is {}", sb_.s_inodes_count));
    const auto in_use = inode_number_in_use(sb_, ino_t{number_});
    if (!in_use) return refuse("its group's inode bitmap cannot be read", in_use.error());
    if (!*in_use) return refuse("it is free in the inode bitmap");
    return {};
  }

  // How many blocks it has taken, all those that lie side by side from LBLK on.
  [[nodiscard]] result<std::uint32_t> take_extent(ext4_inode_info& inode, lblk_t lblk, std::uint32_t most) {
    const auto em = map_blocks(nullptr, inode, lblk, most, 0);
    if (!em) return refuse(fmt::format("its map cannot be read at block {}: {}", lblk.value(), em.error().message()), em.error());
    if (em->type == extent_type::hole) return refuse(fmt::format("it has a hole at block {}", lblk.value()));
    if (em->type == extent_type::unwritten) return refuse(fmt::format("its block {} was never written", lblk.value()));
    for (std::uint32_t i = 0; i < em->len; ++i) XIP_TRY(take_block(inode, lblk + i, em->pblk + i));
    zones_.push_back({em->pblk, em->len, inode.i_ino});
    return em->len;
  }

  [[nodiscard]] result<> take_block(const ext4_inode_info& inode, lblk_t lblk, pblk_t pblk) {
    const auto where = [&] { return fmt::format("its block {}, {} of the device,", lblk.value(), pblk.value()); };
    auto buffer = sb_.s_buffers->read(pblk);
    if (!buffer) return refuse(fmt::format("{} cannot be read: {}", where(), buffer.error().message()), buffer.error());
    const std::span<const std::byte> data = (*buffer)->data();
    const std::uint32_t magic = word_at(data, data.size() - sizeof(ext4_orphan_block_tail) + offsetof(ext4_orphan_block_tail, ob_magic));
    if (magic != orphan_block_magic)
      return refuse(fmt::format("{} has magic {:#010x}, expected {:#010x}", where(), magic, orphan_block_magic));
    if (!block_checksum_ok(inode, block_kind::orphan_file, pblk, data)) return refuse(fmt::format("{} has a wrong checksum", where()));
    set_block_trigger(inode, block_kind::orphan_file, **buffer);
    places_.push_back(pblk);
    file_.append(std::move(*buffer));
    return {};
  }

  // Where two of its blocks were one, a slot would be two slots.
  [[nodiscard]] result<> check_places() {
    std::ranges::sort(places_);
    const auto twice = std::ranges::adjacent_find(places_);
    if (twice == places_.end()) return {};
    return refuse(fmt::format("it has block {} of the device twice", twice->value()));
  }

  ext4_sb_info& sb_;
  const std::uint32_t number_;
  std::string& message_;
  orphan_file file_;
  std::pmr::vector<pblk_t> places_;
  std::pmr::vector<system_zone> zones_;
};

}  // namespace

result<> load_orphan_file(ext4_sb_info& sb, std::string& message) {
  orphan_file file{sb.memory()};
  if (sb.has_compat(compat_orphan_file)) file = XIP_TRY(orphan_file_loader(sb, message).load());
  mutex_guard guard{sb.s_orphan_lock};
  sb.s_orphan_file = std::move(file);
  return {};
}

}  // namespace xip::ext4lite
