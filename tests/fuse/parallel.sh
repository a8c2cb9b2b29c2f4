#!/bin/bash
# Many processes on the same few names and files, and what is left is sound.
. "$(dirname "$0")/mounts.sh"
has python3 || skip 'no python3'
img=$scratch/disk.img
new_image "$img" 256M -b 4096
for options in threads=8 device=block,dax=never; do
  up "$img" "$options"
  expect "parallel calls with $options" timeout 300 python3 "$(dirname "$0")/parallel.py" "$mnt" "${XIP_PARALLEL_STEPS:-300}"
  down "$img"
done
finish
