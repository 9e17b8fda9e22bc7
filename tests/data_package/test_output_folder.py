"""Output folders and files: their locks, and what killed processes and full disks leave behind."""

import os
import subprocess
import sys

import pytest

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.runtime.errors import OutputError
from glovelite.runtime.files.output import (
    LockHeldError,
    atomic_file,
    hold_lock,
    locked_folder,
    remove_leftovers,
)
from tests.helpers import ROOT

HOLD = (
    "from glovelite.runtime.files.output import *; from glovelite.data.output_folder import *\n{}\n"
)
WAIT = "print('ready', flush=True); import time; time.sleep(100)"


@pytest.fixture
def start():
    """A function that runs code in a process until it waits, and returns the process."""
    processes = []

    def call(code):
        command = [sys.executable, "-c", HOLD.format(code.replace("WAIT", WAIT))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield call
    for process in processes:
        process.kill()
        process.communicate()


def kill(process):
    process.kill()
    process.wait()


def reserve(target, overwrite=False):
    return reserve_output_folder(target, overwrite, "marker", frozenset({"marker", "more"}))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_lock_is_refused_to_others_and_names_its_process(tmp_path, start):
    process = start(f"with hold_lock(Path({str(tmp_path / 'lock')!r})): WAIT")
    with pytest.raises(LockHeldError, match=f"process {process.pid}"), hold_lock(tmp_path / "lock"):
        pass
    kill(process)
    with hold_lock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    assert names(tmp_path) == []


def test_a_lock_can_be_waited_for(tmp_path, start):
    process = start(f"with hold_lock(Path({str(tmp_path / 'lock')!r})): WAIT")
    waited = []

    def wait(holder):
        waited.append(holder)
        process.kill()

    with hold_lock(tmp_path / "lock", wait):
        assert waited == [f"process {process.pid}"]


def test_a_lock_is_refused_to_another_thread(tmp_path):
    with (
        hold_lock(tmp_path / "lock"),
        pytest.raises(LockHeldError),
        hold_lock(tmp_path / "lock"),
    ):
        pass


def test_a_folder_of_a_running_process_stays_and_that_of_a_dead_one_is_removed(tmp_path, start):
    process = start(
        f"with locked_folder(Path({str(tmp_path)!r}), 'x-') as f: (f / 'a').touch(); WAIT"
    )
    (tmp_path / "x-others").mkdir()  # of another length
    (tmp_path / "x-a").write_text("a file")
    remove_leftovers(tmp_path, "x-")
    assert len(names(tmp_path)) == 3
    kill(process)
    with locked_folder(tmp_path, "x-") as folder:
        assert names(tmp_path) == sorted([folder.name, "x-a", "x-others"])
    assert names(tmp_path) == ["x-a", "x-others"]


def test_a_leftover_of_another_name_and_a_link_stay(tmp_path):
    (tmp_path / "x-12345678").symlink_to(tmp_path / "mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "y-12345678").mkdir()
    remove_leftovers(tmp_path, "x-")
    assert names(tmp_path) == ["mine", "x-12345678", "y-12345678"]


def test_two_processes_cannot_write_one_output_folder(tmp_path, start):
    target = tmp_path / "run"
    process = start(f"with reserve_output_folder(Path({str(target)!r}), 0, '', frozenset()): WAIT")
    message = f"{target} is being written by process {process.pid}: wait"
    with pytest.raises(OutputError, match=message), reserve(target):
        pass
    with reserve(tmp_path / "other"):
        pass
    kill(process)
    with reserve(target):
        pass
    assert names(tmp_path) == []


def test_a_folder_that_a_killed_process_was_writing_is_removed(tmp_path, start):
    target = tmp_path / "run"
    kill(start(f"with atomic_folder(Path({str(target)!r}), 0) as f: (f / 'marker').touch(); WAIT"))
    assert len(names(tmp_path)) == 1
    with reserve(target):
        assert names(tmp_path) == [".run.lock"]


def write(target, content, overwrite=False):
    with atomic_folder(target, overwrite) as folder:
        (folder / "marker").write_text(content)


def killed_while_replacing(target, before):
    """Return code that is killed before it renames a path that ends so."""
    return (
        f"rename = Path.rename\n"
        f"def wait(self, to):\n"
        f"    if str(to).endswith({before!r}): {WAIT}\n"
        f"    rename(self, to)\n"
        f"Path.rename = wait\n"
        f"with atomic_folder(Path({str(target)!r}), True) as f: (f / 'marker').write_text('new')"
    )


def test_a_folder_that_a_killed_process_was_replacing_is_put_back(tmp_path, start):
    target = tmp_path / "run"
    write(target, "old")
    kill(start(killed_while_replacing(target, str(target))))
    assert "run" in names(tmp_path) or not target.exists()
    with reserve(target, overwrite=True):
        assert (target / "marker").read_text() == "old"
        assert names(tmp_path) == [".run.lock", "run"]


def test_a_folder_that_cannot_be_put_in_place_keeps_the_old_one(tmp_path):
    target = tmp_path / "run"
    write(target, "old")
    with pytest.raises(OutputError, match="run not written"), atomic_folder(target, True) as folder:
        folder.rmdir()
    assert (target / "marker").read_text() == "old"
    assert names(tmp_path) == ["run"]
    write(target, "new", overwrite=True)
    assert (target / "marker").read_text() == "new"
    assert names(tmp_path) == ["run"]


def test_a_file_that_fails_keeps_the_old_one(tmp_path):
    path = tmp_path / "state"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as file:
        file.write(bytes(1 // 0))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["state"]


def save_with_h5py(file):
    import h5py
    import numpy as np

    with h5py.File(file, "w") as content:
        content["x"] = np.random.default_rng(0).random(1_000_000)


def save_with_keras(file):
    import keras

    model = keras.Sequential([keras.layers.Input((1000,)), keras.layers.Dense(1000)])
    model.save(file.with_suffix(".keras"))


def save_with_numpy(file):
    import numpy as np

    np.savez(file, x=np.zeros(1_000_000))


def save_plot(file):
    from matplotlib.figure import Figure

    file.with_name("filler").write_bytes(bytes(900_000))
    figure = Figure(figsize=(30, 30))
    figure.subplots().imshow(__import__("numpy").random.default_rng(0).random((900, 900)))
    figure.savefig(file.with_suffix(".png"))


def save_text(file):
    file.write_text("x" * 2_000_000)


@pytest.mark.parametrize(
    "save", [save_text, save_with_numpy, save_with_h5py, save_with_keras, save_plot]
)
def test_a_full_disk_is_one_line_with_the_path(full_disk, save):
    target = full_disk / "run"
    write(target, "old")
    with pytest.raises(OutputError) as error, atomic_folder(target, True) as folder:
        save(folder / "file")
    message = str(error.value)
    assert message.startswith(f"{target} not written: ")
    assert "No space left on device" in message
    assert "\n" not in message
    assert names(full_disk) == ["run"]
    assert (target / "marker").read_text() == "old"


def test_a_full_disk_keeps_the_old_file(full_disk):
    path = full_disk / "state"
    path.write_bytes(b"old")
    expected = f"{path} not written: No space left on device"
    with pytest.raises(OutputError, match=expected), atomic_file(path) as file:
        file.write(bytes(2_000_000))
    assert names(full_disk) == ["state"]
    assert path.read_bytes() == b"old"
