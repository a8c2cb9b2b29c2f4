#!/bin/bash
# A server that is killed while it is at work: what was synced is there after the journal is replayed, whoever replays it.
. "$(dirname "$0")/mounts.sh"
img=$scratch/disk.img

# Writes files of two directories in turn, each synced, and says of each how far it is when that is durable: "NUMBER" a line.
cat >"$scratch/writer.py" <<'PY'
import os, sys
top, said = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
number = 0
try:
    while True:
        number += 1
        path = f"{top}/d{number % 2}/f{number % 40}"
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(fd, f"{number}\n".encode() * (number % 3000 + 1))
        os.fsync(fd)
        os.close(fd)
        os.rename(path + ".new", path)
        if number % 7 == 0:
            os.mkdir(f"{top}/d0/dir{number}")
        if number % 7 == 1 and number > 7:
            os.rmdir(f"{top}/d0/dir{number - 1}")
        fd = os.open(f"{top}/d{number % 2}", os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        os.write(said, f"{number}\n".encode())
except OSError:
    pass
PY
# What DIRECTORY must hold when everything up to $1 is durable: each file is whole, and no older than the last that was said to be.
cat >"$scratch/reader.py" <<'PY'
import os, sys
top, last = sys.argv[1], int(sys.argv[2])
for n in range(max(1, last - 39), last + 1):
    with open(f"{top}/d{n % 2}/f{n % 40}", "rb") as f:
        lines = f.read().split(b"\n")
    found = int(lines[0])
    if lines[-1] != b"" or any(line != lines[0] for line in lines[:-1]) or len(lines) - 1 != found % 3000 + 1:
        sys.exit(f"file {n} is not whole: {len(lines) - 1} lines of {found}")
    if found != n and not (found > last and (found - n) % 40 == 0):
        sys.exit(f"file {n} holds {found}, and {last} was durable")
PY

# The image is mounted by what is to be killed after COUNT files.
work_until() {
  rm -f "$scratch/said"; : >"$scratch/said"
  python3 "$scratch/writer.py" "$mnt" "$scratch/said" &
  local writer=$!
  until [ "$(wc -l <"$scratch/said")" -ge "$1" ]; do kill -0 $writer || { fail 'the writer has ended'; finish; }; done
  kill -KILL "$server"
  wait $writer
  wait "$server" 2>/dev/null
  umount -l "$mnt"
  expect 'the image is free' timeout 60 flock "$img" true
  last=$(tail -n 1 "$scratch/said")
}
serve() {
  "$xip_fuse" -f "$img" "$mnt" ${1:+-o "$1"} 2>"$scratch/log.server" &
  server=$!
  until mountpoint -q "$mnt"; do kill -0 $server 2>/dev/null || { fail 'the server has not begun'; cat "$scratch/log.server"; finish; }; done
}

for options in '-b 4096' '-b 1024 -O ^metadata_csum' ; do
  new_image "$img" 64M $options
  "$xip" mkdir "$img:/d0" "$img:/d1" || fail 'directories'
  for count in 3 150 400; do
    serve
    work_until $count
    dumpe2fs -h "$img" 2>/dev/null | grep -q needs_recovery || fail "$options, $count: the journal is not in use"

    cp --sparse=always "$img" "$scratch/copy.img"
    e2fsck -p "$scratch/copy.img" >"$scratch/log" 2>&1
    [ $? -le 1 ] || { fail "$options, $count: e2fsck -p"; cat "$scratch/log"; }
    clean "$options, $count: replayed by e2fsck" "$scratch/copy.img"
    "$xip" cp -r "$scratch/copy.img:/" "$scratch/tree" && expect "$options, $count: by e2fsck" python3 "$scratch/reader.py" "$scratch/tree" "$last"
    rm -rf "$scratch/tree"

    if [ "$(id -u)" = 0 ] && cp --sparse=always "$img" "$scratch/copy.img" && mount -o loop "$scratch/copy.img" "$mnt" 2>/dev/null; then
      expect "$options, $count: by Linux" python3 "$scratch/reader.py" "$mnt" "$last"
      unmount "$mnt"
      clean "$options, $count: replayed by Linux" "$scratch/copy.img"
    fi

    # The image itself is replayed by its next mount.
    serve
    expect "$options, $count: by us" python3 "$scratch/reader.py" "$mnt" "$last"
    expect "$options, $count: which says so" grep -q 'the journal was recovered' "$scratch/log.server"
    rm -rf "$mnt"/d0/* "$mnt"/d1/*
    kill -TERM $server; wait $server
    clean "$options, $count: after the next mount" "$img"
  done
done
finish
