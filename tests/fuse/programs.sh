#!/bin/bash
# Real programs on the mount; behind each e2fsck, and at the end the host's own ext4 reads what they left. XIP_LONG_TESTS=1 gives each more to do.
. "$(dirname "$0")/mounts.sh"
long=${XIP_LONG_TESTS:-0}
more() { if [ "$long" = 1 ]; then echo "$2"; else echo "$1"; fi; }
source=$(readlink -f "$(dirname "$0")/../..")
img=$scratch/disk.img
new_image "$img" 4G -b 4096 -N 262144

ran=0
# on PROGRAM...: mounts if all of these programs are there
on() {
  local program
  for program in "$@"; do has "$program" || { echo "left out: no $program"; return 1; }; done
  up "$img"
  ran=$((ran + 1))
}

if on tar; then
  expect 'tar in' sh -c 'tar -C "$1" -cf - src include tests tools docs | tar -C "$2" -xf -' sh "$source" "$mnt"
  for part in src include tests tools docs; do expect "the same $part" diff -r --no-dereference "$source/$part" "$mnt/$part"; done
  expect 'tar finds no difference' tar -C "$mnt" -df <(tar -C "$source" -cf - src include) --warning=no-timestamp
  down "$img"
fi

if on git; then
  git init -q "$scratch/repository"
  cp -r "$source/src" "$source/include" "$scratch/repository"
  as_somebody=(-c user.name=somebody -c user.email=somebody@example.org -c safe.directory='*')
  git -C "$scratch/repository" add -A
  git -C "$scratch/repository" "${as_somebody[@]}" commit -q -m one
  expect 'git clone' git "${as_somebody[@]}" clone -q --no-local "$scratch/repository" "$mnt/clone"
  expect 'git gc' git "${as_somebody[@]}" -C "$mnt/clone" gc -q
  expect 'git fsck' git "${as_somebody[@]}" -C "$mnt/clone" fsck --full --strict
  same 'git status' '' "$(git "${as_somebody[@]}" -C "$mnt/clone" status --short 2>&1)"
  down "$img"
fi

if on sqlite3; then
  for mode in wal delete truncate persist; do
    rows=$(more 20000 400000)
    same "SQLite, journal_mode=$mode" "$mode ok $rows" "$(sqlite3 "$mnt/$mode.db" 2>&1 "
      pragma journal_mode=$mode;
      create table t(a integer primary key, b text);
      create index i on t(b);
      with recursive c(x) as (values(1) union all select x + 1 from c where x < $rows) insert into t select x, hex(randomblob(16)) from c;
      begin; update t set b = 'x' || b where a % 7 = 0; rollback;
      update t set b = 'y' || b where a % 5 = 0;
      delete from t where a % 3 = 0; insert into t(b) select hex(randomblob(16)) from t limit $rows - (select count(*) from t);
      vacuum;
      pragma integrity_check; select count(*) from t;" | grep -v '^0$' | tr '\n' ' ' | sed 's/ $//')"
  done
  down "$img"
  up "$img"
  for mode in wal delete; do same "SQLite after a new mount, $mode" ok "$(sqlite3 "$mnt/$mode.db" 'pragma integrity_check')"; done
  rm -f "$mnt"/*.db
  down "$img"
fi

if on fio; then
  for engine in psync libaio; do
    for pattern in randwrite write; do
      for direct in 0 1; do
        cd "$scratch" || exit 1 # fio leaves notes where it runs
        expect "fio $engine $pattern direct=$direct" fio --name=v --directory="$mnt" --size="$(more 8m 128m)" --rw=$pattern --bsrange=4k-64k \
          --ioengine=$engine --iodepth=8 --direct=$direct --numjobs=2 --verify=crc32c --do_verify=1 --verify_fatal=1 --output="$scratch/fio"
      done
    done
  done
  rm -f "$mnt"/v.*
  down "$img"
fi

# All at once; 3 says that one of them found too little of something, and is no failure on the host's ext4 either.
if on stress-ng; then
  stress-ng --class filesystem --all 1 --timeout "$(more 4 60)" --temp-path "$mnt" --exclude bind-mount,binderfs,ramfs >"$scratch/stress" 2>&1
  status=$?
  case $status in 0 | 3) ;; *) fail "stress-ng ends with $status" ;; esac
  for line in "$(grep -E 'fail: |error: ' "$scratch/stress")"; do [ -z "$line" ] || fail "stress-ng: $line"; done
  down "$img"
fi

if on dbench && [ -r /usr/share/dbench/client.txt ]; then
  expect 'dbench' dbench -D "$mnt" -c /usr/share/dbench/client.txt -t "$(more 3 60)" 4
  rm -rf "$mnt/clients"
  down "$img"
fi

if on cc make; then
  mkdir "$mnt/project"
  for i in $(seq "$(more 20 200)"); do echo "int f$i(int x) { return x * $i; }" >"$mnt/project/f$i.c"; done
  {
    for i in $(seq "$(more 20 200)"); do echo "int f$i(int);"; done
    echo 'int main(void) { int n = 0;'
    for i in $(seq "$(more 20 200)"); do echo "n += f$i(1);"; done
    echo 'return n == 0; }'
  } >"$mnt/project/main.c"
  printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\tcc -o program $^\n' >"$mnt/project/Makefile"
  expect 'a C project' make -s -j4 -C "$mnt/project"
  expect 'its program' "$mnt/project/program"
  down "$img"
fi

if on rsync; then
  mkdir "$scratch/from"
  cp -r "$source/docs" "$source/include" "$scratch/from"
  ln "$scratch/from/docs/posix.md" "$scratch/from/second name"
  ln -s nowhere "$scratch/from/dangling"
  truncate -s 1M "$scratch/from/sparse"
  chmod 1751 "$scratch/from/include"
  touch -d '1999-12-31 23:59:59.123456789' "$scratch/from/dangling" "$scratch/from/docs"
  ! has setfattr || setfattr -n user.colour -v green "$scratch/from/docs/posix.md" 2>/dev/null
  ! has setfacl || setfacl -m u:12345:rwx -m d:u:12345:rx "$scratch/from/include" 2>/dev/null
  expect 'rsync -aHAX' rsync -aHAX --sparse "$scratch/from/" "$mnt/to/"
  same 'rsync has nothing more to do' '' "$(rsync -aHAXn --checksum --itemize-changes "$scratch/from/" "$mnt/to/" 2>&1)"
  down "$img"
fi

[ "$ran" != 0 ] || skip 'none of the programs'
if [ "$(id -u)" = 0 ] && mount -o loop,ro "$img" "$mnt" 2>/dev/null; then
  expect 'the host reads it all' sh -c 'find "$1" -type f -print0 | xargs -0 cat >/dev/null' sh "$mnt"
  [ ! -d "$mnt/src" ] || expect 'and the same' diff -r "$source/src" "$mnt/src"
  unmount "$mnt"
fi
finish
