#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {

void* counting_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
  std::int64_t left = fail_after.load();
  while (left >= 0 && !fail_after.compare_exchange_weak(left, left == 0 ? 0 : left - 1)) {
  }
  if (left == 0) throw std::bad_alloc{};
  ++allocations;
  live += static_cast<std::int64_t>(bytes);
  return std::pmr::new_delete_resource()->allocate(bytes, alignment);
}

void counting_resource::do_deallocate(void* p, std::size_t bytes, std::size_t alignment) {
  live -= static_cast<std::int64_t>(bytes);
  std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
}

namespace {

[[nodiscard]] std::unique_ptr<kernel> boot(kernel_options options, counting_resource& memory, ram_device& disk) {
  options.memory = &memory;
  if (!options.lockdep_report) options.lockdep_report = [](const lockdep_report& report) { ADD_FAILURE() << report.text; };
  auto k = std::make_unique<kernel>(std::move(options));
  EXPECT_OK(k->register_filesystem(ramfs_type()));
  EXPECT_OK(k->mount("ramfs", disk, "/"));
  return k;
}

}  // namespace

vfs_test::vfs_test(kernel_options options) : k{boot(std::move(options), memory, disk)}, root{*k->make_task()}, t{*root} {}

vfs_test::~vfs_test() {
  root.reset();
  k.reset();
}

task_ptr vfs_test::make_task(std::uint32_t uid, std::uint32_t gid, std::vector<std::uint32_t> groups) {
  return task_ptr{*k->make_task({uid, gid, {groups.begin(), groups.end()}})};
}

int vfs_test::open_ok(task& who, const std::string& name, int flags, unsigned mode) {
  const auto fd = who.open(name, flags, mode);
  EXPECT_OK(fd) << name;
  return fd.value_or(-1);
}

void vfs_test::write_file(const std::string& name, std::string_view contents, unsigned mode) {
  const int fd = open_ok(t, name, O_CREAT | O_TRUNC | O_WRONLY, mode);
  EXPECT_EQ(t.write(fd, contents.data(), contents.size()).value_or(0), contents.size());
  EXPECT_OK(t.close(fd));
}

std::string vfs_test::read_file(const std::string& name) {
  const int fd = open_ok(t, name, O_RDONLY);
  std::string text(65536, '\0');
  text.resize(t.read(fd, text.data(), text.size()).value_or(0));
  EXPECT_OK(t.close(fd));
  return text;
}

std::vector<std::string> vfs_test::names_in(const std::string& directory) {
  std::vector<std::string> names;
  const int fd = open_ok(t, directory, O_RDONLY | O_DIRECTORY);
  for (;;) {
    const auto entries = t.getdents(fd, 3);
    EXPECT_OK(entries);
    if (!entries || entries->empty()) break;
    for (const dirent& e : *entries) names.push_back(e.name);
  }
  EXPECT_OK(t.close(fd));
  return names;
}

void vfs_test::run_at_once(std::vector<std::function<void()>> bodies) {
  std::vector<kthread> threads;
  for (auto& body : bodies) {
    auto thread = kthread::run("test", memory, std::move(body));
    ASSERT_OK(thread);
    threads.push_back(std::move(*thread));
  }
  for (kthread& thread : threads) thread.join();
}

}  // namespace xip::vfs::test
