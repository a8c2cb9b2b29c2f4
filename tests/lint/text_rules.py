"""Rules on the text: no blocking outside src/locks, sizes, names, no unfinished work."""
import re

import source

BLOCKING = re.compile(
    r"std::(?:\w*mutex|condition_variable\w*|j?thread|this_thread|lock_guard|unique_lock|shared_lock|scoped_lock|call_once|once_flag|future|shared_future|"
    r"promise|packaged_task|async|latch|barrier|counting_semaphore|binary_semaphore|stop_token)\b"
    r"|#\s*include\s*<(?:mutex|shared_mutex|thread|condition_variable|future|semaphore|latch|barrier|stop_token|pthread\.h|threads\.h|linux/futex\.h|"
    r"boost/(?:thread|fiber|asio|chrono|interprocess)\b[^>]*)>|\bboost::(?:this_)?(?:thread|fiber)s?\b"
    r"|\b(?:steady|system|high_resolution|file|utc|tai|gps)_clock\b|\bfile_time_type::clock\b"
    r"|\b(?:clock_gettime|clock_nanosleep|gettimeofday|timespec_get|nanosleep|usleep|sched_yield|sem_(?:wait|timedwait|post)|setitimer|timer_(?:create|settime)|"
    r"timerfd_\w+)\b"
    r"|\b(?:SYS|__NR)_(?:futex\w*|(?:clock_)?nanosleep|clock_gettime|sched_yield|p?poll|p?select6?|epoll_p?wait2?|pause|wait4|waitid|flock|io_uring_enter)\b"
    r"|\bsyscall\s*\(\s*\d"
    r"|(?<![\w.>])(?:sleep\s*\(|alarm\s*\(|time\s*\(\s*(?:nullptr|NULL|0|&\w+)\s*\)|clock\s*\(\s*\))|\bpthread_(?!sigmask\b)\w+|\bmtx_\w+"
    r"|\b(?:atomic_wait\w*|atomic_notify\w*|notify_one|notify_all)\b"
    # std::atomic's wait: of a value, or of a value and an order. A wait_queue takes a lock and a condition, a completion nothing.
    r"|(?:\.|->)wait\s*\((?:[^;{\[]*\bmemory_order\w*\s*\)|\s*[^\s,;()](?:[^,;()]|\([^()]*\))*\))")
# What waits for the host: a descriptor, a child, a signal. A call, not a declaration, nor a member of the same name.
WAITS_FOR_HOST = re.compile(
    r"(?:(?<![\w>])::|(?:^|[(=!;{}&|,<?]|(?<!:):|\breturn|\bdo)\s*)"
    r"(?:p?poll|p?select|epoll_p?wait2?|pause|waitpid|waitid|wait[34]|flock|lockf|sigsuspend|sig(?:timed)?wait(?:info)?|popen|pclose)\s*\("
    r"|(?<![\w>])::wait\s*\(|\bstd::system\s*\(|::fcntl\s*\([^;]*\bF_(?:OFD_)?SETLKW\b|\bio_uring_(?:wait_\w+|submit_and_wait\w*)\s*\(")
# src/locks is where blocking is made.
MAY_BLOCK = ("src/locks/", "include/xip/locks/", "tests/locks/")
# Who may wait for the host, and for what.
MAY_WAIT_FOR_HOST = {
    "src/dev/block_ring.cc": "the completion of its own requests",
    "src/mm/host_traps.cc": "faults of its own userfaultfd",
    "src/scenario/preflight.cc": "a child that tries out what the host allows",
    "src/scenario/subprocess.cc": "mke2fs, e2fsck and debugfs",
    "src/scenario/supervisor.cc": "the child a scenario runs in, and what it reports",
    "src/scenario/runner.cc": "those that run at once",
    "tools/": "a command waits for servers it started, for signals, for the lock of an image",
    "tests/crash/ext4_image.cc": "mke2fs and e2fsck",
    "tests/dev/device_test.cc": "itself, run again in another environment",
    "tests/explore/timeline_test.cc": "the judge of a page",
    "tests/fs_ext4lite/image.cc": "mke2fs, e2fsck and debugfs",
    "tests/posix/host_world.cc": "the calls themselves, made on the host",
    "tests/posix/mounted_world.cc": "the lock of an image that a mount gives up",
    "tests/scenario/planted.cc": "nothing: a scenario that never ends",
}


