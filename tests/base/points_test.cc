#include <xip/base/points.h>

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace xip {
namespace {

class recorder final : public point_sink {
 public:
  void on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept override {
    hits.push_back(std::string{point_name(p)} + " " + std::to_string(a) + " " + std::to_string(b) + " " + std::to_string(c));
  }
  int inject(point p, std::uint64_t, std::uint64_t) noexcept override { return p == failing ? EIO : 0; }

  std::vector<std::string> hits;
  point failing = point::count;
};

class Points : public testing::Test {
 protected:
  ~Points() override { current_point_sink = nullptr; }
  recorder sink;
};

result<int> read_something() {
  XIP_TRY(XIP_FAIL_POINT(buffer_read, 7));
  return 1;
}

TEST_F(Points, NamesAreUniqueAndKnown) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < point_count; ++i) names.insert(point_name(static_cast<point>(i)));
  EXPECT_EQ(names.size(), point_count);
  EXPECT_TRUE(names.contains("vfs_i_size_stored"));
  EXPECT_EQ(point_name(point::count), "?");
}

TEST_F(Points, NothingHappensWithoutSink) {
  XIP_POINT(dev_fence);
  EXPECT_EQ(read_something().value(), 1);
}

TEST_F(Points, SinkHearsPointAndArguments) {
  current_point_sink = &sink;
  XIP_POINT(dev_fence);
  XIP_POINT(ext4_map_blocks, 12, 34);
  EXPECT_EQ(sink.hits, (std::vector<std::string>{"dev_fence 0 0 0", "ext4_map_blocks 12 34 0"}));
}

TEST_F(Points, SinkMakesFailPointFail) {
  current_point_sink = &sink;
  EXPECT_TRUE(read_something().has_value());
  sink.failing = point::buffer_read;
  EXPECT_EQ(read_something().error(), EIO);
  EXPECT_EQ(sink.hits.size(), 2u);
}

}  // namespace
}  // namespace xip
