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
finish
