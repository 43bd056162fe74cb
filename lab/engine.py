# SPDX-License-Identifier: Apache-2.0
"""Container engines from Debian, in nodes that are machines: Docker, containerd, Podman. Their containers run busybox. Where there is no
registry, `nginx:alpine` is busybox's web server, so that commands from documentation run as they are printed.
"""

import io
import itertools
import json
import pathlib
import tarfile

from lab.host import binary_path, build_directory
from lab.layout import LabError
from lab.namespace import Namespace, run
from lab.service import Names, Service
from lab.world import wait_until

BUSYBOX = pathlib.Path("/bin/busybox")
IMAGE = "nginx:alpine"
DOCKER = "/usr/bin/docker"  # Debian's, whatever else stands on the machine: its words are those of its dockerd
WEB_SERVER = ["httpd", "-f", "-h", "/www"]
ROOT_FILES = "/var/lib/rootfs"
PLUGIN = "viaduct-cni"
numbers = itertools.count(1)


def image_files(lab):
    """A tar file with the files of the image, made once a lab."""
    path = lab.directory / "image.tar"
    if not path.exists():
        with tarfile.open(path, "w") as tar:
            for folder in ("bin", "etc", "tmp", "root", "www", "dev", "proc", "sys", "run"):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            tar.add(BUSYBOX, "bin/busybox")
            for applet in run(BUSYBOX, "--list").stdout.split():
                if applet != "busybox":
                    entry = tarfile.TarInfo(f"bin/{applet}")
                    entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                    tar.addfile(entry)
            page = b"served by busybox\n"
            entry = tarfile.TarInfo("www/index.html")
            entry.size, entry.mode = len(page), 0o644
            tar.addfile(entry, io.BytesIO(page))
    return path


class ContainerNamespace(Namespace):
    """The network of a container, as long as its process lives."""

    def __init__(self, pid, title):
        super().__init__("", title)
        self.pid = pid

    @property
    def path(self):
        return pathlib.Path(f"/proc/{self.pid}/ns/net")


class Docker(Service):
    """dockerd, with the containerd that it starts itself. `docker …` in the node talks to it, as its socket lies where everybody's does.
    --init: an init in each container dies of SIGTERM, which busybox as process 1 does not: each stop would take 10 s.
    """

    name = "dockerd"

    def __init__(self, node, live_restore=False, arguments=()):
        super().__init__(node)
        self.live_restore, self.arguments, self.names = live_restore, arguments, Names(node)

    def command(self):
        return ["dockerd", "--storage-driver", storage_driver(), "--cgroup-parent", self.node.machine.control_group,
                "--init", *(["--live-restore"] if self.live_restore else []), *self.arguments]

    def start(self, wait=True):
        # One that was killed leaves these, and takes its containerd, dead and not yet reaped, for one that runs.
        self.node.run("rm", "-f", "/run/docker.pid", "/run/docker/containerd/containerd.pid")
        if not self.names.answers():
            self.names.start()
        super().start(wait)
        if wait:
            self.ensure_image()
        return self

    def answers(self):
        return self.attempt("version").returncode == 0

    def ensure_image(self, name=IMAGE):
        if self.attempt("image", "inspect", name).returncode:
            self.docker("import", "-c", f"CMD {json.dumps(WEB_SERVER)}", image_files(self.node.lab), name)

    def docker(self, *argv, check=True, **options):
        """docker …, what it printed"""
        return self.node.run(DOCKER, *argv, check=check, **options).stdout.strip()

    def attempt(self, *argv):
        """docker …, that may fail: the finished process."""
        return self.node.run(DOCKER, *argv, check=False)

    def exec(self, container, *argv, check=True, **options):
        """The finished process."""
        return self.node.run(DOCKER, "exec", container, *argv, check=check, **options)

    def inspect(self, *argv):
        return json.loads(self.docker("inspect", *argv))[0]

    def namespace(self, container):
        return ContainerNamespace(self.inspect(container)["State"]["Pid"], container)

    def address(self, container, network):
        return self.inspect(container)["NetworkSettings"]["Networks"][network]["IPAddress"]


