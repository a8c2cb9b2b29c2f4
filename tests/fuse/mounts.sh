# Sourced by the tests of the mount, after which they have judge.sh's functions too. 77 where the host has no FUSE, or lets us have none.
. "$(dirname "$0")/../tools/judge.sh"
xip_fuse=$(readlink -f "${2:?usage: ${0##*/} path/to/xip path/to/xip-fuse}")
mnt=$scratch/mnt
mkdir "$mnt"
leave() {
  cd /
  local at
  for at in $(awk -v below="$scratch/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r); do umount -l "$at" || fusermount3 -uz "$at"; done 2>/dev/null
  for at in $(pgrep -f -- " $scratch/"); do kill "$at"; done 2>/dev/null # what a failed test has left
  rm -rf "$scratch"
}
trap leave EXIT
skip() { echo "skipped: $*"; exit 77; }
has() { command -v "$1" >/dev/null; }
[ -e /dev/fuse ] || skip 'no /dev/fuse'
(: <>/dev/fuse) 2>/dev/null || skip '/dev/fuse cannot be opened'
[ "$(id -u)" = 0 ] || has fusermount3 || skip 'neither root nor fusermount3'

# up IMAGE [OPTIONS]: mounts it on $mnt
up() { expect "mount of ${1##*/}" timeout 60 "$xip" mount "$1" "$mnt" ${2:+-o "$2"}; mountpoint -q "$mnt" || { fail "${1##*/} is not mounted"; finish; }; }
# free IMAGE: waits until whoever had it mounted has finished with it
free() { expect "${1##*/} is free" timeout 60 flock "$1" true; }
# down IMAGE: unmounts $mnt, and the image is sound
down() { expect "umount of ${1##*/}" unmount "$mnt"; free "$1"; clean "after unmounting ${1##*/}" "$1"; }
