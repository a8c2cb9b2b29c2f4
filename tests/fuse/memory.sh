#!/bin/bash
# A server that runs out of memory: calls fail with ENOMEM and have changed nothing, what was done stays, and the image is sound. The path of a library that makes
# memory run out comes behind the path of xip-fuse.
. "$(dirname "$0")/mounts.sh"
has python3 || skip 'no python3'
failing=$(readlink -f "${3:?usage: ${0##*/} path/to/xip path/to/xip-fuse path/to/failing_memory.so}")
img=$scratch/disk.img
for every in ${XIP_FAIL_EVERY:-31 101 307 1009}; do
  new_image "$img" 64M -b 1024
  XIP_FAIL_EVERY=$every LD_PRELOAD=$failing "$xip_fuse" -f "$img" "$mnt" -o commit=1 2>"$scratch/said" &
  server=$!
  until mountpoint -q "$mnt"; do kill -0 $server 2>/dev/null || { fail 'the server has not begun'; cat "$scratch/said"; finish; }; done
  timeout 300 python3 "$(dirname "$0")/memory.py" "$mnt" "${XIP_MEMORY_STEPS:-1500}" >"$scratch/before" 2>"$scratch/log" ||
    { fail "each ${every}th request for memory fails"; tail -n 5 "$scratch/log" "$scratch/said"; }
  expect "umount, every $every" unmount "$mnt"
  wait $server || { fail "the server ends with $?, every $every"; tail -n 5 "$scratch/said"; }
  clean "every $every" "$img"
  up "$img" ro
  python3 "$(dirname "$0")/memory.py" "$mnt" >"$scratch/after" || fail "a new mount, every $every"
  expect "the same after a new mount, every $every" diff "$scratch/before" "$scratch/after"
  down "$img"
done
finish
