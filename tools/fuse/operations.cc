#include "fuse/connection.h"
#include "fuse/server.h"

namespace xip::fuse {

fuse_lowlevel_ops operations() noexcept {
  fuse_lowlevel_ops table{};
  table.init = [](void*, fuse_conn_info* conn) { negotiate(*conn); };
  add_name_operations(table);
  add_attribute_operations(table);
  add_file_operations(table);
  add_directory_operations(table);
  add_xattr_operations(table);
  return table;
}

}  // namespace xip::fuse
