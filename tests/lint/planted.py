"""One planted violation for each rule and kind of violation: a rule that finds nothing here cannot fail."""

SCENARIO_HEAD = "// What: a.\n// Why: b.\n// Groups: auto quick race. Needs: nothing.\n"
RACE_HEAD = "// What: a.\n// Why: b,\n// and more.\n// Operations: c.\n// Invariant: d.\n// Groups: auto quick. Needs: nothing.\n"

LONG = "int f(int a) {\n" + "  a += 1;\n" * 80 + "  return a;\n}\n"

# rule: list of (path, text). Every one must be reported.
PLANTED = {
    "includes": [
        ("src/vfs/f.cc", "#include <fuse3/fuse_lowlevel.h>\n"),
        ("src/vfs/a.cc", "#include <xip/xip/mapping.h>\n"),
        ("src/locks/a.cc", '#include "dev/private.h"\n'),
        ("include/xip/base/a.h", "#include <xip/locks/mutex.h>\n"),
        ("include/xip/dev/a.h", '#include "dev/private.h"\n'),
        ("src/fs_ext4lite/a.cc", "#include <xip/scenario/scenario.h>\n"),
        ("src/scenario/a.cc", '#include "vfs/private.h"\n'),
        ("src/explore/a.cc", "#include <xip/vfs/inode.h>\n"),
        ("src/crash/a.cc", "#include <xip/scenario/scenario.h>\n"),
        ("tests/dev/a_test.cc", "#include <xip/vfs/inode.h>\n"),
        ("src/vfs/b.cc", "#include <liburing.h>\n"),
        ("src/xip/b.cc", "#include <benchmark/benchmark.h>\n"),
        ("src/locks/b.cc", "#include <boost/context/fiber.hpp>\n"),
    ],
    "names": [
        ("src/xip/a.cc", "void ext4_map_blocks();\n"),
        ("src/xip/b.cc", 'auto name = "ext4";\n'),
        ("src/vfs/a.cc", "exclusive_guard guard{inode.i_data_sem};\n"),
        ("src/jbd2/a.cc", "int ext4_thing;\n"),
        ("src/fs_ext4lite/a.cc", "auto d = open_pmem(path);\n"),
        ("src/fs_ext4lite/b.cc", "void f(vfs::task& t);\n"),
        ("include/xip/dev/a.h", "struct inode;\n"),
        ("src/scenario/a.cc", "register_ext4lite(k);\n"),
        ("src/explore/a.cc", "vfs::inode* i;\n"),
    ],
    "blocking": [
        ("src/vfs/a.cc", "std::mutex m;\n"),
        ("src/vfs/b.cc", "std::this_thread::yield();\n"),
        ("src/dev/a.cc", "auto t = std::chrono::steady_clock::now();\n"),
        ("src/dev/b.cc", "usleep(5);\n"),
        ("src/dev/c.cc", "::sched_yield();\n"),
        ("src/xip/a.cc", "flag.notify_all();\n"),
        ("src/xip/b.cc", "  sleep(1);\n"),
        ("tools/xip/a.cc", "#include <thread>\n"),
        ("src/scenario/a.cc", "std::jthread t{f};\n"),
        ("tests/vfs/a_test.cc", "pthread_create(&t, nullptr, f, nullptr);\n"),
        ("src/fs_ext4lite/a.cc", "auto now = time(nullptr);\n"),
        ("src/fs_ext4lite/b.cc", "auto now = ::time(&t);\n"),
        *((f"src/vfs/{n}.cc", text + "\n") for n, text in enumerate((
            "auto t = std::chrono::tai_clock::now();", "auto t = std::chrono::utc_clock::now();", "using c = std::chrono::file_clock;",
            "auto t = std::filesystem::file_time_type::clock::now();", "std::chrono::gps_clock::time_point t;",
            "word.wait(0);", "i->i_word.wait(old, std::memory_order_acquire);", "word.wait(f(x));", "word.notify_one();", "std::atomic_wait(&word, 0);",
            "::syscall(SYS_futex, &word, 0);", "::syscall(202, &word, 0);", "syscall(__NR_futex_waitv, w);", "::syscall(SYS_epoll_wait, fd);",
            "#include <boost/thread.hpp>", "#include <boost/thread/mutex.hpp>", "#include <boost/fiber/all.hpp>", "boost::thread t{f};",
            "::alarm(1);", "::setitimer(ITIMER_REAL, &t, nullptr);", "int fd = ::timerfd_create(0, 0);",
            "::poll(nullptr, 0, 5);", "if (::poll(&p, 1, -1) < 0) return;", "while (poll(&p, 1, -1) < 0) {", "  ::ppoll(&p, 1, &t, nullptr);",
            "n = ::select(0, nullptr, nullptr, nullptr, &t);", "return select(0, nullptr, nullptr, nullptr, &t);", "::pselect(0, a, b, c, &t, &s);",
            "int n = ::epoll_wait(fd, e, 1, -1);", "epoll_pwait2(fd, e, 1, &t, &s);", "  pause();", "::pause();", "::wait(&status);",
            "::waitpid(child, &status, 0);", "ok = a && waitpid(child, &status, 0) == child;", "::waitid(P_PID, child, &i, WEXITED);",
            "if (::flock(fd, LOCK_EX) != 0) return;", "  flock(fd, LOCK_EX);", "::fcntl(fd, F_SETLKW, &l);", "::fcntl(fd, F_OFD_SETLKW, &l);",
            "::sigsuspend(&s);", "sigwaitinfo(&s, &i);", "std::system(command);", "auto* f = ::popen(command, \"r\");",
            "io_uring_wait_cqe(&ring, &c);", "io_uring_submit_and_wait(&ring, 1);"))),
        # Who may wait for the host may not block in other ways; and who does not wait is not on the list.
        ("tools/xip/b.cc", "word.wait(0);\n"),
        ("src/dev/block_ring.cc", "io_uring_wait_cqe(&ring, &c);\nstd::mutex m;\n"),
        ("src/scenario/runner.cc", "int f();\n"),
        ("src/scenario/check.cc", "::waitpid(child, &status, 0);\n"),
    ],
    "identifiers": [
        ("src/vfs/a.cc", "void __read();\n"),
        ("src/vfs/b.cc", "void do_read();\n"),
        ("src/vfs/c.cc", "void read_internal();\n"),
        ("src/vfs/d.cc", "void _read();\n"),
        ("src/vfs/e.cc", "void vfs__read();\n"),
    ],
    "unfinished": [
        ("src/vfs/a.cc", "// TO" "DO: the rest\n"),
        ("docs/a.md", "FIX" "ME\n"),
        ("CMakeLists.txt", "# HA" "CK\n"),
    ],
    "buffers": [
        ("src/fs_ext4lite/a.cc", "auto bytes = buffer->writable();\n"),
        ("src/fs_ext4lite/b.cc", "sb.s_buffers->mark_dirty(*b);\n"),
        ("src/vfs/a.cc", "b.writable()[0] = x;\n"),
        ("src/fs_ext4lite/c.cc", "auto* p = const_cast<std::byte*>(b->data().data());\n"),
    ],
    "sizes": [
        ("src/vfs/a.cc", LONG),
        ("src/vfs/b.cc", "namespace xip {\nclass c {\n" + LONG + "};\n}\n"),
        ("src/vfs/d.cc", "c::c(int a) : a_{a}, b_{a} {\n" + "  a += 1;\n" * 80 + "}\n"),
        ("src/vfs/e.cc", "const ops o = {\n    .read = [](int a) {\n" + "  a += 1;\n" * 80 + "},\n};\n"),
        ("src/vfs/c.cc", "// line\n" * 701),
        ("tests/vfs/a_test.cc", LONG.replace("int f(int a)", "TEST(reads, many)")),
    ],
    "scenarios": [
        ("tests/scenarios/race/001.cc", SCENARIO_HEAD + 'XIP_SCENARIO("auto rw", "what") {\n}\n'),
        ("tests/scenarios/race/002.cc", SCENARIO_HEAD + 'XIP_SCENARIO("auto quick dir", "what") {\n}\n'),
        ("tests/scenarios/race/003.cc", SCENARIO_HEAD + 'XIP_SCENARIO("auto quick", "") {\n}\n'),
        ("tests/scenarios/race/004.cc", SCENARIO_HEAD + 'XIP_SCENARIO("auto quick", "what", .dax = true) {\n}\n'),
        ("tests/scenarios/race/005.cc", SCENARIO_HEAD.replace("nothing", "debugfs") + 'XIP_SCENARIO("auto quick", "what") {\n}\n'),
        ("tests/scenarios/race/006.cc", SCENARIO_HEAD.replace("auto quick race", "") + 'XIP_SCENARIO("", "what") {\n}\n'),
        ("tests/scenarios/race/007.cc", SCENARIO_HEAD.replace("Groups", "Group") + 'XIP_SCENARIO("auto quick", "what") {\n}\n'),
        ("tests/scenarios/race/008.cc", SCENARIO_HEAD + "void f();\n"),
        ("tests/scenarios/race/009.cc", SCENARIO_HEAD + 'XIP_RACE(scene, "auto quick", "what", {"a", &scene::a})\n'),
        ("tests/scenarios/race/010.cc", RACE_HEAD + 'XIP_RACE(scene, "auto rw", "what", {"a", &scene::a})\n'),
        ("tests/scenarios/race/011.cc", RACE_HEAD + "static constexpr requirements needs{.dax = true};\n"
         'XIP_RACE(scene, "auto quick", "what", {"a", &scene::a})\n'),
        ("tests/scenarios/race/012.cc", RACE_HEAD + 'XIP_RACE(scene, "auto quick", "what", {"a", &scene::a})\nXIP_SCENARIO("auto quick", "what") {\n}\n'),
    ],
    "guards": [
        ("src/vfs/a.cc", "inode.i_rwsem.lock();\n"),
        ("src/vfs/b.cc", "mutex_->unlock();\n"),
    ],
    "suppressions": [
        ("src/xip/a.cc", '__attribute__((no_sanitize("thread"))) void f();\n'),
        ("src/xip/b.cc", "[[gnu::no_sanitize_thread]] void f();\n"),
        ("src/dev/device.cc", '__attribute__((no_sanitize("thread"))) void f();\n__attribute__((no_sanitize("thread"))) void g();\n'),
        ("src/locks/a.cc", "ANNOTATE_BENIGN_RACE(x);\n"),
        ("src/locks/b.cc", "__tsan_ignore_thread_begin();\n"),
        ("CMakePresets.json", '"environment": { "TSAN_OPTIONS": "halt_on_error=1:suppressions=a" }\n'),
        ("tests/a.sh", "TSAN_OPTIONS=suppressions=here f\n"),
    ],
}

