#!/usr/bin/env python3
"""Seeds of the fuzz targets: small images of every shape, made by mke2fs and debugfs.

    make_seeds.py FUZZ-CONTAINER DIRECTORY

Writes DIRECTORY/NAME.N, each an image with a program.
"""
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

# What mke2fs of Debian 12 gives an ext4, but for what its place depends on.
FEATURES = ("has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,"
            "metadata_csum")
UUID = "584950c4-0000-4000-8000-66757a7a0000"
ENVIRONMENT = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin", SOURCE_DATE_EPOCH="1700000000",
                   E2FSPROGS_FAKE_TIME="1700000000", MKE2FS_CONFIG="/dev/null", LC_ALL="C")

# debugfs commands that go on where the tree of the host ends: nodes, attributes, unwritten extents.
NODES = ["mknod tty c 4 64", "mknod disk b 300 70000", "mknod pipe p",
         "ea_set hello user.small value", "ea_set hello security.mark " + "m" * 40, "ea_set dir user.d 1"]
BLOCK_ATTRIBUTE = ["ea_set dir/f0 user.large " + "L" * 600, "ea_set fast user.x y"]
# {own}, {long} and {default} are files with access control lists; the long one has no room in an inode.
LISTS = ["ea_set -f {own} hello system.posix_acl_access", "ea_set -f {default} dir system.posix_acl_default",
         "ea_set -f {own} dir/sub system.posix_acl_access", "ea_set -f {long} dir/sub system.posix_acl_default",
         "ea_set -f {long} dir/f1 system.posix_acl_access"]
UNWRITTEN = ["fallocate dir/f1 3 20"]
UNLINKED = ["set_inode_field {0} links_count 0", "set_inode_field {0} dtime 0", "unlink {0}"]
ORPHANS = ["set_inode_field dir/f2 links_count 0", "set_inode_field dir/f2 dtime 0", "unlink dir/f2", "set_super_value last_orphan {f2}"]
# {blocks} is a file of four blocks, which go to free ones by way of the log; one of them is revoked, and comes back.
JOURNAL = ["jo{version}", "jw -b 3900-3903 {blocks}", "jc", "jo{version}", "jw -r 3901,3902", "jc", "jo{version}", "jw -b 3902 {blocks}", "jc"]

