#!/bin/bash
# mutants.sh XIP CRASH.MD: in the workloads in tests/crash/mutants, each wait for the medium is left out in turn. One of them fails then, or docs/crash.md says why
# none does: in its table a row has the wait, or several, and the device, and says "not missed".
set -u
xip=$(readlink -f "${1:?usage: ${0##*/} path/to/xip path/to/crash.md}")
docs=$(readlink -f "${2:?usage: ${0##*/} path/to/xip path/to/crash.md}")
workloads=$(dirname "$(readlink -f "$0")")/mutants
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0
fail() { failures=$((failures + 1)); echo "FAILED: $*"; }

# The log fills up until a checkpoint has to make room. Each write finds no free block, waits until those that were punched out are committed, and goes on, so that
# the checkpoint comes in one that goes on too, with no super block in the log.
full_log() {
  printf '%s\n' 'creat full' 'falloc full 0 11534336 keep_size' 'creat a' 'write a 0 16384' 'creat b' '---' 'chmod a 600' 'fsync a' 'falloc full 0 16777216 keep_size'
  for _ in {1..56}; do printf '%s\n' 'falloc a 0 16384 punch' 'write b 0 16384' 'falloc b 0 16384 punch' 'write a 0 16384'; done
}

# left_out ARGUMENT...: of an image and workloads, on $device. What is missed in one run may be missing nowhere else.
left_out() {
  "$xip" crash --device "$device" --mutants "$@" >"$scratch/said" 2>&1
  grep -qE '^[0-9]+ workloads? passed, 0 failed' "$scratch/said" || { fail "on $device the workloads fail as they are"; cat "$scratch/said"; }
  sed -nE 's/^no (.*): survived .*/\1/p' "$scratch/said" >>"$scratch/survived"
  sed -nE 's/^no (.*): killed .*/\1/p' "$scratch/said" >>"$scratch/killed"
}
sorted() { sort -u -o "$scratch/$1" "$scratch/$1"; }

# The waits of the table's rows for $device or both.
explained() { awk -F'|' -v device="$device" '($3 ~ "^ *" device " *$" || $3 ~ /^ *both *$/) && $4 ~ /^ not missed: /{print $2}' "$docs" | grep -oE '`[^`]+`' | tr -d '`'; }

full_log >"$scratch/full_log.txt"
for device in memory block; do
  rm -f "$scratch/survived" "$scratch/killed"
  left_out "$workloads"/*.txt --fsck none --states 150
  left_out "$scratch/full_log.txt" --fsck none --states 60
  left_out "$workloads"/no_checksums/*.txt --fsck none --states 60 --mkfs '-b 4096 -N 64 -m 0 -O ^metadata_csum'
  left_out "$workloads"/second/*.txt --fsck none --states 20 --mkfs '-b 4096 -N 64 -m 0 -I 128'
  left_out "$workloads"/e2fsck/*.txt --fsck all --states 20
  sorted killed
  sorted survived
  comm -23 "$scratch/survived" "$scratch/killed" >"$scratch/not_missed"
  explained | sort >"$scratch/explained"
  [ "$(wc -l <"$scratch/killed")" -ge 12 ] || fail "on $device few waits are missed: $(tr '\n' ';' <"$scratch/killed")"
  grep -q ', jbd2_checkpoint$' "$scratch/killed" || fail "on $device a checkpoint may begin the log anew before all of it is home, or the log was never full"
  comm -23 "$scratch/not_missed" "$scratch/explained" >"$scratch/left"
  while read -r wait; do fail "on $device nobody misses '$wait', and docs/crash.md does not say why"; done <"$scratch/left"
  comm -13 "$scratch/not_missed" "$scratch/explained" >"$scratch/left"
  while read -r wait; do fail "on $device '$wait' is missed, or there is none: docs/crash.md explains it"; done <"$scratch/left"
  echo "$device: $(wc -l <"$scratch/killed") waits are missed, $(wc -l <"$scratch/not_missed") are not"
done
[ "$failures" = 0 ] || exit 1
