"""One cache for sdw and huggingface_hub: each downloads from the fake hub, and reads, resumes and reuses what the other
left. Arguments: the program sdw, the program fake_hub, a work folder (emptied). SDW_PEERS_DIFFUSERS names a python that
has torch and diffusers; then diffusers also loads what sdw fetched. Prints a line per check; exit code 1 if one fails."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

sdw, fake_hub, work = (os.path.abspath(a) for a in sys.argv[1:4])
os.environ.update(HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", HOME=work)
for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    os.environ.pop(name, None)
import huggingface_hub  # noqa: E402 - reads the environment when it is imported

failures = 0
ID = "org/tiny"
FOLDER = "models--org--tiny"
UNET = "unet/diffusion_pytorch_model.safetensors"


def check(what, good, detail=""):
    global failures
    failures += not good
    print(("ok    " if good else "FAIL  ") + what + (f": {detail}" if detail != "" and not good else ""), flush=True)


class Hub:
    """The fake hub as a process; its log tells what was asked."""

    def __init__(self, *options):
        self.process = subprocess.Popen([fake_hub, *options, os.path.join(work, "hub")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.files = self.process.stdout.readline().strip()
        self.seen = 0

    def log(self):
        """Lines since the last call."""
        text = urllib.request.urlopen(self.url + "/fake/log").read().decode()
        lines = [line.split(" ", 4) for line in text.splitlines()]
        new, self.seen = lines[self.seen:], len(lines)
        return new

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def fetched(log):
    return sum(int(line[3]) for line in log if line[0] == "files")


def environment(hub, cache, **more):
    return dict(os.environ, HF_ENDPOINT=hub.url, HF_HUB_CACHE=cache, **more)


def run_sdw(hub, cache, *arguments, **more):
    return subprocess.run([sdw, *arguments], env=environment(hub, cache, **more), capture_output=True, text=True)


PULL = """
import sys, huggingface_hub
print(huggingface_hub.snapshot_download(sys.argv[1], ignore_patterns=["*.bin"], local_files_only=len(sys.argv) > 2))
"""


def python_pull(hub, cache, *arguments, **more):
    return subprocess.run([sys.executable, "-c", PULL, ID, *arguments], env=environment(hub, cache, **more), capture_output=True, text=True)


def start(command, hub, cache):
    return subprocess.Popen(command, env=environment(hub, cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def blobs(cache):
    folder = os.path.join(cache, FOLDER, "blobs")
    found = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        try:
            found[name] = os.path.getsize(os.path.join(folder, name))
        except FileNotFoundError:
            pass  # renamed meanwhile
    return found


def partial(cache):
    """The largest unfinished file."""
    return max((size for name, size in blobs(cache).items() if name.endswith(".incomplete")), default=0)


def wait_for(cache, size, process):
    while partial(cache) < size and process.poll() is None:
        time.sleep(0.002)
    return process.poll() is None


def blobs_are_right(cache):
    """Every blob has the hash that is its name."""
    import hashlib
    for name, size in blobs(cache).items():
        data = open(os.path.join(cache, FOLDER, "blobs", name), "rb").read()
        good = hashlib.sha256(data).hexdigest() if len(name) == 64 else hashlib.sha1(b"blob %d\0" % size + data).hexdigest()
        if not name.endswith(".incomplete") and name != good:
            return False
    return True


def shape(cache):
    """Refs, links and marks: what both programs must leave alike."""
    found = {}
    for root, _, files in os.walk(os.path.join(cache, FOLDER)):
        for name in files:
            path = os.path.join(root, name)
            within = os.path.relpath(path, os.path.join(cache, FOLDER))
            if within.split(os.sep)[0] in ("refs", "snapshots"):
                found[within] = os.readlink(path) if os.path.islink(path) else open(path).read()
    return found


def tree(cache):
    folder = os.path.join(cache, FOLDER, "trees")
    return {n: json.load(open(os.path.join(folder, n))) for n in sorted(os.listdir(folder))} if os.path.isdir(folder) else {}


def one_after_the_other(hub):
    ours, theirs = os.path.join(work, "ours"), os.path.join(work, "theirs")
    r = run_sdw(hub, ours, "pull", ID)
    check("sdw fetches", r.returncode == 0, r.stderr)
    hub.log()
    r = python_pull(hub, theirs)
    check("python fetches", r.returncode == 0, r.stderr)
    hub.log()

    wanted = {k: v for k, v in shape(theirs).items() if not k.endswith("README.md")}
    check("both leave the same refs and links", shape(ours) == wanted, set(shape(ours).items()) ^ set(wanted.items()))
    if tree(theirs):
        check("both leave the same listing", tree(ours) == tree(theirs), (tree(ours), tree(theirs)))

    r = run_sdw(hub, theirs, "pull", ID)
    check("sdw uses what python fetched", r.returncode == 0 and fetched(hub.log()) == 0, r.stderr)
    r = run_sdw(hub, theirs, "info", ID, HF_HUB_OFFLINE="1")
    check("sdw opens it offline", r.returncode == 0 and not hub.log(), r.stderr)
    shutil.rmtree(os.path.join(theirs, FOLDER, "trees"), ignore_errors=True)
    r = run_sdw(hub, theirs, "info", ID, HF_HUB_OFFLINE="1")
    check("sdw opens it offline without a listing", r.returncode == 0, r.stderr)

    r = python_pull(hub, ours)
    log = hub.log()
    check("python uses what sdw fetched", r.returncode == 0 and fetched(log) == 0, r.stderr)
    r = python_pull(hub, ours, "offline", HF_HUB_OFFLINE="1")
    check("python opens it offline", r.returncode == 0 and FOLDER in r.stdout, r.stderr)
    info = huggingface_hub.scan_cache_dir(ours)
    check("python's scan finds nothing odd", not info.warnings and [x.repo_id for x in info.repos] == [ID], info.warnings)


def marks_of_absence(hub):
    cache = os.path.join(work, "absent")
    r = run_sdw(hub, cache, "pull", ID, "--file", "none.json")
    found = huggingface_hub.try_to_load_from_cache(ID, "none.json", cache_dir=cache, revision=next(iter(os.listdir(os.path.join(cache, FOLDER, ".no_exist"))), None))
    check("python knows what sdw found absent", r.returncode == 1 and found is huggingface_hub._CACHED_NO_EXIST, found)


def kill_and_continue(hub):
    cache = os.path.join(work, "killed")
    process = start([sdw, "pull", ID], hub, cache)
    check("sdw is stopped in the middle", wait_for(cache, 2_000_000, process))
    process.send_signal(signal.SIGKILL)
    process.wait()
    r = python_pull(hub, cache)
    check("python finishes what sdw began", r.returncode == 0 and blobs_are_right(cache), r.stderr)
    hub.log()
    r = run_sdw(hub, cache, "pull", ID)
    check("sdw uses that", r.returncode == 0 and fetched(hub.log()) == 0, r.stderr)

    cache = os.path.join(work, "killed2")
    process = start([sys.executable, "-c", PULL, ID], hub, cache)
    check("python is stopped in the middle", wait_for(cache, 2_000_000, process))
    process.send_signal(signal.SIGKILL)
    process.wait()
    r = run_sdw(hub, cache, "pull", ID)
    check("sdw finishes what python began", r.returncode == 0 and blobs_are_right(cache), r.stderr)
    hub.log()
    r = python_pull(hub, cache)
    check("python uses that", r.returncode == 0 and fetched(hub.log()) == 0, r.stderr)


def side_by_side(hub):
    size = os.path.getsize(os.path.join(work, "hub", ID, UNET))
    for first in ("sdw", "python"):
        cache = os.path.join(work, "both-" + first)
        commands = {"sdw": [sdw, "pull", ID], "python": [sys.executable, "-c", PULL, ID]}
        hub.log()
        one = start(commands.pop(first), hub, cache)
        wait_for(cache, 1_000_000, one)
        two = start(next(iter(commands.values())), hub, cache)
        codes = one.wait(), two.wait()
        sent = sum(int(line[3]) for line in hub.log() if line[0] == "files" and int(line[3]) > size // 2)
        check(f"{first} first, the other waits", codes == (0, 0) and sent == size and blobs_are_right(cache), (codes, sent, size, one.stderr.read(), two.stderr.read()))


LOAD = """
import sys, diffusers
p = diffusers.DiffusionPipeline.from_pretrained(sys.argv[1], cache_dir=sys.argv[2], local_files_only=True)
print(type(p).__name__, sum(x.numel() for x in p.unet.parameters()))
"""


def diffusers_loads(hub):
    python = os.environ.get("SDW_PEERS_DIFFUSERS")
    if not python:
        print("skip  diffusers loads what sdw fetched: SDW_PEERS_DIFFUSERS names no python with diffusers")
        return
    cache = os.path.join(work, "ours")
    r = subprocess.run([python, "-c", LOAD, ID, cache], env=environment(hub, cache, HF_HUB_OFFLINE="1"), capture_output=True, text=True)
    check("diffusers loads what sdw fetched", r.returncode == 0 and "StableDiffusionPipeline" in r.stdout, r.stderr[-2000:])


def main():
    print("huggingface_hub", huggingface_hub.__version__)
    hub = Hub()
    one_after_the_other(hub)
    marks_of_absence(hub)
    diffusers_loads(hub)
    hub.close()
    slow = Hub("--slow", "2")
    kill_and_continue(slow)
    side_by_side(slow)
    slow.close()
    return 1 if failures else 0


sys.exit(main())
