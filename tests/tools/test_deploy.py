"""tools/deploy.sh activates a bundle that passes its self-test on the device, or changes nothing.

The device is this machine, reached through a loopback sshd that the test starts.
"""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from tests.helpers import ROOT, read_json, run

pytestmark = pytest.mark.slow

SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""
CLIENT = """
Host device
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""


def is_listening(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def ssh_config(tmp_path_factory):
    """An ssh configuration in which the host `device` is this machine."""
    sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
    if not (sshd and shutil.which("ssh-keygen")):
        pytest.skip("sshd is not installed (apt-get install openssh-server)")
    folder = tmp_path_factory.mktemp("ssh")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        names = {"port": free.getsockname()[1], "folder": folder, "user": getpass.getuser()}
    for key in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
    (folder / "server").write_text(SERVER.format(**names))
    (folder / "client").write_text(CLIENT.format(**names))
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", 0o755, exist_ok=True)  # noqa: PTH103
    server = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "server"], stderr=subprocess.PIPE)
    try:
        for _ in range(200):
            if is_listening(names["port"]):
                break
            if server.poll() is not None:
                pytest.skip(f"sshd does not start: {server.stderr.read().decode().strip()}")
            time.sleep(0.05)
        yield folder / "client"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--wheel-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def device(ssh_config, wheel, tmp_path_factory):
    """A function that deploys a bundle to a folder of the device."""
    folder = tmp_path_factory.mktemp("device") / "glovelite"
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables |= {"SSH": f"ssh -F {ssh_config}", "SCP": f"scp -F {ssh_config}"}

    def deploy(bundle, check=True, **more):
        command = (ROOT / "tools/deploy.sh", "device", bundle, wheel, folder)
        return run(*command, check=check, env={**variables, **more})

    deploy.folder = folder
    return deploy


@pytest.fixture
def next_bundle(float_bundle, bundle, tmp_path):
    """Another bundle with the same name."""
    return shutil.copytree(float_bundle, tmp_path / bundle.name)


def active_recipe(device, name):
    manifest = device.folder / "bundles" / name / "manifest.json"
    return read_json(manifest)["recipe"]


def test_dry_run_prints_commands_and_changes_nothing(device, bundle):
    said = device(bundle, DRY="1").stdout
    assert "+ ssh" in said
    assert "+ scp" in said
    assert "--self-test" in said
    assert not device.folder.exists()


def test_deploy_activates_a_bundle_and_keeps_the_previous_one(device, bundle, next_bundle):
    said = device(bundle).stdout
    assert "golden texts replayed" in said
    command = device.folder / "venv/bin/glovelite-run"
    assert "plant" in run(command, device.folder / "bundles" / bundle.name, "a tall tree").stdout
    assert device(bundle).returncode == 0  # deploying it again changes nothing
    assert not (device.folder / "bundles" / f"{bundle.name}.previous").exists()

    device(next_bundle)
    assert active_recipe(device, bundle.name) == "float32"
    assert active_recipe(device, f"{bundle.name}.previous") == "dynamic"
    bundles = device.folder / "bundles"
    run("mv", "-T", bundles / f"{bundle.name}.previous", bundles / bundle.name)
    assert active_recipe(device, bundle.name) == "dynamic"


def test_deploy_changes_nothing_if_the_self_test_fails(device, bundle, next_bundle):
    device(bundle)
    manifest = read_json(next_bundle / "manifest.json")
    manifest["goldens"][0]["probabilities"].reverse()
    (next_bundle / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    before = sorted((device.folder / "bundles").iterdir())
    done = device(next_bundle, check=False)
    assert done.returncode == 1
    assert "the self-test failed; the active bundle and environment are unchanged" in done.stderr
    assert sorted((device.folder / "bundles").iterdir()) == before
    assert active_recipe(device, bundle.name) == "dynamic"


def test_deploy_keeps_bundles_whose_names_share_a_prefix(device, bundle, next_bundle, tmp_path):
    longer = shutil.copytree(bundle, tmp_path / f"{bundle.name}-2")
    device(longer)
    device(next_bundle)
    device(bundle)
    assert active_recipe(device, longer.name) == "dynamic"
    names = {path.name.partition("@")[0] for path in (device.folder / "bundles").iterdir()}
    links = {bundle.name, f"{bundle.name}.previous", longer.name}
    assert names == {*links, f".{bundle.name}", f".{longer.name}"}


def test_deploy_writes_a_unit_that_serves_the_active_bundle(device, bundle):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = device(bundle, SERVE=str(port)).stdout
    unit = device.folder / f"glovelite-{bundle.name}.service"
    assert said.splitlines()[-2:] == [
        f"  sudo cp {unit} /etc/systemd/system/",
        f"  sudo systemctl enable --now glovelite-{bundle.name}",
    ]
    if shutil.which("systemd-analyze"):
        assert run("systemd-analyze", "verify", unit).stderr == ""
    lines = unit.read_text("utf-8").splitlines()
    assert f"User={getpass.getuser()}" in lines
    (start,) = (line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart="))
    with subprocess.Popen(start.split(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert f"serving {device.folder}/bundles/{bundle.name}" in server.stdout.readline()
            assert is_listening(port)
        finally:
            server.terminate()
    device(bundle)  # the environment of a bundle that is served keeps what it needs
    run(device.folder / "venv/bin/python", "-c", "import h11")


@pytest.mark.parametrize(
    ("host", "name", "message"),
    [("-oProxyCommand=x", "dynamic", "HOST must be"), ("device", "none", "is not a bundle")],
)
def test_deploy_reports_wrong_arguments_in_one_line(bundle, wheel, host, name, message):
    done = run(
        ROOT / "tools/deploy.sh",
        host,
        (bundle if name == "dynamic" else bundle.parent / name),
        wheel,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