class Containerd(Service):
    """containerd, and `ctr`. Networks lie in the machine's /etc/cni/net.d, plugins (Debian's, and ours) in its /opt/cni/bin."""

    name = "containerd"

    def __init__(self, node):
        super().__init__(node)
        self.running = {}  # name -> the ctr that runs it

    def command(self):
        return ["containerd"]

    def start(self, wait=True):
        install_plugin(self.node)
        return super().start(wait)

    def answers(self):
        return self.node.run("ctr", "version", check=False).returncode == 0

    def run(self, name, *argv):
        """`ctr run --cni`. It stays in the foreground: only so does ctr take the container off its networks (DEL) at the end."""
        log_path = self.directory / f"ctr.{name}.log"
        with open(log_path, "wb") as log:
            started = self.node.launch("ctr", "run", "--rm", "--cni", "--cgroup", f"{self.node.machine.control_group}/{name}", "--env",
                                       "PATH=/bin", "--rootfs", unpack(self.node), name, *program(argv or WEB_SERVER), stdout=log, stderr=log)
        self.running[name] = started
        wait_until(lambda: started.poll() is not None or self.is_up(name),
                   lambda: f"{name} of {self.node.title} runs: {log_path.read_text()}", 90)
        if started.returncode is not None:
            raise LabError(f"ctr run {name}: exit {started.returncode}: {log_path.read_text()}")

    def is_up(self, name):
        return any(line.split()[0] == name and line.split()[2] == "RUNNING"
                   for line in self.node.run("ctr", "task", "list").stdout.splitlines()[1:])

    def exec(self, name, *argv, check=True, **options):
        return self.node.run("ctr", "task", "exec", "--exec-id", f"e{next(numbers)}", name, *program(argv), check=check, **options)

    def remove(self, name):
        self.node.run("ctr", "task", "kill", "--signal", "SIGKILL", name)
        self.running.pop(name).wait(timeout=60)


class Podman:
    """No daemon. Networks are CNI's, in /etc/cni/net.d of the machine."""

    def __init__(self, node):
        self.node = node
        install_plugin(node)
        write(node, "/etc/containers/containers.conf",
              '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[network]\nnetwork_backend = "cni"\ncni_plugin_dirs = ["/opt/cni/bin"]\nnetwork_config_dir = "/etc/cni/net.d"\n'
              '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
        if node.run("podman", "image", "exists", IMAGE, check=False).returncode:
            self.podman("import", "-c", f"CMD {json.dumps(WEB_SERVER)}", image_files(node.lab), f"docker.io/library/{IMAGE}")

    def podman(self, *argv, check=True, **options):
        return self.node.run("podman", *argv, check=check, **options).stdout.strip()

    def run(self, name, network, *argv, check=True):
        return self.node.run("podman", "run", "-d", "--name", name, "--network", network, "--cap-add", "NET_RAW", "--cgroup-parent", self.node.machine.control_group,
                             f"docker.io/library/{IMAGE}", *argv, check=check)

    def exec(self, name, *argv, check=True, **options):
        return self.node.run("podman", "exec", name, *argv, check=check, **options)

    def remove(self, name):
        self.podman("rm", "-f", "-t", "0", name)


def storage_driver():
    return "overlay2" if "overlay" in pathlib.Path("/proc/filesystems").read_text().split() else "vfs"


def program(argv):
    """runc looks for it in the path of its own, not of the container."""
    return [argv[0] if "/" in argv[0] else f"/bin/{argv[0]}", *argv[1:]]


def install_plugin(node):
    """Ours, beside Debian's."""
    if (build_directory() / "cmd" / PLUGIN).exists():
        node.run("ln", "-sf", binary_path(PLUGIN), f"/opt/cni/bin/{PLUGIN}")


def unpack(node):
    """The image's files in a folder, for an engine that is given no image."""
    node.run("sh", "-c", '[ -d "$2" ] || { mkdir "$2" && tar -C "$2" -xf "$1"; }', "unpack", image_files(node.lab), ROOT_FILES)
    return ROOT_FILES


def write(node, path, text):
    """A file of the machine's."""
    node.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "write", path, input=text)


def network(node, name, configuration):
    """A network for CNI, as a person writes it into /etc/cni/net.d."""
    write(node, f"/etc/cni/net.d/{name}", json.dumps(configuration))
