#!/bin/bash
# Every request once and more, through the system calls that make it, and what is left is sound.
. "$(dirname "$0")/mounts.sh"
has python3 || skip 'no python3'
for blocks in 4096 1024; do
  img=$scratch/disk-$blocks.img
  new_image "$img" 128M -b $blocks -N 4096
  up "$img"
  expect "calls on blocks of $blocks bytes" python3 "$(dirname "$0")/operations.py" "$mnt"
  # A new mount reads what the first one wrote.
  (cd "$mnt" && find . -printf '%p %y %m %n %U:%G %s %T@ %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$scratch/before"
  down "$img"
  up "$img" ro
  (cd "$mnt" && find . -printf '%p %y %m %n %U:%G %s %T@ %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$scratch/after"
  expect 'the same after a new mount' diff "$scratch/before" "$scratch/after"
  refuse 'a change of what is read-only' 1 'Read-only file system' touch "$mnt/new"
  down "$img"
done
finish
