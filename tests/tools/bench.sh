#!/bin/bash
# `xip bench` runs, and says what a machine wants to read. No figure is judged.
. "$(dirname "$0")/judge.sh"
[ -w /dev/shm ] || { echo 'no tmpfs at /dev/shm'; exit 77; }
figures() { "$xip" bench --benchmark_min_time=0.001 --benchmark_format=json "$@" 2>"$scratch/said"; }
# Every benchmark: a name, ns beside those of its baseline, and their ratio.
check='
import json, sys
benchmarks = json.load(sys.stdin)["benchmarks"]
for b in benchmarks:
    assert b.get("error_message") == "this host denies userfaultfd" or all(b[key] > 0 for key in ("ns", "baseline_ns", "ratio")), b
print(*sorted({"/".join(b["name"].split("/")[:2]) for b in benchmarks}))
'
before=$(ls /dev/shm | grep -c '^xip-bench-')
same 'some benchmarks' 'create/tmpfs open_close_of_10000/tmpfs' "$(figures --benchmark_filter='^(open_close|create)' | python3 -c "$check" 2>&1)"
same 'all benchmarks' 'append_4k/memcpy append_4k/pmem_memcpy_persist append_4k_fsync/pmem_memcpy_persist create/tmpfs explore_lock_litmus/locks explore_read_truncate/calls map_access/memory map_first_load/tmpfs map_first_load_by_sigsegv/tmpfs '\
'map_first_store/tmpfs map_first_store_by_sigsegv/tmpfs map_store_fsync/msync_of_tmpfs map_store_in_hole/tmpfs map_store_in_hole_by_sigsegv/tmpfs model_first_load/pread open_close_of_10000/tmpfs '\
'overwrite_4k_random/pmem_memcpy_persist overwrite_4k_random/tmpfs_pwrite read_1m/memcpy read_4k_random/memcpy read_4k_random/tmpfs_pread unlink/tmpfs' "$(figures --benchmark_filter=-mount_ | python3 -c "$check" 2>&1)"
if (: <>/dev/fuse) 2>/dev/null; then
  mounts=
  for name in append_4k append_4k_fsync create mkdir_rmdir overwrite_1m overwrite_1m_direct_io overwrite_4k_random read_1m read_1m_direct_io read_4k_random \
    readdir_1000 readdir_1000_again rename stat symlink_readlink unlink; do
    ! command -v fuse2fs >/dev/null || mounts+="mount_$name/fuse2fs "
    mounts+="mount_$name/null "
  done
  same 'all benchmarks of mounts' "${mounts% }" "$(figures --benchmark_filter=mount_ | python3 -c "$check" 2>&1)"
fi
for mount in $(awk '$2 ~ "/xip-bench-" {print $2}' /proc/mounts); do fail "$mount is still mounted"; done
same 'nothing stays behind' "$before" "$(ls /dev/shm | grep -c '^xip-bench-')"
refuse 'unknown option' 2 'frob' "$xip" bench --frob
expect 'help' "$xip" bench --help
finish
