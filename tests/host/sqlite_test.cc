// A real program over a pointer: SQLite with memory-mapped I/O. Its files lie in the image, its pages are read through a mapping whose addresses are pointers, and
// changed by calls, so that both have to show the same bytes all the time.
#include <algorithm>
#include <string>

#include <sqlite3.h>

#include "host_file.h"

namespace xip::host {
namespace {

// SQLite's way to the host, led to a task's calls. https://www.sqlite.org/vfs.html, https://www.sqlite.org/mmap.html
class sqlite_files {
 public:
  explicit sqlite_files(vfs::task& t) : task{t} {
    vfs_.iVersion = 2;
    vfs_.szOsFile = sizeof(open_database);
    vfs_.mxPathname = 512;
    vfs_.zName = "xip";
    vfs_.pAppData = this;
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    vfs_.xAccess = access;
    vfs_.xFullPathname = full_path;
    vfs_.xRandomness = [](sqlite3_vfs*, int bytes, char* out) { return host().xRandomness(&host(), bytes, out); };
    vfs_.xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; };
    vfs_.xCurrentTime = [](sqlite3_vfs*, double* now) { return host().xCurrentTime(&host(), now); };
    vfs_.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
    vfs_.xCurrentTimeInt64 = [](sqlite3_vfs*, sqlite3_int64* now) { return host().xCurrentTimeInt64(&host(), now); };
    EXPECT_EQ(sqlite3_vfs_register(&vfs_, 0), SQLITE_OK);
  }
  ~sqlite_files() { EXPECT_EQ(sqlite3_vfs_unregister(&vfs_), SQLITE_OK); }
  sqlite_files(const sqlite_files&) = delete;
  sqlite_files& operator=(const sqlite_files&) = delete;

  vfs::task& task;
  unsigned fetched = 0;  // pages that were handed out as pointers

 private:
  static constexpr std::size_t mapped_bytes = std::size_t{16} << 20;

  struct open_database {
    sqlite3_file base;
    sqlite_files* files;
    int fd;
    mm::user_address mapped;  // 0: it is no database
    int lock;
  };
  [[nodiscard]] static sqlite3_vfs& host() noexcept { return *sqlite3_vfs_find("unix"); }
  [[nodiscard]] static sqlite_files& of(sqlite3_vfs* v) noexcept { return *static_cast<sqlite_files*>(v->pAppData); }
  [[nodiscard]] static open_database& of(sqlite3_file* f) noexcept { return *reinterpret_cast<open_database*>(f); }

  static int open(sqlite3_vfs* v, const char* name, sqlite3_file* f, int flags, int* out) {
    open_database& o = of(f);
    o = {.base = {}, .files = &of(v), .fd = -1, .mapped = 0, .lock = SQLITE_LOCK_NONE};
    vfs::task& t = of(v).task;
    const int how = ((flags & SQLITE_OPEN_READWRITE) != 0 ? O_RDWR : O_RDONLY) | ((flags & SQLITE_OPEN_CREATE) != 0 ? O_CREAT : 0);
    o.fd = (name != nullptr ? t.open(name, how, 0644) : t.open("/", O_TMPFILE | O_RDWR, 0600)).value_or(-1);
    if (o.fd < 0) return SQLITE_CANTOPEN;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) o.mapped = mm::mmap(t, 0, mapped_bytes, PROT_READ, MAP_SHARED, o.fd, 0).value_or(0);
    o.base.pMethods = &methods;
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }
  static int close(sqlite3_file* f) {
    open_database& o = of(f);
    if (o.mapped != 0 && !mm::munmap(o.files->task, o.mapped, mapped_bytes)) return SQLITE_IOERR_CLOSE;
    return o.files->task.close(o.fd) ? SQLITE_OK : SQLITE_IOERR_CLOSE;
  }
  static int remove(sqlite3_vfs* v, const char* name, int sync) {
    vfs::task& t = of(v).task;
    if (!t.unlink(name)) return SQLITE_IOERR_DELETE;
    if (sync == 0) return SQLITE_OK;
    const auto root = t.open("/", O_RDONLY | O_DIRECTORY);
    const bool done = root && t.fsync(*root) && t.close(*root);
    return done ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
  }
  static int access(sqlite3_vfs* v, const char* name, int, int* there) {
    *there = of(v).task.stat(name).has_value() ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int bytes, char* out) {
    sqlite3_snprintf(bytes, out, "%s", name);
    return SQLITE_OK;
  }
  static int read(sqlite3_file* f, void* to, int bytes, sqlite3_int64 offset) {
    const auto got = of(f).files->task.pread(of(f).fd, to, static_cast<std::size_t>(bytes), offset);
    if (!got) return SQLITE_IOERR_READ;
    if (*got == static_cast<std::size_t>(bytes)) return SQLITE_OK;
    std::memset(static_cast<char*>(to) + *got, 0, static_cast<std::size_t>(bytes) - *got);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* f, const void* from, int bytes, sqlite3_int64 offset) {
    const auto put = of(f).files->task.pwrite(of(f).fd, from, static_cast<std::size_t>(bytes), offset);
    return put && *put == static_cast<std::size_t>(bytes) ? SQLITE_OK : SQLITE_FULL;
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 size) {
    return of(f).files->task.ftruncate(of(f).fd, size) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
  }
  static int sync(sqlite3_file* f, int) { return of(f).files->task.fsync(of(f).fd) ? SQLITE_OK : SQLITE_IOERR_FSYNC; }
  static int size(sqlite3_file* f, sqlite3_int64* bytes) {
    *bytes = of(f).files->task.fstat(of(f).fd)->size;
    return SQLITE_OK;
  }
  static int fetch(sqlite3_file* f, sqlite3_int64 offset, int bytes, void** at) {
    open_database& o = of(f);
    *at = nullptr;
    const sqlite3_int64 end = std::min<sqlite3_int64>(o.files->task.fstat(o.fd)->size, mapped_bytes);
    if (o.mapped == 0 || offset + bytes > end) return SQLITE_OK;
    *at = mm::user_pointer(o.mapped + static_cast<mm::user_address>(offset));
    ++o.files->fetched;
    return SQLITE_OK;
  }
  // How much may be mapped is asked for by a negative number.
  static int file_control(sqlite3_file*, int what, void* about) {
    if (what != SQLITE_FCNTL_MMAP_SIZE) return SQLITE_NOTFOUND;
    *static_cast<sqlite3_int64*>(about) = mapped_bytes;
    return SQLITE_OK;
  }

