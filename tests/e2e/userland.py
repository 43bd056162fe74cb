# SPDX-License-Identifier: Apache-2.0
"""An instance's own /etc, /run, /var/lib and host name, so that real DHCP clients with their real scripts configure it and not us."""

import subprocess

from lab.namespace import run

# /sys shows the interfaces of whoever mounts it.
SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
for directory in /run /var/lib/dhcp /var/lib/dhcpcd /tmp; do [ ! -d $directory ] || mount -t tmpfs tmpfs $directory; done
mount -t sysfs sysfs /sys
rm -f /etc/resolv.conf
echo 127.0.0.1 localhost >/etc/hosts
hostname localhost
echo ready
exec sleep 1000
"""


class Userland:
    def __init__(self, node):
        self.node = node

    def __enter__(self):
        self.holder = self.node.launch("unshare", "-m", "-u", "sh", "-c", SETUP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            raise RuntimeError(self.holder.stderr.read())
        self.launched = []
        return self

    def __exit__(self, kind, *_):
        try:
            for process in self.launched:
                process.terminate()
                said = process.communicate(timeout=20)[0]
                if kind:
                    print(f"---- {' '.join(process.args)} ----\n{said[-3000:]}")
        finally:
            # A client that is still there would be one of the next test's, too.
            for process in [*self.launched, self.holder]:
                process.kill()
                process.wait()

    def command(self, argv):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "-u", "-n", "--", *map(str, argv)]

    def run(self, *argv, check=True, **options):
        return run(*self.command(argv), check=check, timeout=options.pop("timeout", 60), **options)

    def launch(self, *argv):
        """Ends with the userland."""
        process = subprocess.Popen(self.command(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.launched.append(process)
        return process

    def read(self, path):
        return self.run("cat", path, check=False).stdout

    def write(self, path, text):
        self.run("tee", path, input=text)

    def hostname(self):
        return self.run("hostname").stdout.strip()
