// A file whose mapping is a list, and a log of what the core asked for: enough of a file system to test the core alone.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/uio.h>

#include <xip/dev/devices.h>
#include <xip/vfs/kernel.h>
#include <xip/xip/mapping.h>

namespace xip::toy {

inline constexpr unsigned block_bits = 12;
inline constexpr std::size_t block = std::size_t{1} << block_bits;

// A device without windows: requests only, in plain memory, counted.
class request_device final : public dev::device {
 public:
  explicit request_device(std::size_t bytes) : device{bytes, dev::mover_kind::none, nullptr, false}, bytes_(bytes) {}
  std::string_view name() const noexcept override { return "requests"; }
  result<> read_batch(std::span<const dev::io_piece> pieces) noexcept override {
    ++batches;
    for (const auto& p : pieces) {
      if (p.offset <= bad_byte && bad_byte < p.offset + p.bytes) return fail(EIO);
      std::memcpy(p.memory, bytes_.data() + p.offset, p.bytes);
    }
    return {};
  }
  result<> write_batch(std::span<const dev::io_piece> pieces) noexcept override {
    ++batches;
    if (without_room != 0) {
      --without_room;
      return fail(ENOSPC);
    }
    for (const auto& p : pieces) {
      if (p.offset <= bad_byte && bad_byte < p.offset + p.bytes) return fail(EIO);
      std::memcpy(bytes_.data() + p.offset, p.memory, p.bytes);
    }
    return {};
  }
  result<> flush_cache() noexcept override { return {}; }
  std::byte* at(std::uint64_t offset) { return bytes_.data() + offset; }

  int batches = 0;
  std::uint64_t bad_byte = ~std::uint64_t{0};
  int without_room = 0;  // so many writes find no room

 private:
  std::vector<std::byte> bytes_;
};

struct toy_inode final : vfs::inode {
  using inode::inode;
  std::vector<extent_map> extents;  // sorted, not overlapping; the rest is hole
  std::vector<std::string> log;
  int lookups = 0;              // get_blocks without a slice
  std::uint64_t next_free = 0;  // next block to allocate
  int space_left = 1 << 20;     // allocations until ENOSPC
  int space_to_come = 1;        // how many more allocations waiting brings
  int convert_error = 0;
  std::function<void(extent_map&)> lie;  // spoils an answer
  std::function<void()> on_get_blocks;
  bool handle_open = false;

  extent_map find(lblk_t lblk, std::uint32_t max) const {
    extent_map hole{lblk, max, pblk_t{}, extent_type::hole, 0};
    for (const auto& e : extents) {
      if (lblk >= e.lblk && lblk < e.lblk + e.len) {
        const std::uint32_t skip = lblk - e.lblk;
        return {lblk, std::min(max, e.len - skip), e.pblk + skip, e.type, e.flags};
      }
      if (e.lblk > lblk) hole.len = std::min(hole.len, e.lblk - lblk);
    }
    return hole;
  }
  void put(extent_map e) {
    extents.push_back(e);
    std::ranges::sort(extents, {}, &extent_map::lblk);
  }
};

inline toy_inode& of(vfs::inode& i) { return static_cast<toy_inode&>(i); }

inline result<extent_map> get_blocks(vfs::inode& i, lblk_t lblk, std::uint32_t max, write_slice* slice) {
  toy_inode& t = of(i);
  if (t.on_get_blocks) t.on_get_blocks();
  extent_map em = t.find(lblk, max);
  if (slice == nullptr) {
    ++t.lookups;
  } else if (em.type == extent_type::hole) {
    if (t.space_left == 0) return fail(ENOSPC);
    --t.space_left;
    t.log.push_back("allocate");
    em = {lblk, em.len, pblk_t{t.next_free}, extent_type::unwritten, em_new};
    t.next_free += em.len;
    t.put(em);
  }
  if (t.lie) t.lie(em);
  return em;
}

inline result<> start_slice(vfs::inode& i, write_slice&) {
  of(i).log.push_back("start");
  of(i).handle_open = true;
  return {};
}
inline void stop_slice(vfs::inode& i, write_slice&) noexcept {
  of(i).log.push_back("stop");
  of(i).handle_open = false;
}

// [LBLK, LBLK + LEN) of one unwritten extent becomes written, the rest of it stays.
inline result<> convert_unwritten(vfs::inode& i, lblk_t lblk, std::uint32_t len, write_slice&) {
  toy_inode& t = of(i);
  if (t.convert_error != 0) return fail(t.convert_error);
  t.log.push_back("convert");
  auto whole = std::ranges::find_if(t.extents, [&](const extent_map& e) { return lblk >= e.lblk && lblk < e.lblk + e.len; });
  const extent_map e = *whole;
  t.extents.erase(whole);
  const std::uint32_t before = lblk - e.lblk;
  if (before != 0) t.put({e.lblk, before, e.pblk, e.type, 0});
  t.put({lblk, len, e.pblk + before, extent_type::mapped, 0});
  if (before + len < e.len) t.put({lblk + len, e.len - before - len, e.pblk + (before + len), e.type, 0});
  return {};
}
inline result<> set_size(vfs::inode& i, loff_t size, write_slice&) {
  of(i).log.push_back("size");
  i_size_write(i, size);
  return {};
}
inline bool wait_for_space(vfs::inode& i, unsigned attempt) {
  of(i).log.push_back(of(i).handle_open ? "wait with a handle open" : "wait");
  if (attempt != 0 || of(i).space_to_come == 0) return false;
  --of(i).space_to_come;
  of(i).space_left = 1;
  return true;
}

// As P2 has it: allocated, zeroed, converted, and a handle is open.
inline result<extent_map> get_fault_blocks(vfs::inode& i, lblk_t lblk, std::uint32_t max, void* handle) {
  toy_inode& t = of(i);
  if (handle != &i || !t.handle_open) t.log.push_back("no handle");
  write_slice slice;
  const bool was_mapped = t.find(lblk, max).type == extent_type::mapped;
  extent_map em = XIP_TRY(get_blocks(i, lblk, max, &slice));
  if (!was_mapped) {
    const std::vector<std::byte> zeros(std::size_t{em.len} << block_bits);
    XIP_TRY(i.i_sb.s_bdev.write(bytes_of(em.pblk, block_bits), zeros));
    XIP_TRY(convert_unwritten(i, lblk, em.len, slice));
    em.type = extent_type::mapped;
  }
  if (t.lie) t.lie(em);
  return em;
}

inline constexpr xip_ops ops{
    .get_blocks = get_blocks,
    .get_fault_blocks = get_fault_blocks,
    .start_slice = start_slice,
    .stop_slice = stop_slice,
    .convert_unwritten = convert_unwritten,
    .set_size = set_size,
    .wait_for_space = wait_for_space,
};

// Writes "drain" into an inode's log at every fence of the device.
class fence_log final : public dev::recorder {
 public:
  void on_store(std::uint64_t, std::span<const std::byte>, bool) noexcept override { ++stores; }
  void on_flush(std::uint64_t, std::size_t) noexcept override {}
  void on_fence() noexcept override {
    if (inode != nullptr && stores != 0) inode->log.push_back("drain");
    stores = 0;
  }
  void on_write(std::uint64_t, std::span<const std::byte>) noexcept override {}
  void on_flush_cache() noexcept override {}
  toy_inode* inode = nullptr;
  int stores = 0;
};

struct toy_file {
  explicit toy_file(dev::device& d) : super{kern, d}, inode{super, ino_t{12}} {
    inode.i_mode = S_IFREG | 0644;
    if (d.has_direct_access()) inode.i_flags = vfs::s_dax;
    opened.f_inode = &inode;
  }
  ~toy_file() { xip_release_mapping(inode); }