  // Alone: nobody else has the database.
  static constexpr sqlite3_io_methods methods{
      .iVersion = 3,
      .xClose = close,
      .xRead = read,
      .xWrite = write,
      .xTruncate = truncate,
      .xSync = sync,
      .xFileSize = size,
      .xLock = [](sqlite3_file* f, int lock) { return of(f).lock = lock, SQLITE_OK; },
      .xUnlock = [](sqlite3_file* f, int lock) { return of(f).lock = lock, SQLITE_OK; },
      .xCheckReservedLock = [](sqlite3_file* f, int* held) { return *held = of(f).lock >= SQLITE_LOCK_RESERVED, SQLITE_OK; },
      .xFileControl = file_control,
      .xSectorSize = [](sqlite3_file*) { return 4096; },
      .xDeviceCharacteristics = [](sqlite3_file*) { return 0; },
      .xShmMap = nullptr,
      .xShmLock = nullptr,
      .xShmBarrier = nullptr,
      .xShmUnmap = nullptr,
      .xFetch = fetch,
      .xUnfetch = [](sqlite3_file*, sqlite3_int64, void*) { return SQLITE_OK; },
  };

  sqlite3_vfs vfs_{};
};

class database {
 public:
  database() {
    EXPECT_EQ(sqlite3_open_v2("/db", &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "xip"), SQLITE_OK);
    EXPECT_EQ(run("pragma mmap_size=16777216; pragma cache_size=10"), "16777216");
  }
  ~database() { EXPECT_EQ(sqlite3_close(db_), SQLITE_OK); }
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  // The values of all rows, in one word each, or the error.
  std::string run(const std::string& sql) {
    std::string found;
    char* wrong = nullptr;
    const auto take = [](void* to, int columns, char** values, char**) {
      auto& text = *static_cast<std::string*>(to);
      for (int i = 0; i < columns; ++i) text += (text.empty() ? "" : " ") + std::string{values[i] != nullptr ? values[i] : "null"};
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), take, &found, &wrong) != SQLITE_OK) found = wrong;
    sqlite3_free(wrong);
    return found;
  }

 private:
  sqlite3* db_ = nullptr;
};

using host_sqlite = host_file;

TEST_P(host_sqlite, reads_its_pages_through_pointers) {
  XIP_BEGIN_HOST_TEST();
  sqlite_files files{t()};
  constexpr const char* sums = "select count(*), sum(n), sum(length(text)) from rows";
  std::string expected;
  {
    database db;
    EXPECT_EQ(db.run("create table rows (n integer primary key, text); create index texts on rows (text)"), "");
    EXPECT_EQ(db.run("with recursive c(i) as (select 1 union all select i + 1 from c where i < 4000) "
                     "insert into rows select i, hex(i * 7919) || printf('%0*d', i % 300, 0) from c"),
              "");
    expected = db.run(sums);
    EXPECT_EQ(expected.substr(0, 12), "4000 8002000");
    const unsigned before = files.fetched;
    EXPECT_EQ(db.run("select count(*) from rows where text like '%000%'").empty(), false);
    EXPECT_GT(files.fetched, before) << "pages are handed out as pointers";
    // Changes go by calls, and are read through pointers at once; then some are taken back, and the file becomes shorter.
    EXPECT_EQ(db.run("begin; update rows set text = 'changed' where n % 3 = 0; select count(*) from rows where text = 'changed'"), "1333");
    EXPECT_EQ(db.run("rollback; select count(*) from rows where text = 'changed'"), "0");
    EXPECT_EQ(db.run(sums), expected);
    EXPECT_EQ(db.run("delete from rows where n > 3000; vacuum; pragma integrity_check"), "ok");
    expected = db.run(sums);
  }
  database again;
  EXPECT_EQ(again.run(sums), expected);
  EXPECT_EQ(again.run("pragma integrity_check"), "ok");
}

INSTANTIATE_TEST_SUITE_P(traps, host_sqlite, ::testing::Values(trap_by::sigsegv, trap_by::userfaultfd), name_of_traps);

}  // namespace
}  // namespace xip::host
