#!/bin/bash
# What a server lives through, and what it leaves alone when it ends.
. "$(dirname "$0")/mounts.sh"
img=$scratch/disk.img
new_image "$img" 64M -b 4096

# serve [OPTIONS]: mounts $img in the foreground; its process is $server
serve() {
  "$xip_fuse" -f "$img" "$mnt" ${1:+-o "$1"} 2>"$scratch/said" &
  server=$!
  until mountpoint -q "$mnt"; do kill -0 $server 2>/dev/null || { fail 'the server has not begun'; cat "$scratch/said"; finish; }; done
}
# ended: SIGTERM, and the image is sound
ended() { kill -TERM $server; wait $server; same 'the server ends with' 0 $?; clean "${1:-after SIGTERM}" "$img"; }

# Signals that ask for nothing.
serve
for signal in PIPE USR1 USR2; do
  kill -$signal $server
  expect "served after SIG$signal" stat "$mnt/."
  expect "alive after SIG$signal" kill -0 $server
done
ended

# What the caller had open is not kept open by a server in the background.
"$xip_fuse" "$img" "$mnt" 9>"$scratch/held" || fail 'mount with a file open'
expect 'the server does not have it' sh -c '! ls -l "/proc/$1/fd" | grep -q "$2"' sh "$(pgrep -n -f "xip-fuse $img $mnt")" "$scratch/held"
down "$img"

# A remount names the image that is mounted.
serve
cp "$img" "$scratch/other.img"
refuse 'remount by the name of another image' 32 'another image' "$xip_fuse" -o remount,ro "$scratch/other.img" "$mnt"
expect 'which changes nothing' touch "$mnt/written"
expect 'remount by its own name' "$xip_fuse" -o remount,ro "$img" "$mnt"
ended

# A sparse image, mapped, on a host that is full: an error, and the server goes on.
if [ "$(id -u)" = 0 ] && mkdir "$scratch/full" && mount -t tmpfs -o size=8M tmpfs "$scratch/full" 2>/dev/null; then
  new_image "$scratch/full/disk.img" 64M -b 4096 -O ^has_journal
  expect 'mount on a small host' "$xip_fuse" "$scratch/full/disk.img" "$mnt"
  echo kept >"$mnt/kept"
  mkdir "$mnt"/directory-{1..300}
  dd if=/dev/zero of="$scratch/full/rest" bs=4k status=none 2>/dev/null
  refuse 'a commit without room' 1 'No space left' sync "$mnt/directory-1"
  rm "$scratch/full/rest"
  expect 'the next one, with room' sync "$mnt/directory-1"
  refuse 'more than the host has' 1 'No space left' dd if=/dev/zero of="$mnt/much" bs=64k
  same 'what was there is there' kept "$(cat "$mnt/kept")"
  expect 'and it is served' ls -l "$mnt"
  head -c 300k "$mnt/much" >"$scratch/head"
  expect 'what was written is there' cmp -n 307200 "$scratch/head" /dev/zero
  mount -o remount,size=32M "$scratch/full"
  expect 'room again' dd if=/dev/urandom of="$mnt/more" bs=64k count=100
  same 'what was made before it' 300 "$(ls -d "$mnt"/directory-* | wc -l)"
  down "$scratch/full/disk.img"
  unmount "$scratch/full"
fi

# A block device that the host has mounted is not written to behind its back.
if [ "$(id -u)" = 0 ] && loop=$(losetup -f --show "$img" 2>/dev/null); then
  if mount -t ext4 "$loop" "$mnt" 2>/dev/null; then
    mkdir "$scratch/second"
    refuse 'a device that the host has mounted' 32 'mounted on' "$xip_fuse" "$loop" "$scratch/second"
    refuse 'by a verb' 1 'mounted on' "$xip" mkdir "$loop:/new"
    unmount "$mnt"
  fi
  refuse 'a device that somebody claims' 32 'claims it' python3 -c 'import os, sys
os.set_inheritable(os.open(sys.argv[1], os.O_RDWR | os.O_EXCL), True)
os.execv(sys.argv[2], sys.argv[2:])' "$loop" "$xip_fuse" "$loop" "$scratch/second"
  expect 'which it gave back' "$xip_fuse" "$loop" "$mnt"
  expect 'the host leaves it alone then' sh -c '! mount -t ext4 "$1" "$2" 2>/dev/null' sh "$loop" "$scratch/second"
  refuse 'the file behind it' 32 "in use through $loop" "$xip_fuse" "$img" "$scratch/second"
  refuse 'by a verb, too' 1 "in use through $loop" "$xip" mkdir "$img:/new"
  unmount "$mnt"
  expect 'the device is free' timeout 60 flock "$loop" true
  losetup -d "$loop"
  clean 'after the device' "$img"
fi

# Something else on the directory stays.
if [ "$(id -u)" = 0 ]; then
  serve
  mount -t tmpfs over "$mnt"
  echo kept >"$mnt/kept"
  ended 'under another mount'
  same 'the other mount' kept "$(cat "$mnt/kept")"
  expect 'which is said' grep -q 'something else' "$scratch/said"
  umount "$mnt"
  ! mountpoint -q "$mnt" || umount -l "$mnt"
  umount -l "$mnt" 2>/dev/null

  # What a mapping has stored is taken in where the mount is bound, too.
  mkdir "$scratch/elsewhere"
  serve
  mount --bind "$mnt" "$scratch/elsewhere"
  mount -t tmpfs over "$mnt"
  python3 - "$scratch/elsewhere/mapped" "$scratch/ready" <<'PY' &
import mmap, os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.truncate(fd, 4096)
m = mmap.mmap(fd, 4096)
m[:6] = b"mapped"
open(sys.argv[2], "w").close()
signal.pause()
PY
  user=$!
  until [ -e "$scratch/ready" ]; do kill -0 $user || break; done
  ended 'while it is bound elsewhere'
  same 'stored where it is bound' mapped "$("$xip" cat "$img:/mapped" | head -c 6)"
  kill $user; wait $user 2>/dev/null
  while umount -l "$mnt"; do :; done 2>/dev/null
  umount -l "$scratch/elsewhere" 2>/dev/null

  # A mount that was moved is not found on its directory, and what it holds is taken in.
  serve
  mount --bind "$scratch/elsewhere" "$scratch/elsewhere" && mount --make-private "$scratch/elsewhere"
  mkdir -p "$scratch/elsewhere/moved"
  if mount --move "$mnt" "$scratch/elsewhere/moved" 2>/dev/null; then
    echo moved >"$scratch/elsewhere/moved/file"
    ended 'while it is somewhere else'
    same 'written where it was moved' moved "$("$xip" cat "$img:/file")"
  else
    ended
  fi
fi
finish