# Must stay silent: what looks like a violation and is none.
INNOCENT = {
    "includes": [
        ("src/xip/a.cc", '#include "xip/cursor.h"\n#include <xip/vfs/inode.h>\n#include <vector>\n'),
        ("src/crash/a.cc", "#include <xip/vfs/task.h>\n#include <xip/explore/engine.h>\n"),
        ("tools/xip/a.cc", "#include <xip/fs_ext4lite/mount.h>\n#include <CLI/CLI.hpp>\n"),
    ],
    "names": [("src/xip/a.cc", "// as ext4_dax_read_iter in Linux\nvoid read();\n"), ("src/scenario/program_main.cc", "register_ext4lite(k);\n")],
    "blocking": [
        ("src/locks/a.cc", "std::mutex m;\n"),
        ("src/locks/b.cc", "::syscall(SYS_futex, &word, 0);\n"),
        ("src/dev/block_ring.cc", "io_uring_wait_cqe(&ring, &c);\n"),
        ("src/scenario/runner.cc", "::waitpid(child, &status, 0);\n"),
        ("tools/xip/a.cc", "::poll(&p, 1, -1);\n"),
        ("src/vfs/b.cc", "queue.wait(lock_, [this] { return open_.load(std::memory_order_relaxed); });\ndone.wait();\nwhile (wait()) f();\n"
         "result<> task::flock(int fd, int operation) {\n  return done;\n}\n  result<> flock(int fd, int operation);\n"
         "auto r = me.flock(fd, LOCK_EX);\nauto s = t->poll(x);\ncase F_SETLKW:\nint accept_poll();\nepoll(x);\nt.select(x);\nvfs::pause(x);\n"
         "::syscall(SYS_getdents64, fd);\n::syscall(fchmodat2, fd);\n#include <boost/context/fiber.hpp>\nboost::context::fiber f;\n"),
        ("src/vfs/a.cc", "// no std::mutex here\nnanoseconds t = monotonic_now();\nstd::chrono::seconds s;\ninode.time();\nauto u = stat.atime(x);\nauto v = time(st.atime);\npthread_sigmask(SIG_BLOCK, &set, nullptr);\n"),
    ],
    "identifiers": [("src/vfs/a.cc", "#define F(...) g(__VA_ARGS__)\nauto x = __builtin_popcount(3);\nint a_ = b_;\nauto s = 1'000'000;\n_mm_sfence();\n")],
    "unfinished": [("src/vfs/a.cc", "// to do is to be\n")],
    "sizes": [("src/vfs/a.cc", "struct s {\n" + "  int a;\n" * 100 + "};\nnamespace n {\n" + "int f() { return 1; }\n" * 100 + "}\n"
               + "const table t = {\n" + "    {1, 2},\n" * 100 + "};\nint g(int x) {\n  return x;\n}\n")],
    "buffers": [
        ("src/fs_ext4lite/journal.cc", "return b.writable();\n"),
        ("src/fs_ext4lite/a.cc", "auto bytes = XIP_TRY(get_write_access(h, *buffer));\nXIP_TRY(dirty_metadata(h, *buffer));\n"),
        ("src/vfs/a.cc", "auto* p = const_cast<std::byte*>(user);\n"),
    ],
    "scenarios": [
        ("tests/scenarios/race/001.cc", SCENARIO_HEAD + '#include "helpers.h"\n\nXIP_SCENARIO("auto quick", "what", .mount = "ro") {\n}\n'),
        ("tests/scenarios/dax/002.cc", SCENARIO_HEAD.replace("race", "").replace("nothing", "DAX, a fresh image of its own geometry")
         + 'XIP_SCENARIO("auto quick", "what", .dax = true,\n             .mkfs = "-b 4096") {\n}\n'),
        ("tests/scenarios/helpers.cc", "int f();\n"),
        ("tests/scenarios/race/003.cc", RACE_HEAD + 'XIP_RACE(scene, "auto quick", "what",\n         {"a", &scene::a})\n'),
    ],
    "suppressions": [
        ("src/dev/device.cc", '__attribute__((no_sanitize("thread"))) void f();\n'),
        ("src/xip/a.cc", '// no_sanitize("thread") is elsewhere\n__attribute__((no_sanitize("address"))) void f();\n__tsan_switch_to_fiber(f, 0);\n'),
        ("CMakePresets.json", '"environment": { "TSAN_OPTIONS": "halt_on_error=1" }\n'),
    ],
    "guards": [("src/vfs/a.cc", "exclusive_guard guard{inode.i_rwsem};\nbool b = i_rwsem.try_lock();\n")],
}

# Compiled for the rule on globals: (source, is a violation).
GLOBALS = [
    ("int counter;", True),
    ("static int counter = 3; int* f() { return &counter; }", True),
    ("int& f() { static int n = 0; return n; }", True),
    ("thread_local int errors; int& f() { return errors; }", True),
    ("inline int shared = 1; int* f() { return &shared; }", True),
    ("struct s { s(); int a; }; const s& f() { static const s one; return one; }", True),
    ("extern const int table[]; const int table[] = {1, 2}; void f(); struct ops { void (*g)(); }; extern const ops o; const ops o{f};", False),
    ("struct v { virtual ~v(); }; v::~v() {} int& f() { static thread_local int current = 0; return current; }", False),
]