def blocking(root):
    problems = []
    waiting = set()
    for file in source.cxx_sources(root):
        if file.path.startswith(MAY_BLOCK):
            continue
        allowed = next((place for place in MAY_WAIT_FOR_HOST if file.path == place or place.endswith("/") and file.path.startswith(place)), None)
        for number, line in file.lines():
            match = BLOCKING.search(line)
            if match and match.group(0) == "sched_yield" and file.kind == "tests":
                continue  # a test may give the processor away while it waits for a state
            if match:
                problems.append((file.path, number, f"blocks, starts a thread or reads a clock outside src/locks: {match.group(0).strip()}"))
            host = WAITS_FOR_HOST.search(line)
            if host and not allowed:
                problems.append((file.path, number, f"waits for the host, and is not among those that may: {host.group(0).strip()}"))
            elif host:
                waiting.add(allowed)
        if file.path in MAY_WAIT_FOR_HOST and file.path not in waiting:
            problems.append((file.path, 0, "may wait for the host, and does not: take it off the list"))
    return problems


# What keeps something from ThreadSanitizer. One routine may: file data are copied while a program stores into them through a mapping.
SUPPRESSION = re.compile(r"no_sanitize_thread|no_sanitize\s*\([^)]*thread|__tsan_(?:ignore|default_suppressions)\w*|\bANNOTATE_\w+|\bAnnotateBenign\w+|"
                         r"\bTSAN_OPTIONS\b.*\bsuppressions\b")
MAY_SUPPRESS = {"src/dev/device.cc": 1}


def suppressions(root):
    problems, found = [], {}
    for path in source.walk(root, (".",), (".cc", ".h", ".txt", ".cmake", ".json", ".sh")):
        text = source.Source(root, path).text
        if path.endswith(source.CXX):
            text = source.without_comments(text, keep_strings=True)
        for number, line in enumerate(text.split("\n"), 1):
            match = SUPPRESSION.search(line)
            found[path] = found.get(path, 0) + bool(match)
            if match and found[path] > MAY_SUPPRESS.get(path, 0):
                problems.append((path, number, f"kept from ThreadSanitizer: {match.group(0)}"))
    return problems


# Compilers, the system and libraries own these.
RESERVED = re.compile(
    r"__(?:VA_OPT__|VA_ARGS__|FILE__|LINE__|func__|FUNCTION__|PRETTY_FUNCTION__|attribute__|builtin_\w+|has_\w+|cpp_\w+|cplusplus|GNUC\w*|clang\w*|x86_64__|"
    r"aarch64__|SSE\w*|AVX\w*|CLWB\w*|CLFLUSHOPT\w*|SANITIZE_\w+|cxa_\w+|cxxabi\w*|tsan_\w+|asan_\w+|lsan_\w+|ubsan_\w+|sanitizer_\w+|kernel_\w+|int128|u?int128_t|"
    r"[sub]\d+|[lb]e\d+|linux__|i386__|BYTE_ORDER__|ORDER_\w+|extension__|restrict|volatile__|asm__|NR_\w+|m\d+i?|cpuid\w*|get_cpuid\w*|thread|errno_location)$"
    r"|_(?:exit|Exit|mm\d*_\w+|GNU_SOURCE|GLIBCXX\w*|GLIBC\w*|DEFAULT_SOURCE|LARGEFILE64_SOURCE|FILE_OFFSET_BITS|Bool|tile_\w+|xgetbv|IO\w*|[SP]C_\w+)$")
# Virtual functions of std::pmr::memory_resource.
STANDARD = ("do_allocate", "do_deallocate", "do_is_equal")
BAD_NAME = re.compile(r"(?<![\w.])(?:_\w+|\w*__\w+|do_[a-z]\w*|\w+_internal)\b")


