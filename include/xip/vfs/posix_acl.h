// POSIX access control lists: what single users and groups may, beside owner, group and others. Linux: include/linux/posix_acl.h, fs/posix_acl.c;
// the rules are those of the withdrawn POSIX 1003.1e draft 17.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include <xip/base/result.h>

namespace xip::vfs {

struct inode;

enum class acl_type : std::uint8_t {
  access,    // decides who may
  default_,  // of a directory: what is made in it inherits it
};

// e_tag, in the order in which the entries of a list stand
inline constexpr std::uint16_t acl_user_obj = 0x01;   // the owner
inline constexpr std::uint16_t acl_user = 0x02;       // user e_id
inline constexpr std::uint16_t acl_group_obj = 0x04;  // the file's group
inline constexpr std::uint16_t acl_group = 0x08;      // group e_id
inline constexpr std::uint16_t acl_mask = 0x10;       // the most that any of the four above but the owner gets
inline constexpr std::uint16_t acl_other = 0x20;      // everybody else
inline constexpr std::uint32_t acl_undefined_id = ~0u;

struct posix_acl_entry {
  std::uint16_t e_tag = 0;
  std::uint16_t e_perm = 0;               // rwx
  std::uint32_t e_id = acl_undefined_id;  // of acl_user and acl_group
  friend bool operator==(const posix_acl_entry&, const posix_acl_entry&) = default;
};

// Counted. Nobody changes one that others may have.
struct posix_acl {
  explicit posix_acl(std::pmr::memory_resource& memory) noexcept : entries{&memory} {}
  std::pmr::vector<posix_acl_entry> entries;
  mutable std::atomic<std::uint32_t> a_refcount{1};
};

// A counted list, or none.
class acl_ref {
 public:
  acl_ref() noexcept = default;
  explicit acl_ref(const posix_acl* counted) noexcept : acl_{counted} {}  // takes over one reference
  acl_ref(acl_ref&& o) noexcept : acl_{std::exchange(o.acl_, nullptr)} {}
  acl_ref& operator=(acl_ref&& o) noexcept {
    if (this != &o) {
      reset();
      acl_ = std::exchange(o.acl_, nullptr);
    }
    return *this;
  }
  acl_ref(const acl_ref& o) noexcept : acl_{o.acl_} {
    if (acl_ != nullptr) acl_->a_refcount.fetch_add(1, std::memory_order_relaxed);
  }
  acl_ref& operator=(const acl_ref& o) noexcept { return *this = acl_ref{o}; }
  ~acl_ref() { reset(); }

  void reset() noexcept;
  [[nodiscard]] const posix_acl* release() noexcept { return std::exchange(acl_, nullptr); }
  [[nodiscard]] explicit operator bool() const noexcept { return acl_ != nullptr; }
  [[nodiscard]] const posix_acl& operator*() const noexcept { return *acl_; }
  [[nodiscard]] const posix_acl* operator->() const noexcept { return acl_; }

 private:
  const posix_acl* acl_ = nullptr;
};

// A list of these entries in MEMORY; bad_alloc.
[[nodiscard]] acl_ref make_posix_acl(std::pmr::memory_resource& memory, std::span<const posix_acl_entry> entries);

// ---- what an inode remembers of its lists

// The list of I, from its cache or from the file system; none: I has none, or the mount looks at none. Takes what the file system's get_inode_acl takes.
[[nodiscard]] result<acl_ref> get_inode_acl(const inode& i, acl_type type) noexcept;
// get_inode_acl need not ask the file system.
[[nodiscard]] bool is_acl_cached(const inode& i, acl_type type) noexcept;
// The file system has made ACL (none: no list) the list of I: under i_rwsem exclusive, or while nobody else has I. Until it
// does so for the first time nothing is known, and its get_inode_acl is asked when somebody wants to know.
void set_cached_acl(inode& i, acl_type type, acl_ref acl) noexcept;

// ---- rules, for file systems

// The permission bits that go with ACL's entries replace those of MODE. True: the bits say it all, no list is needed. Linux: posix_acl_equiv_mode.
[[nodiscard]] result<bool> posix_acl_equiv_mode(const posix_acl& acl, std::uint32_t& mode) noexcept;
// For set_acl of an access list: MODE as the list wants it, without a set-group-ID bit that the caller may not give out; ACL becomes none where the mode says
// it all. Linux: posix_acl_update_mode.
[[nodiscard]] result<> posix_acl_update_mode(const inode& i, std::uint32_t& mode, acl_ref& acl) noexcept;
// For setattr, i_rwsem held exclusive: the access list of I as a new MODE wants it; none: it has no list. EUCLEAN, ENOMEM and what get_inode_acl answers.
// Linux: posix_acl_chmod, but that it stores nothing.
[[nodiscard]] result<acl_ref> posix_acl_chmod(const inode& i, std::uint32_t mode);
// What a new inode of MODE in DIR inherits; MODE loses what DIR's default list does not grant, and where there is none what the caller's umask takes, unless
// the VFS has applied that already. Symlinks inherit nothing. Linux: posix_acl_create.
struct inherited_acls {
  acl_ref access, default_;
};
[[nodiscard]] result<inherited_acls> posix_acl_create(const inode& dir, std::uint32_t& mode);
// The entries stand in order and are complete. EINVAL. Linux: posix_acl_valid.
[[nodiscard]] result<> posix_acl_valid(const posix_acl& acl) noexcept;

}  // namespace xip::vfs
