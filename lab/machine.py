# SPDX-License-Identifier: Apache-2.0
"""A node as a machine of its own: besides the network, a /run, an /etc, a /var/lib and an /opt that no other node sees. Container engines
keep their sockets, locks, images and plugins there, so that several run side by side, and the machine's own are never touched.

A process that only waits holds the mount namespace. It lives in the node's network namespace, so it ends with the node, and with it
every mount that was made inside: overlays, bind mounts, pinned namespaces.
"""

import contextlib
import os
import pathlib
import signal
import subprocess

from lab.namespace import is_zombie, run
from lab.wait import wait_until

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# $1: the lab's directory, $2: the node's own, $3: nft or legacy. Other labs' mounts are let go of first: a copy of them would keep alive
# what is in them. All is kept in memory, in one file system called as the node's directory is: by that name its containers are found.
MOUNTS = """
set -e
awk '{ print $5 }' /proc/self/mountinfo | tac | while read -r mount; do
	case $mount in
	"$1"/*) ;;
	/run/viaduct-lab/*|/run/netns/*|/tmp/*|/var/tmp/*) umount -l "$mount" || true ;;
	esac
done
mkdir "$2/machine"
mount -t tmpfs -o mode=755 "$2/machine" "$2/machine"
cd "$2/machine"
mkdir -p ".${1#/run}" mount lock netns docker/plugins .machine/lib .machine/opt/cni/bin
touch xtables.lock
cp -a /etc .machine/etc
mount --bind "$1" ".${1#/run}"
mount --bind "$1/bpf" ".${1#/run}/bpf"
mount -n --move "$2/machine" /run
mount --bind /run/.machine/etc /etc
mount --bind /run/.machine/lib /var/lib
mount --bind /run/.machine/opt /opt
cd /
for folder in docker containerd containers cni redis; do mkdir "/var/lib/$folder"; done
ln -s /usr/lib/cni/* /opt/cni/bin
for name in iptables ip6tables; do # as update-alternatives does it
	for verb in "" -save -restore; do ln -sf "/usr/sbin/$name-$3$verb" "/etc/alternatives/$name$verb"; done
done
# Nothing of what was set up on the machine itself.
rm -rf /etc/cni/net.d /etc/docker /etc/resolv.conf
mkdir -p /etc/cni/net.d /etc/docker
echo nameserver 127.0.0.1 >/etc/resolv.conf
"""


class Machine:
    def __init__(self, node, lab, layout):
        """node: the Namespace that it makes a machine."""
        self.node, self.lab, self.layout = node, lab, layout
        self.directory = lab.directory / node.title
        self.pid_path = self.directory / "machine.pid"
        self.holder = None  # only when this Python started it

    @property
    def control_group(self):
        """The parent of its containers' groups: they go with the lab."""
        return f"/{self.node.name}"

    @property
    def pid(self):
        return int(self.pid_path.read_text())

    def build(self, run_directory):
        """run_directory: its viaductd's, found where everybody looks for it; None: it has none."""
        self.directory.mkdir(exist_ok=True)
        # Slave: what ends on the machine (another lab's namespace) ends here too; nothing of ours gets out.
        self.holder = subprocess.Popen([*self.node.command(["unshare", "--mount", "--propagation", "slave", "sleep", "infinity"])],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        # It becomes sleep once its mounts are its own, and not before: until then the script would unmount other labs for everybody.
        wait_until(lambda: pathlib.Path(f"/proc/{self.holder.pid}/cmdline").read_bytes().startswith(b"sleep\0"),
                   f"machine {self.node.title} has a mount namespace", step=0.005)
        self.pid_path.write_text(str(self.holder.pid))
        self.node.run("sh", "-c", MOUNTS, "machine", self.lab.directory, self.directory, self.layout.iptables)
        if run_directory:
            self.node.run("ln", "-s", run_directory, "/run/viaduct")

    def arguments(self):
        """Of nsenter. Until it stands, the node is no machine."""
        return [f"--mount=/proc/{self.pid}/ns/mnt"] if self.pid_path.exists() else []

    def show_namespace(self, namespace):
        """Its path holds inside the machine too, which has a /run/netns of its own."""
        # As it is (-c): the path behind the link is another file in there.
        with open(namespace.path) as opened:
            self.node.run("sh", "-c", 'touch "$1" && mount -c --bind "/proc/$2/fd/$3" "$1"', "show", namespace.path, os.getpid(), opened.fileno())


def kill_containers(directory):
    """Ends whoever still has a mount of the lab's directory in another mount namespace than ours: containers, in network namespaces of
    their own, outlive the engine that is killed.
    """
    own = os.readlink("/proc/self/ns/mnt")

    def all_are_gone():
        found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if mounts_of_lab(pid, own, directory)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    wait_until(all_are_gone, f"processes of {directory} end", step=0.02)


def mounts_of_lab(pid, own, directory):
    try:
        if os.readlink(f"/proc/{pid}/ns/mnt") == own or is_zombie(pid):
            return False
        # By what is mounted, not where: whoever copied our mounts while the lab stands has its folders, too.
        return any(line.split(" - ")[1].split()[1].startswith(f"{directory}/") for line in open(f"/proc/{pid}/mountinfo"))
    except OSError:
        return False


def remove_container_groups(start):
    """The control groups of the machines of a lab, whose names begin so. Who was in them is dead, but may not be reaped yet."""
    def all_are_gone():
        parents = [*CGROUPS.glob(f"{start}-*"), *CGROUPS.glob(f"*/{start}-*")]
        for parent in parents:
            run("find", parent, "-depth", "-type", "d", "-delete", check=False)
        return not parents

    wait_until(all_are_gone, f"control groups of {start} are free", step=0.02)