def identifiers(root):
    problems = []
    for file in source.cxx_sources(root):
        for number, line in file.lines():
            for match in BAD_NAME.finditer(line):
                name = match.group(0)
                if name == "_" or name in STANDARD or RESERVED.match(name) or RESERVED.match(name[name.find("__"):]):
                    continue
                problems.append((file.path, number, f"name with underscores in front or within, do_ or _internal: {name}"))
    return problems


UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def unfinished(root):
    problems = []
    for path in source.walk(root, (".",), (".cc", ".h", ".md", ".txt", ".cmake", ".py", ".sh", ".in", ".json")):
        if path.startswith("tests/lint/"):
            continue
        for number, line in enumerate(source.Source(root, path).text.split("\n"), 1):
            match = UNFINISHED.search(line)
            if match:
                problems.append((path, number, f"unfinished: {match.group(0)}"))
    return problems


MAX_FILE_LINES = 700
MAX_FUNCTION_LINES = 69
TYPE = re.compile(r"\b(?:class|struct|union|enum)\b(?![^{]*\)\s*(?:const|noexcept|override|final|->|\s)*$)")


def kind_of(head, inside):
    """What the brace behind HEAD opens: scope (namespace, type), function, or inner (an initialiser, or within a function)."""
    if inside == "function":
        return "inner"
    if re.search(r"\bnamespace\b|\bextern\s*\"", head):
        return "scope"
    if re.search(r"=\s*$", head):
        return "inner"
    if TYPE.search(head):
        return "scope"
    return "function" if ")" in head else "inner"


def functions(plain):
    """(first line, last line) of each outermost function, signature included."""
    plain = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), plain, flags=re.M)
    stack, found, head_start, closed = [], [], 0, None
    for match in re.finditer(r"[{};]", plain):
        position, mark = match.start(), match.group(0)
        if mark == "{":
            head = plain[head_start:position]
            start = head_start + len(head) - len(head.lstrip())
            inside = "function" if any(kind == "function" for kind, _ in stack) else stack[-1][0] if stack else "scope"
            if closed and closed[1] == head_start and (not head.strip() or head.lstrip().startswith(",")):
                kind, start = "function", closed[0]  # what closed was a member's initialiser: the constructor goes on
            else:
                kind = kind_of(head, inside)
            stack.append((kind, start))
        elif mark == "}" and stack:
            kind, start = stack.pop()
            if kind == "function":
                closed = (start, position + 1)
                found.append((plain.count("\n", 0, start) + 1, plain.count("\n", 0, position) + 1))
        head_start = position + 1
    return found


def sizes(root):
    problems = []
    for file in source.cxx_sources(root):
        lines = file.text.count("\n")
        if lines > MAX_FILE_LINES:
            problems.append((file.path, lines, f"{lines} lines; at most {MAX_FILE_LINES}"))
        for first, last in functions(file.plain):
            if last - first + 1 > MAX_FUNCTION_LINES:
                problems.append((file.path, first, f"a function of {last - first + 1} lines; at most {MAX_FUNCTION_LINES}"))
    return problems


LOCK_MACHINERY = re.compile(r"(?:\.|->)\s*(?:lock|unlock|lock_shared|unlock_shared)\s*\(")


# Who may change a buffer: the cache, and journal.cc for those who hold a handle. group.cc and super_write.cc fill in checksums and the super
# block in a commit, while no handle is open.
CHANGES_BUFFERS = ("src/dev/", "include/xip/dev/", "src/jbd2/", "src/fs_ext4lite/journal.cc", "src/fs_ext4lite/group.cc", "src/fs_ext4lite/super_write.cc")
BUFFER_CHANGE = re.compile(r"(?:\.|->)(?:writable|mark_dirty)\s*\(")
CONST_CAST = re.compile(r"const_cast<std::byte")


