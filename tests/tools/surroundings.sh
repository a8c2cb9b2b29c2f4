#!/bin/bash
# The verbs where their surroundings are not what they hope for: closed streams, a full disk behind standard output, limits, an image that
# the host has mounted.
. "$(dirname "$0")/judge.sh"
img=$scratch/disk.img
new_image "$img" 32M -b 4096 -O ^has_journal
unchanged() { same "$1 changes nothing" "$before" "$(sum "$img")"; }
sum() { sha256sum <"$1"; }

# A closed standard stream must not become the image.
before=$(sum "$img")
for streams in '2>&-' '1>&- 2>&-' '0<&- 1>&- 2>&-' '0<&-'; do
  status=0
  eval '"$xip" rm "$img:/missing one" "$img:/missing two"' "$streams" 2>/dev/null || status=$?
  same "rm with $streams" 1 "$status"
  unchanged "rm with $streams"
done

# What cannot be printed is an error.
for words in "ls $img:/" "ls -lR $img:/" "stat $img:/" "df $img" "map $img:/lost+found" "--help" "ls --help" "--version"; do
  for where in '>/dev/full' '>&-'; do
    status=0
    eval "\"\$xip\" $words $where" 2>"$scratch/said" || status=$?
    same "xip $words $where" 1 "$status"
    expect "xip $words $where says why" grep -q 'standard output' "$scratch/said"
  done
done

# A limit that would stop a write half-way is found before the first one. ThreadSanitizer's own files would not fit.
if (ulimit -f 100; "$xip" --version >"$scratch/said" 2>&1); then
  status=0
  (ulimit -f 100; exec "$xip" mkdir "$img:/new") 2>"$scratch/said" || status=$?
  same 'mkdir under ulimit -f' 1 "$status"
  expect 'mkdir under ulimit -f says why' grep -q 'ulimit -f' "$scratch/said"
  unchanged 'mkdir under ulimit -f'
fi

# Little memory: whatever runs out, the message names the image. A sanitizer needs more than any limit of ours before it begins, and below some limit
# the libraries that xip is linked with give up before it does.
head -c 3M /dev/urandom >"$scratch/little"
expect "a file for it" "$xip" cp "$scratch/little" "$img:/little"
if (ulimit -v 65536; "$xip" --version >"$scratch/said" 2>&1); then
  least=8000
  while ! (ulimit -v $least; "$xip" --version) >"$scratch/said" 2>&1; do least=$((least + 500)); done
  short=0
  for room in $(seq "$least" 100 $((least + 2500))); do
    status=0
    (ulimit -v "$room"; exec "$xip" cat "$img:/little") >/dev/null 2>"$scratch/said" || status=$?
    [ $status = 0 ] && continue
    short=$((short + 1))
    same "cat with $room KiB" 1 $status
    expect "cat with $room KiB says why, and of what" grep -qE "^xip cat: $img.*([Mm]emory)" "$scratch/said"
  done
  [ $short -gt 0 ] || fail 'no limit was too little for cat'
fi

# Control characters of a foreign name stay off the terminal.
debugfs -w -R "mkdir $(printf 'red\033[31m')" "$img" 2>/dev/null
expect 'ls to a terminal' script -qec "'$xip' ls '$img:/'" "$scratch/typed"
expect 'escape sequence is shown, not sent' grep -q 'red\\033\[31m' "$scratch/typed"
same 'ls into a pipe' "$(printf 'red\033[31m')" "$("$xip" ls "$img:/" | grep red)"

ln -s "$(printf 'to\033[31m')" "$scratch/link"
expect 'a symlink to an escape sequence' "$xip" cp -r "$scratch/link" "$img:/link"
expect 'stat to a terminal' script -qec "'$xip' stat '$img:/link'" "$scratch/typed"
expect 'stat shows it, and does not send it' grep -q 'to\\033\[31m' "$scratch/typed"