  result<std::size_t> read(loff_t pos, void* to, std::size_t bytes, const vfs::user_access* access = nullptr) {
    const iovec segment{to, bytes};
    vfs::iov_iter iter{vfs::iter_direction::dest, {&segment, 1}, bytes, access};
    vfs::kiocb iocb{opened, pos, 0, INT64_MAX};
    shared_guard guard{inode.i_rwsem};
    return xip_mapping_read(iocb, iter, ops);
  }
  // What a sink is given, as one string of bytes.
  result<std::vector<std::byte>> splice(loff_t pos, std::size_t bytes) {
    struct collecting_sink : vfs::splice_sink {
      std::vector<std::byte> taken;
    } sink;
    sink.take = [](vfs::splice_sink& to, std::span<const iovec> pieces, std::size_t total) -> result<> {
      auto& taken = static_cast<collecting_sink&>(to).taken;
      for (const iovec& piece : pieces) {
        const auto* from = static_cast<const std::byte*>(piece.iov_base);
        taken.insert(taken.end(), from, from + piece.iov_len);
      }
      return taken.size() == total ? result<>{} : fail(EPROTO);
    };
    vfs::kiocb iocb{opened, pos, 0, INT64_MAX};
    shared_guard guard{inode.i_rwsem};
    (void)XIP_TRY(xip_mapping_splice(iocb, bytes, sink, ops));
    return std::move(sink.taken);
  }
  result<std::size_t> write(loff_t pos, const void* from, std::size_t bytes, const vfs::user_access* access = nullptr) {
    const iovec segment{const_cast<void*>(from), bytes};
    vfs::iov_iter iter{vfs::iter_direction::source, {&segment, 1}, bytes, access};
    vfs::kiocb iocb{opened, pos, 0, INT64_MAX};
    exclusive_guard guard{inode.i_rwsem};
    return xip_mapping_write(iocb, iter, ops);
  }

  vfs::kernel kern;
  vfs::super_block super;
  toy_inode inode;
  vfs::file opened;
};

// User memory of which only the first GOOD bytes from BASE exist, and of those only PRESENT without a fault.
struct bounded_memory {
  std::byte* base;
  std::size_t good;
  std::size_t present = ~std::size_t{0};
  std::function<void(std::size_t)> on_copy;

  static std::size_t left(const bounded_memory& m, const std::byte* user, std::size_t bytes, std::size_t limit) {
    const auto at = static_cast<std::size_t>(user - m.base);
    return at >= limit ? 0 : std::min(bytes, limit - at);
  }
  static std::size_t fault_in(void* context, const std::byte* user, std::size_t bytes, bool) {
    auto& m = *static_cast<bounded_memory*>(context);
    return left(m, user, bytes, m.good);
  }
  static std::size_t copy(void* context, std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
    auto& m = *static_cast<bounded_memory*>(context);
    const std::size_t n = left(m, user, bytes, nofault ? std::min(m.good, m.present) : m.good);
    if (n != 0) move(argument, user, 0, n);
    if (m.on_copy) m.on_copy(n);
    return n;
  }
  static std::size_t copy_in(void* context, const std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
    return copy(context, const_cast<std::byte*>(user), bytes, nofault, move, argument);
  }
  vfs::user_access access() { return {fault_in, copy_in, copy, this}; }
};

}  // namespace xip::toy
