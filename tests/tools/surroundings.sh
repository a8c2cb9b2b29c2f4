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

# A limit that would stop a write half-way is found before the first one.
status=0
(ulimit -f 100; exec "$xip" mkdir "$img:/new") 2>"$scratch/said" || status=$?
same 'mkdir under ulimit -f' 1 "$status"
expect 'mkdir under ulimit -f says why' grep -q 'ulimit -f' "$scratch/said"
unchanged 'mkdir under ulimit -f'

# Control characters of a foreign name stay off the terminal.
debugfs -w -R "mkdir $(printf 'red\033[31m')" "$img" 2>/dev/null
expect 'ls to a terminal' script -qec "'$xip' ls '$img:/'" "$scratch/typed"
expect 'escape sequence is shown, not sent' grep -q 'red\\033\[31m' "$scratch/typed"
same 'ls into a pipe' "$(printf 'red\033[31m')" "$("$xip" ls "$img:/" | grep red)"

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
    umount "$scratch/mnt"
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