# Colons in the names of directories.
mkdir "$scratch/with:" "$scratch/out:"
cp "$img" "$scratch/with:/disk.img"
expect 'image below a directory with a colon' "$xip" mkdir "$scratch/with:/disk.img:/made"
expect 'host target below one' "$xip" cp -r "$scratch/with:/disk.img:/made" "$scratch/out:/made"
expect 'which is there' test -d "$scratch/out:/made"

# What has no size, and what is no file, has contents all the same; copied without -r they are read.
expect 'cp from /proc' "$xip" cp /proc/version "$img:/version"
same 'its contents' "$(cat /proc/version)" "$("$xip" cat "$img:/version")"
mkfifo "$scratch/fifo"
echo through a pipe >"$scratch/fifo" &
expect 'cp from a fifo' "$xip" cp "$scratch/fifo" "$img:/piped"
same 'what came through' 'through a pipe' "$("$xip" cat "$img:/piped")"
"$xip" cp /dev/stdin "$img:/stdin" <<<'from standard input'
same 'what came from standard input' 'from standard input' "$("$xip" cat "$img:/stdin")"

# A directory does not go into itself: that is known before anything is written.
"$xip" mkdir "$img:/e" && "$xip" mkdir "$img:/e/f"
before=$(sum "$img")
for words in "$img:/e $img:/e" "$img:/e $img:/e/f" "$img:/ $img:/e/zz" "$img:/e $img:/e/f/new"; do
  # shellcheck disable=SC2086
  refuse "cp -r $words" 1 'into itself' "$xip" cp -r $words
  unchanged "cp -r $words"
done

# An image is neither copied into itself nor written over with what it holds: by its name, by another, on the way down a tree.
"$xip" cp "$img:/version" "$img:/disk.img"
before=$(sum "$img")
mkdir "$scratch/around"; ln "$img" "$scratch/around/version"; ln -s "$img" "$scratch/alias"; echo beside >"$scratch/around/beside"
for source in "$img" "$scratch/alias" "$scratch/around/version"; do
  refuse "cp of $source into itself" 1 'is the image itself' "$xip" cp "$source" "$img:/self"
  refuse "cp over $source" 1 'is the image itself' "$xip" cp "$img:/version" "$source"
  unchanged "cp of or over $source"
done
refuse 'cp -r out, over itself' 1 'is the image itself' "$xip" cp -r "$img:/version" "$img:/disk.img" "$scratch/around"
refuse 'cp -r . out, over itself' 1 'is the image itself' "$xip" cp -r "$img:/." "$scratch"
unchanged 'cp -r over itself'
refuse 'cp -r of what is around it' 1 'version: is the image itself' "$xip" cp -r "$scratch/around" "$img:/around"
same 'the rest is copied' beside "$("$xip" cat "$img:/around/beside")"
rm -r "$scratch/around" "$scratch/alias"

# Where io_uring is denied the verbs do without.
cat >"$scratch/denied" <<'PYTHON'
import ctypes, os, struct, sys
number, io_uring_setup, prctl = int(sys.argv[1]), 425, ctypes.CDLL(None).prctl
code = b"".join(struct.pack("HBBI", *i) for i in [(0x20, 0, 0, 0), (0x15, 0, 1, io_uring_setup), (0x06, 0, 0, 0x50000 | number), (0x06, 0, 0, 0x7fff0000)])
class program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
text = ctypes.create_string_buffer(code)
if prctl(38, 1, 0, 0, 0) != 0 or prctl(22, 2, ctypes.byref(program(4, ctypes.addressof(text)))) != 0:
    sys.exit(77)
os.execv(sys.argv[2], sys.argv[2:])
PYTHON
denied=(python3 "$scratch/denied") # ERRNO COMMAND...
"${denied[@]}" 1 /bin/true; deniable=$?
if [ $deniable = 0 ]; then
  head -c 3M /dev/urandom >"$scratch/random"
  for number in 1 13 38 12; do
    expect "errno $number: into the image" "${denied[@]}" $number "$xip" cp "$scratch/random" "$img:/random$number"
    expect "errno $number: out of it" "${denied[@]}" $number "$xip" cp "$img:/random$number" "$scratch/random$number"
    expect "errno $number: the same" cmp "$scratch/random" "$scratch/random$number"
    expect "errno $number: rm" "${denied[@]}" $number "$xip" rm "$img:/random$number"
  done
  clean 'without io_uring' "$img"
