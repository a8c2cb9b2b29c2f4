// splice_read: the bytes of a file where they lie, which hold still while they are taken.
#include <cerrno>

#include <fcntl.h>
#include <sys/uio.h>

#include <xip/vfs/ops.h>

#include "fs_ext4lite/tree_file.h"

namespace xip::ext4lite {
namespace {

using namespace test;

// Copies what it is given, and asks MEANWHILE between.
struct copying_sink : vfs::splice_sink {
  copying_sink() { take = copy; }
  static result<> copy(splice_sink& sink, std::span<const iovec> pieces, std::size_t bytes) {
    auto& self = static_cast<copying_sink&>(sink);
    ++self.calls;
    for (const iovec& piece : pieces) self.text.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    EXPECT_EQ(self.text.size(), bytes);
    if (self.meanwhile) self.meanwhile();
    return self.answer;
  }
  std::string text;
  std::function<void()> meanwhile;
  result<> answer;
  int calls = 0;
};

class splice : public testing::Test {
 protected:
  void open(std::string_view options) {
    fs.emplace(disk, options);
    ASSERT_TRUE(fs->ok()) << fs->failure();
    fd = fs->task().open("/f", O_RDWR | O_CREAT, 0644).value_or(-1);
  }
  void put(std::string_view text, loff_t pos) { EXPECT_TRUE(fs->task().pwrite(fd, text.data(), text.size(), pos).has_value()); }
  std::string pread(std::size_t bytes, loff_t pos) {
    std::string text(bytes, '?');
    text.resize(fs->task().pread(fd, text.data(), bytes, pos).value_or(0));
    return text;
  }
  image disk = make_image("-b 4096", "16M");
  std::optional<mounted> fs;
  int fd = -1;
};

TEST_F(splice, brings_what_a_read_brings) {
  open("dax=always");
  put(std::string(10'000, 'a'), 0);
  put(std::string(5'000, 'b'), 300'000);  // a hole of more than one piece before it
  ASSERT_TRUE(fs->task().fallocate(fd, 0, 320'000, 50'000).has_value());
  for (const auto& [pos, bytes] : {std::pair<loff_t, std::size_t>{0, 500'000}, {1, 9'999}, {4'095, 2}, {9'000, 300'000}, {369'999, 10}}) {
    copying_sink sink;
    const auto taken = fs->task().splice_read(fd, pos, bytes, sink);
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(*taken, sink.text.size());
    EXPECT_EQ(sink.text, pread(bytes, pos));
    EXPECT_EQ(sink.calls, 1);
  }
}

TEST_F(splice, takes_nothing_at_the_end) {
  open("dax=always");
  put("text", 0);
  for (const loff_t pos : {4, 5'000}) {
    copying_sink sink;
    EXPECT_EQ(fs->task().splice_read(fd, pos, 10, sink).value_or(1), 0u);
    EXPECT_EQ(sink.calls, 1);
  }
}

TEST_F(splice, keeps_writers_out_until_the_bytes_are_taken) {
  open("dax=always");
  put("before", 0);
  const vfs::task_ptr other{*fs->kernel().make_task({}, "other")};
  const int theirs = *other->open("/f", O_RDWR | O_DIRECT);  // what RWF_NOWAIT asks for
  const auto write_now = [&] {
    iovec text{const_cast<char*>("after!"), 6};
    return other->pwritev2(theirs, &text, 1, 0, RWF_NOWAIT);
  };
  copying_sink sink;
  int refused = 0;
  sink.meanwhile = [&] {
    const auto written = write_now();
    refused = written.has_value() ? 0 : written.error().number();
  };
  ASSERT_TRUE(fs->task().splice_read(fd, 0, 6, sink).has_value());
  EXPECT_EQ(refused, EAGAIN);
  EXPECT_TRUE(write_now().has_value());
  EXPECT_EQ(pread(6, 0), "after!");
}

TEST_F(splice, hands_on_what_the_sink_says) {
  open("dax=always");
  put("text", 0);
  copying_sink sink;
  sink.answer = fail(ENOBUFS);
  EXPECT_EQ(fs->task().splice_read(fd, 0, 4, sink).error(), ENOBUFS);
}

TEST_F(splice, leaves_to_read_what_lies_in_no_memory) {
  open("dax=never");
  put("text", 0);
  copying_sink sink;
  EXPECT_EQ(fs->task().splice_read(fd, 0, 4, sink).error(), EOPNOTSUPP);
  EXPECT_EQ(sink.calls, 0);
  const int directory = *fs->task().open("/", O_RDONLY);
  EXPECT_EQ(fs->task().splice_read(directory, 0, 4, sink).error(), EOPNOTSUPP);
  EXPECT_EQ(fs->task().splice_read(99, 0, 4, sink).error(), EBADF);
  EXPECT_EQ(fs->task().splice_read(fd, -1, 4, sink).error(), EINVAL);
}

}  // namespace
}  // namespace xip::ext4lite