# name: (size, mke2fs options, what is in it, debugfs commands)
SEEDS = {
    "default-4k": ("2M", "-b 4096 -N 64", "tree", NODES + BLOCK_ATTRIBUTE + UNWRITTEN),
    "default-1k": ("1M", "-b 1024 -N 64", "tree", NODES + BLOCK_ATTRIBUTE + UNWRITTEN),
    "default-2k": ("1M", "-b 2048 -N 64", "tree", NODES),
    "no-journal-4k": ("1M", "-b 4096 -N 32 -O ^has_journal", "tree", NODES + UNWRITTEN),
    "no-journal-1k": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode", "tree", NODES + BLOCK_ATTRIBUTE + UNWRITTEN),
    "no-csum": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode,^metadata_csum", "tree", NODES + BLOCK_ATTRIBUTE + UNWRITTEN),
    "uninit-bg": ("2M", "-b 1024 -g 512 -N 64 -O ^has_journal,^metadata_csum,uninit_bg", "tree", NODES),
    "not-64bit": ("512K", "-b 1024 -N 32 -O ^has_journal,^64bit,^resize_inode", "tree", NODES),
    "small-inodes": ("512K", "-b 1024 -N 32 -I 128 -O ^has_journal,^resize_inode", "tree", NODES),
    "large-inodes": ("512K", "-b 1024 -N 32 -I 1024 -O ^has_journal,^resize_inode", "tree", NODES + BLOCK_ATTRIBUTE),
    "ext2": ("512K", "-b 1024 -N 32 -O none", "tree", NODES[:3]),
    "block-map": ("1M", "-b 1024 -N 32 -O ^has_journal,^extent,^64bit,^resize_inode", "sparse", NODES[:3]),
    "groups": ("2M", "-b 1024 -g 256 -N 128 -O ^has_journal", "tree", NODES),
    "groups-no-flex": ("2M", "-b 1024 -g 256 -N 128 -O ^has_journal,^flex_bg", "tree", NODES),
    "meta-bg": ("2M", "-b 1024 -g 256 -N 128 -O ^has_journal,meta_bg,^resize_inode", "tree", NODES),
    "sparse-super2": ("1M", "-b 1024 -g 256 -N 64 -O ^has_journal,sparse_super2,^resize_inode", "tree", []),
    "csum-seed": ("512K", "-b 1024 -N 32 -O ^has_journal,metadata_csum_seed,^resize_inode", "tree", NODES),
    "deep-extents-1k": ("1M", "-b 1024 -N 32 -O ^has_journal,^resize_inode", "sparse", []),
    "extents-4k": ("2M", "-b 4096 -N 32 -O ^has_journal,^resize_inode", "sparse", UNWRITTEN),
    "hashed": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode", "names", []),
    "hashed-deep": ("1M", "-b 1024 -N 32 -O ^has_journal,^resize_inode", "many-names", []),
    "hashed-no-csum": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode,^metadata_csum", "names", []),
    "large-dir": ("1M", "-b 1024 -N 32 -O ^has_journal,^resize_inode,large_dir", "many-names", []),
    "linear": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode,^dir_index", "names", []),
    "orphans": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode", "tree", ORPHANS),
    "full": ("96K", "-b 1024 -N 32 -m 0 -O ^has_journal,^resize_inode", "tree", []),
    "orphan-file": ("9M", "-b 4096 -N 32 -O orphan_file,^resize_inode", "tree", []),
    "orphan-file-used-1k": ("4M", "-b 1024 -N 64 -O orphan_file,^resize_inode -E orphan_file_size=2", "tree", NODES),
    "orphan-file-used-4k": ("9M", "-b 4096 -N 32 -O orphan_file,^metadata_csum,^resize_inode -E orphan_file_size=1", "tree", NODES),
    "quota": ("2M", "-b 4096 -N 32 -O quota", "tree", []),
    "bigalloc": ("2M", "-b 1024 -C 4096 -N 32 -O bigalloc,^has_journal,^resize_inode", "tree", []),
    "inline-data": ("512K", "-b 1024 -N 32 -O inline_data,^has_journal,^resize_inode", "tree", []),
    "lists-1k": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode", "tree", NODES + LISTS),
    "lists-4k": ("2M", "-b 4096 -N 64", "tree", NODES + LISTS),
    "lists-small-inodes": ("512K", "-b 1024 -N 32 -I 128 -O ^has_journal,^resize_inode", "tree", LISTS),
    "journal": ("4M", "-b 1024 -N 64", "tree", NODES + JOURNAL),
    "journal-csum": ("4M", "-b 1024 -N 64", "tree", NODES + JOURNAL),
    "shared-1k": ("512K", "-b 1024 -N 32 -O ^has_journal,^resize_inode", "tree", NODES + BLOCK_ATTRIBUTE),
    "shared-4k": ("2M", "-b 4096 -N 64", "tree", NODES + BLOCK_ATTRIBUTE),
}


USERS_OF_ORPHAN_FILE = ("orphan-file-used-1k", "orphan-file-used-4k")
UNSOUND = ("orphans", "quota", *USERS_OF_ORPHAN_FILE)  # mke2fs -d does not count what it puts in for the quota
SHARERS = ("dir/f1", "dir/f3", "empty")  # of the attribute block of dir/f0, in the seeds whose names begin with "shared"


def run(*command, may_fail=False):
    done = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0 and not may_fail:
        sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stdout.decode(errors='replace')}")
    return done


def write_sparse(path, block, count):
    """COUNT blocks that each have a byte, every other one a hole."""
    with open(path, "wb") as f:
        for i in range(count):
            f.seek(2 * i * block)
            f.write(bytes([1 + i % 255]))
        f.truncate(2 * count * block)


