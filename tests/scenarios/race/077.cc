// What: a list is read from the medium, for a permission check, while another takes its place.
// Why: the reader holds no lock of the file. What it has read must not be remembered once another list was stored, or the old one decides for good.
// Operations: access by a user of the list, which is not cached; setxattr of a list that grants nothing; access again.
// Invariant: after the change nobody is granted anything by the old list.
// Groups: auto attr. Needs: nothing.
#include <sys/xattr.h>

#include <array>

#include <xip/base/endian.h>
#include <xip/scenario/race.h>
#include <xip/vfs/posix_acl.h>

namespace xip::scenario {
namespace {

struct scene : race {
  static constexpr std::uint32_t user = 1001;

  // User 1001 gets PERM.
  void set_list(vfs::task& me, std::uint16_t perm) {
    struct entry {
      le16 tag, perm;
      le32 id;
    };
    struct {
      le32 version{2};
      std::array<entry, 5> entries;
    } list;
    list.entries = {entry{le16{vfs::acl_user_obj}, le16{6}, le32{~0u}}, entry{le16{vfs::acl_user}, le16{perm}, le32{user}},
                    entry{le16{vfs::acl_group_obj}, le16{4}, le32{~0u}}, entry{le16{vfs::acl_mask}, le16{6}, le32{~0u}},
                    entry{le16{vfs::acl_other}, le16{0}, le32{~0u}}};
    must(me.setxattr("file", "system.posix_acl_access", &list, sizeof list, 0));
  }
  void setup() {
    must(task().close(create("file")));
    set_list(task(), 4);
    kernel().drop_caches();
  }
  void asker(vfs::task& me) {
    me.who.uid = me.who.gid = user;
    const auto may = me.faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS);
    if (!may) expect_errno(may, EACCES);
  }
  void changer(vfs::task& me) {
    set_list(me, 0);
    me.who.uid = me.who.gid = user;
    expect_errno(me.faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS), EACCES);
  }
  void check() {
    task().who.uid = task().who.gid = user;
    const auto may = task().faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS);
    task().who.uid = task().who.gid = 0;
    expect_errno(may, EACCES);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto attr", "a list read while it is replaced", {"asker", &scene::asker}, {"changer", &scene::changer})
