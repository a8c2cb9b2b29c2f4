#!/bin/bash
# Trees go back and forth between xip and Linux's own ext4 on a loop device, over many mke2fs options. Needs root and loop devices.
. "$(dirname "$0")/judge.sh"
[ "$(id -u)" = 0 ] || { echo 'not root: no loop mounts'; exit 77; }
mkdir "$scratch/mnt"
new_image "$scratch/probe.img" 8M
mount -o loop "$scratch/probe.img" "$scratch/mnt" 2>"$scratch/log" || { echo "no loop mounts here: $(cat "$scratch/log")"; exit 77; }
unmount "$scratch/mnt"

tree=$scratch/tree
mkdir -p "$tree/deep/er/and/deeper" "$tree/names"
for n in 0 1 1023 1024 1025 4095 4096 4097 40961 1048576; do head -c "$n" /dev/urandom >"$tree/bytes-$n"; done
truncate -s 2M "$tree/holes"; for at in 5000 700000 1999999; do printf '%s' "$at" | dd of="$tree/holes" bs=1 seek="$at" conv=notrunc status=none; done
for n in $(seq 1 1200); do : >"$tree/names/a-name-long-enough-to-fill-blocks-soon-$n"; done
ln -s ../bytes-1 "$tree/deep/fast"; ln -s "$(printf 'slow/%.0s' $(seq 1 30))" "$tree/deep/slow"
mkfifo "$tree/deep/fifo"; mknod "$tree/deep/null" c 1 3; mknod "$tree/deep/loop" b 7 300
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$tree/deep/socket"
ln "$tree/bytes-4096" "$tree/deep/er/second-link"
chown 1000:100 "$tree/bytes-1024"; chmod 4711 "$tree/bytes-1024"; touch -d '2040-02-03 04:05:06.789 UTC' "$tree/bytes-1025"
facts() { (cd "$1" && find . -path ./lost+found -prune -o -type d -printf '%y %m %U %G %T@ %p\n' -o -printf '%y %m %U %G %s %T@ %n %l %p\n' | sed '/ \.$/d' | sort
  find . -path ./lost+found -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; find . -type c -exec stat -c '%n %t:%T' {} +; find . -type b -exec stat -c '%n %t:%T' {} +); }
facts "$tree" >"$scratch/want"
# What debugfs can take out: directories, files and symlinks; symlinks without an owner, and no set-id bits, as it sets the owner last.
dumped() { (cd "$1" && find . \( -type d -o -type f \) -printf '%y %m %U %G %p\n' -o -type l -printf '%y %l %p\n' | sed -E 's/^([df]) [0-7]+([0-7]{3}) /\1 \2 /' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum); }
dumped "$tree" >"$scratch/want.dumped"

# Inodes of 128 bytes hold whole seconds up to 2038 only: there times are left out of the comparison.
agree() { # WHAT
  if [ "$timeless" = yes ]; then
    for side in want got; do sed -E 's/ -?[0-9]+\.[0-9]{10} / /' "$scratch/$side" | sort >"$scratch/$side.timeless"; done
    expect "$1" diff "$scratch/want.timeless" "$scratch/got.timeless"
  else expect "$1" diff "$scratch/want" "$scratch/got"; fi
}

exchange() { # NAME MKE2FS-OPTIONS...
  local name=$1 img=$scratch/$1.img timeless=no; shift
  case " $* " in *" -I 128 "*) timeless=yes;; esac
  new_image "$img" 128M "$@"
  mount -o loop "$img" "$scratch/mnt" || { fail "$name: mount"; return; }
  cp -a "$tree/." "$scratch/mnt/linux" 2>/dev/null || { mkdir "$scratch/mnt/linux"; cp -a "$tree/." "$scratch/mnt/linux/"; }
  unmount "$scratch/mnt"
  expect "$name: xip reads what Linux wrote" "$xip" cp -r "$img:/linux" "$scratch/out"
  facts "$scratch/out" >"$scratch/got"; agree "$name: the same"
  rm -rf "$scratch/out"
  clean "$name: after reading" "$img"
  expect "$name: xip writes" "$xip" cp -r "$tree" "$img:/xip"
  clean "$name: after writing" "$img"
  mkdir "$scratch/dump"; expect "$name: debugfs takes out what xip wrote" debugfs -R "rdump /xip $scratch/dump" "$img"
  dumped "$scratch/dump/xip" >"$scratch/got.dumped"
  expect "$name: debugfs reads what xip wrote" diff "$scratch/want.dumped" "$scratch/got.dumped"
  rm -rf "$scratch/dump"
  expect "$name: xip adds to Linux's index" "$xip" cp -r "$tree/names/." "$img:/linux/deep"
  expect "$name: xip thins Linux's index" "$xip" rm "$img:/linux/names/a-name-long-enough-to-fill-blocks-soon-"{1..600}
  clean "$name: after changing" "$img"
  mount -o loop "$img" "$scratch/mnt" || { fail "$name: mount again"; return; }
  facts "$scratch/mnt/xip" >"$scratch/got"; agree "$name: Linux reads what xip wrote"
  same "$name: Linux sees the thinned names" 600 "$(ls "$scratch/mnt/linux/names" | wc -l)"
  for n in $(seq 1 700); do : >"$scratch/mnt/xip/names/linux-was-here-too-$n"; rm "$scratch/mnt/xip/names/a-name-long-enough-to-fill-blocks-soon-$n"; done
  rm -r "$scratch/mnt/xip/deep"; truncate -s 100 "$scratch/mnt/xip/bytes-1048576"
  unmount "$scratch/mnt"
  clean "$name: after Linux" "$img"
  same "$name: xip sees Linux's names" 1200 "$("$xip" ls "$img:/xip/names" | wc -l)"
  expect "$name: xip removes all" "$xip" rm -r "$img:/xip" "$img:/linux"
  clean "$name: at the end" "$img"
  rm -f "$img"
}

exchange default -b 4096
exchange blocks-1k -b 1024
exchange blocks-2k -b 2048
exchange no-checksums -b 4096 -O ^metadata_csum
exchange uninit-groups -b 1024 -O ^metadata_csum,uninit_bg
exchange no-journal -b 4096 -O ^has_journal
exchange no-flex -b 4096 -O ^flex_bg,^resize_inode
exchange small-inodes -b 4096 -I 128
exchange large-inodes -b 4096 -I 1024
exchange no-index -b 1024 -O ^dir_index
exchange no-filetype -b 4096 -O ^filetype
exchange meta-groups -b 1024 -O meta_bg,^resize_inode
exchange two-backups -b 4096 -O sparse_super2
exchange seeded -b 4096 -O metadata_csum_seed
exchange thirty-two-bit -b 4096 -O ^64bit,^huge_file,^dir_nlink
exchange few-inodes -b 4096 -N 6000 -g 8192
finish