fi

# A sparse image on a host that is full: what cannot be written is an error, and what was there stays sound.
if [ "$(id -u)" = 0 ] && mkdir "$scratch/full" && mount -t tmpfs -o size=2M tmpfs "$scratch/full" 2>/dev/null; then
  full_host() { # HOW COMMAND...
    local how=$1 dir; shift
    new_image "$scratch/full/disk.img" 64M -b 4096 -O ^has_journal
    expect "$how: room for a tree" "$xip" mkdir -p "$scratch/full/disk.img:/kept/below"
    dd if=/dev/zero of="$scratch/full/rest" bs=4k status=none 2>/dev/null
    # Some more than there is room for in what was reserved before.
    refuse "$how: mkdir on a full host" 1 'No space left' "$@" mkdir "$scratch/full/disk.img:/new"{1..300}
    clean "$how: mkdir on a full host" "$scratch/full/disk.img"
    rm "$scratch/full/rest"
    refuse "$how: cp onto a full host" 1 'No space left' "$@" cp "$scratch/random" "$scratch/full/disk.img:/random"
    rm -f "$scratch/full/rest"
    e2fsck -fy "$scratch/full/disk.img" >/dev/null 2>&1
    same "$how: what was there is there" below "$("$xip" ls "$scratch/full/disk.img:/kept")"
    dir=$("$xip" ls "$scratch/full/disk.img:/" | tr '\n' ' ')
    case $dir in *new*) fail "$how: a directory that could not be made is there" ;; esac
  }
  full_host 'io_uring' "$xip"
  [ $deniable = 0 ] && full_host 'without io_uring' "${denied[@]}" 1 "$xip"
  unmount "$scratch/full"
fi

# Asked to stop in the middle: the first file is there, the one being read is not whole, and the image is sound.
mkdir "$scratch/empty"
for signal in INT TERM HUP; do
  python3 - "$xip" "$scratch/fifo" "$img" "$signal" <<'PYTHON' || fail "stopped by $signal"
import os, signal, subprocess, sys
xip, fifo, image, name = sys.argv[1:]
number = getattr(signal, "SIG" + name)
first = fifo + "-first-" + name
with open(first, "w") as f:
    f.write("whole")
p = subprocess.Popen([xip, "cp", first, fifo, image + ":/"], stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
writer = os.open(fifo, os.O_WRONLY)  # returns when the other end is open: the first file has been copied
p.send_signal(number)
said = p.communicate()[1].decode()
os.close(writer)
assert p.returncode == -number, (p.returncode, said)
assert "stopped by a signal" in said, said
assert subprocess.run([xip, "cat", f"{image}:/{os.path.basename(first)}"], stdout=subprocess.PIPE).stdout == b"whole"
PYTHON
  clean "stopped by $signal" "$img"
done

# Mounted by the host, as a loop device or through one.
if [ "$(id -u)" = 0 ] && loop=$(losetup -f --show "$img" 2>/dev/null); then
  mkdir "$scratch/mnt"
  if mount "$loop" "$scratch/mnt" 2>/dev/null; then
    for target in "$img" "$loop"; do
      status=0
      "$xip" mkdir "$target:/evil" 2>"$scratch/said" || status=$?
      same "mkdir in mounted $target" 1 "$status"
      expect "mkdir in mounted $target says where" grep -q "mounted on $scratch/mnt" "$scratch/said"
    done
    unmount "$scratch/mnt"
  fi
  blockdev --setro "$loop"
  before=$(sum "$img")
  status=0
  "$xip" mkdir "$loop:/new" 2>/dev/null || status=$?
  same 'mkdir on a write-protected device' 1 "$status"
  unchanged 'mkdir on a write-protected device'
  blockdev --setrw "$loop"
  losetup -d "$loop"
fi
clean 'at the end' "$img"
finish
