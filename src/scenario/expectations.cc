// Expectations.
#include <xip/scenario/expectations.h>

#include <vector>

#include <fmt/format.h>

namespace xip::scenario {

void expectations::report(std::string_view what, std::string expected, std::string found, const location& here) const {
  throw expectation_failed{{text_of(here), std::string{what}, std::move(expected), std::move(found)}};
}

void expectations::fail(std::string what, location here) const { report(what, "", "", here); }
void expectations::skip(std::string why) const { throw not_run{std::move(why)}; }

void expectations::expect(bool holds, std::string_view what, location here) const {
  if (!holds) report(what, "true", "false", here);
}

void expectations::expect_same(const std::optional<difference>& d, location here) const {
  if (d) report(fmt::format("byte {} of the file is wrong, and {} in all", text_of(d->at), d->bytes), d->expected, d->found, here);
}

void expectations::put(vfs::task& task, int fd, loff_t offset, std::size_t bytes, stamp who, location here) const {
  std::vector<std::byte> data(bytes);
  fill(data, offset, who);
  expect_answer(task.pwrite(fd, data.data(), bytes, offset), bytes, "bytes written", here);
}

void expectations::expect_data(vfs::task& task, int fd, loff_t offset, std::size_t bytes, stamp who, location here) const {
  std::vector<std::byte> data(bytes);
  expect_answer(task.pread(fd, data.data(), bytes, offset), bytes, "bytes read", here);
  expect_same(compare(data, offset, who), here);
}

void expectations::expect_zeros(vfs::task& task, int fd, loff_t offset, std::size_t bytes, location here) const {
  std::vector<std::byte> data(bytes, std::byte{0xee});
  expect_answer(task.pread(fd, data.data(), bytes, offset), bytes, "bytes read", here);
  expect_same(compare_zeros(data, offset), here);
}

}  // namespace xip::scenario
