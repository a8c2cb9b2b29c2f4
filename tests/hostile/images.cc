#include "hostile/images.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/container.h"

namespace xip::hostile {

std::span<const std::span<const hostile_image>> all_images() noexcept {
  static const std::span<const hostile_image> all[] = {super_images(),     group_images(),   inode_images(), tree_images(),
                                                       directory_images(), journal_images(), orphan_images()};
  return all;
}

fuzz::sparse_image make(const hostile_image& from, const std::string& seeds) {
  std::ifstream in{seeds + "/" + from.base, std::ios::binary};
  const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
  auto c = fuzz::decode(std::as_bytes(std::span{bytes}));
  if (!c) {
    std::fprintf(stderr, "%s/%s: not there, or not a container\n", seeds.c_str(), from.base);
    std::exit(2);
  }
  editor e{c->image};
  from.damage(e);
  e.finish();
  return std::move(c->image);
}

}  // namespace xip::hostile