def buffers(root):
    """Metadata changes under a handle only: get_write_access and dirty_metadata are the way to a buffer's contents."""
    problems = []
    for file in source.cxx_sources(root, ("include", "src", "tools")):
        if file.path.startswith(CHANGES_BUFFERS):
            continue
        for number, line in file.lines():
            match = BUFFER_CHANGE.search(line) or (file.path.startswith("src/fs_ext4lite/") and CONST_CAST.search(line))
            if match:
                problems.append((file.path, number, f"a buffer is changed without a handle: {match.group(0).strip()}"))
    return problems


# Where a guard is made of a lock: an open handle is the guard of its barrier.
MAKES_GUARD = ("src/fs_ext4lite/journal.cc", "src/jbd2/transaction.cc")


def guards(root):
    """Locks are taken by guards only, outside the room that makes them."""
    problems = []
    for file in source.cxx_sources(root, ("include", "src", "tools")):
        if file.path.startswith(MAY_BLOCK + MAKES_GUARD):
            continue
        for number, line in file.lines():
            match = LOCK_MACHINERY.search(line)
            if match:
                problems.append((file.path, number, f"a lock is taken or released without a guard: {match.group(0).strip()}"))
    return problems


SCENARIO_FILE = re.compile(r"tests/scenarios/([^/]+)/\d\d\d\.cc$")
SCENARIO_HEAD = re.compile(r"// What: .*?\n// (?:Why: .*?\n// )?Groups: (?P<groups>[^.\n]*)\. Needs: (?P<needs>[^\n]*)\.\n", re.DOTALL)
SCENARIO_MACRO = re.compile(r'XIP_SCENARIO\(\s*"(?P<groups>[^"]*)"\s*,\s*"(?P<description>[^"]*)"(?P<needs>[^{]*)\)\s*\{')
# A race says besides what its tasks do and what must hold. What it needs is a member of its scene.
RACE_MACRO = re.compile(r'XIP_RACE\(\s*\w+\s*,\s*"(?P<groups>[^"]*)"\s*,\s*"(?P<description>[^"]*)"')
RACE_NEEDS = re.compile(r"\brequirements needs\{(?P<needs>[^}]*)\}")
RACE_HEAD = re.compile(r"// What: .*?\n// Why: .*?\n// Operations: .*?\n// Invariant: .*?\n// Groups: ", re.DOTALL)
# A word of the head, and the requirement that makes it true.
SCENARIO_NEEDS = (("DAX", r"\.dax = true"), ("debugfs", r'\.tool = "debugfs"'), ("fresh image", r"\.(?:fresh = true|mkfs =)"))


def scenario_problems(folder, text):
    head, macros = SCENARIO_HEAD.match(text), SCENARIO_MACRO.findall(text)
    races = RACE_MACRO.findall(text)
    if races and not RACE_HEAD.match(text):
        return ["the head of a race does not say What, Why, Operations and Invariant"]
    needs_of_race = RACE_NEEDS.search(text)
    macros += [(*race, needs_of_race["needs"] if needs_of_race else "") for race in races]
    if not head:
        return ["the head does not say What, then Groups and Needs"]
    if len(macros) != 1:
        return [f"{len(macros)} XIP_SCENARIO or XIP_RACE with groups and a description; one a file"]
    groups, description, needs = macros[0]
    problems = []
    if set(head["groups"].split()) - {folder} != set(groups.split()) - {folder}:
        problems.append(f"groups: the head says '{head['groups']}', the scenario '{groups}'")
    if not groups.strip():
        problems.append("no group")
    if not description.strip():
        problems.append("no description")
    for word, requirement in SCENARIO_NEEDS:
        if (word in head["needs"]) != bool(re.search(requirement, needs)):
            problems.append(f"needs: the head says '{head['needs']}', the scenario '{needs.strip(', ')}'")
    return problems


def scenarios(root):
    """The head of a scenario says what its macro says. The folder is a group that either may leave out."""
    problems = []
    for path in source.walk(root, ("tests/scenarios",), (".cc",)):
        place = SCENARIO_FILE.match(path)
        if place:
            problems += [(path, 1, why) for why in scenario_problems(place.group(1), source.Source(root, path).text)]
    return problems