def make_contents(kind, root, block):
    with open(f"{root}/hello", "w") as f:
        f.write("hello\n")
    if kind == "tree":
        os.makedirs(f"{root}/dir/sub/deep/deeper")
        for i in range(4):
            with open(f"{root}/dir/f{i}", "wb") as f:
                f.write(bytes([65 + i]) * (i * block // 2 + 10))
        os.link(f"{root}/hello", f"{root}/dir/hard")
        os.symlink("dir/f1", f"{root}/fast")
        os.symlink("../" * 30 + "hello", f"{root}/slow")
        os.symlink("loop", f"{root}/loop")
        os.mkdir(f"{root}/empty")
        write_sparse(f"{root}/holes", block, 6)
    elif kind == "sparse":
        os.mkdir(f"{root}/dir")
        write_sparse(f"{root}/dir/f1", block, 2)
        write_sparse(f"{root}/few", block, 12)
        write_sparse(f"{root}/many", block, 380 if block == 1024 else 350 // 4)
    else:
        os.mkdir(f"{root}/names")
        length, count = (40, 90) if kind == "names" else (230, 620)
        for i in range(count):
            os.link(f"{root}/hello", f"{root}/names/{'n' * length}{i}")


def word_of_stat(image, path, before):
    return run("debugfs", "-R", f"stat {path}", image).stdout.decode().split(before)[1].split()[0]


def access_list(users):
    """As user space writes it: the owner, USERS by number, the group, and with users a mask; others."""
    entries = [(0x01, 6, 0xFFFFFFFF), *((0x02, user % 8, 1000 + user) for user in range(users)), (0x04, 4, 0xFFFFFFFF)]
    entries += [(0x10, 7, 0xFFFFFFFF)] if users else []
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries + [(0x20, 0, 0xFFFFFFFF)])


def filled_in(image, commands, scratch):
    """Commands with the number of dir/f2 and the names of files that hold lists."""
    files = {}
    for name, users in (("own", 1), ("default", 2), ("long", 40)):
        files[name] = f"{scratch}/{name}"
        with open(files[name], "wb") as f:
            f.write(access_list(users))
    files["blocks"] = f"{scratch}/blocks"
    with open(files["blocks"], "wb") as f:
        f.write(struct.pack(">I", 0xC03B3998) + b"j" * 4092)
    files["version"] = " -c -v 3" if "csum" in os.path.basename(image) else ""
    number = word_of_stat(image, "dir/f2", "Inode:") if any("{f2}" in c for c in commands) else None
    return [c.format(f2=number, **files) for c in commands]


def share_attribute_block(image):
    """Others have the attribute block of dir/f0 too; e2fsck counts them."""
    block = word_of_stat(image, "dir/f0", "File ACL:")
    for path in SHARERS:
        run("debugfs", "-w", "-R", f"set_inode_field {path} file_acl {block}", image)
    run("e2fsck", "-fy", image, may_fail=True)


def fill_orphan_file(image, block):
    """Two files without a name and one with, in the first and the last slot and in one between; the checksum is the container's to put right."""
    numbers = [int(word_of_stat(image, path, "Inode:")) for path in ("dir/f1", "dir/f2", "holes")]
    for path in ("dir/f1", "dir/f2"):
        for command in UNLINKED:
            run("debugfs", "-w", "-R", command.format(path), image)
    run("debugfs", "-w", "-R", "feature orphan_present", image)
    place = int(run("debugfs", "-R", "bmap <12> 0", image).stdout.decode().split()[-1]) * block
    with open(image, "r+b") as f:
        for number, slot in zip(numbers, (0, block // 4 - 3, 7)):
            f.seek(place + 4 * slot)
            f.write(struct.pack("<I", number))


def make_image(image, size, options, kind, commands):
    words = options.split()
    features = FEATURES
    if "-O" in words:
        at = words.index("-O")
        features = words[at + 1] if words[at + 1] == "none" else f"{FEATURES},{words[at + 1]}"
        del words[at:at + 2]
    block = int(words[words.index("-b") + 1])
    with tempfile.TemporaryDirectory() as root:
        make_contents(kind, root, block)
        if "-I" not in words:
            words += ["-I", "256"]
        run("mke2fs", "-q", "-F", "-t", "ext4", "-O", features, "-E", f"hash_seed={UUID},lazy_itable_init=0,nodiscard,root_owner=0:0", "-U", UUID,
            *([] if "^has_journal" in features or features == "none" else ["-J", f"size={block // 1024}"]), "-d", root, *words, image, size)
    if "names" in kind:
        run("e2fsck", "-fyD", image, may_fail=True)
    if commands:
        with tempfile.TemporaryDirectory() as scratch:
            script = f"{scratch}/commands"
            with open(script, "w") as f:
                f.write("\n".join(filled_in(image, commands, scratch)) + "\n")
            run("debugfs", "-w", "-f", script, image)
    if os.path.basename(image).startswith("shared"):
        share_attribute_block(image)
    if os.path.basename(image).startswith("orphan-file-used"):
        fill_orphan_file(image, block)
    return run("e2fsck", "-fn", image, may_fail=True).returncode == 0


def main(tool, directory):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    chance = random.Random(4)
    for name, (size, options, kind, commands) in SEEDS.items():
        image = f"{directory}/{name}.image"
        sound = make_image(image, size, options, kind, commands)
        if not sound and name not in UNSOUND:
            sys.exit(f"{name}: e2fsck is not content with the image")
        for n in range(3):
            program = bytes(chance.randrange(1, 256) for _ in range((0, 60, 240)[n]))
            command = [tool, "pack", *(["--sound"] if sound else []), "--program", program, image, f"{directory}/{name}.{n}"]
            subprocess.run(command, check=True)
            if name in USERS_OF_ORPHAN_FILE:
                subprocess.run([tool, "repair", f"{directory}/{name}.{n}"], check=True)
        os.unlink(image)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
