"""A root folder such as slim container images have: Python and the packages, and nothing else of this machine.

No compiler, no shell, no home; nothing can be written but in /tmp; and where the caller is root, the program is not.
The mounts are those of a namespace of the program, and go with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

# Nobody, as most systems count.
USER = 65534
ARTIFACT, WHEEL, PACKAGES = "/artifact", "/wheel", "/packages"
_SCRIPT = """set -eu
root=$1; user=$2; prefix=$3; packages=$4; wheel=$5; artifact=$6; shift 6
mount -t tmpfs -o mode=755 slim "$root"
bind() {
    mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    mount -o remount,bind,ro "$root$2" 2>/dev/null || test "$2" = /dev -o "$2" = /proc -o "$2" = /sys
}
for folder in /lib /lib32 /lib64; do
    if [ -L $folder ]; then cp -P $folder "$root$folder"; elif [ -d $folder ]; then bind $folder $folder; fi
done
for folder in /usr/lib /usr/lib64; do if [ -d $folder ]; then bind $folder $folder; fi; done
for folder in /proc /sys /dev; do bind $folder $folder; done
bind "$prefix" "$prefix"; bind "$packages" /packages; bind "$wheel" /wheel; bind "$artifact" /artifact
mkdir -p "$root/etc" "$root/tmp"
echo "leanformer:x:$user:$user::/nonexistent:/nonexistent" > "$root/etc/passwd"
mount -t tmpfs -o mode=1777 scratch "$root/tmp"
mount -o remount,ro "$root"
if [ "$user" = 0 ]; then as=; else as=--userspec=$user:$user; fi
exec env -i PATH="$prefix/bin" LD_LIBRARY_PATH="$prefix/lib" PYTHONPATH=/wheel:/packages PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1 "$(command -v chroot)" $as "$root" "$@"
"""


def slim_root(folder: Path, wheel: Path, artifact: Path) -> list[str]:
    """The command before `python ...` arguments that runs them in such a root, mounted on the empty `folder`.

    Args:
        wheel: folder with an unpacked wheel of Leanformer, in the root as `WHEEL`.
        artifact: folder, in the root as `ARTIFACT`.
    """
    user, prefix = (USER, ["unshare", "-m"]) if os.geteuid() == 0 else (0, ["unshare", "-rm"])
    python = Path(sys.base_prefix)
    program = python / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = (folder, user, python, sysconfig.get_path("purelib"), wheel, artifact)
    return [*prefix, "sh", "-c", _SCRIPT, "slim", *map(str, places), str(program)]


def can_isolate() -> bool:
    """Whether this system lets us mount in a namespace of our own."""
    if not all(shutil.which(program) for program in ("unshare", "chroot", "mount")):
        return False
    prefix = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    trial = "mount -t tmpfs trial /mnt && chroot / true"
    return subprocess.run([*prefix, "sh", "-c", trial], capture_output=True, check=False).returncode == 0
