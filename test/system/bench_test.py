"""The ruler itself: the bench's generator and sink agree on what was sent, a run with a fault in it fails, and hosting is
measured to the end."""

import os
import subprocess
from pathlib import Path

import pytest
from nested import start

from bench import account, rows, tools
from lab import world

ADDRESS = "127.0.77.1:2577"


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = Path(os.environ.get("KEDGE_BUILD", "build")).resolve()
    tools.build(folder, [])
    return tools.Tools(folder, tmp_path_factory.mktemp("bench"))


@pytest.fixture
def sink(kit):
    certificate, key = tools.make_certificate(kit.work)
    log = kit.work / "taken"
    log.write_bytes(b"")
    server = kit.spawn("smtpsink", "-C", certificate, "-K", key, "-o", log, ADDRESS)
    assert server.stdout.readline() == "ready\n"
    yield log
    server.terminate()
    server.communicate(timeout=10)


@pytest.mark.parametrize("options, how", [([], "tls"), (["-n", 10], "tls"), (["-n", 7, "-l"], "tls"), (["-p", "-n", 3], "plain")])
def test_every_acknowledged_message_was_taken_once(kit, sink, options, how):
    acked = kit.work / "acked"
    done = kit.run("smtpload", "-c", 4, "-m", 40, "-s", 20000, "-a", acked, *options, ADDRESS)
    assert (done["acked"], done["failed"], done["doubt"]) == (40, 0, 0)
    taken = [line.split() for line in sink.read_text().splitlines()]
    assert sorted(number for number, _ in taken) == sorted(acked.read_text().split())
    assert {kind for _, kind in taken} == {how}


def test_idle_sessions_are_held_and_alive(kit, sink):
    load = kit.spawn("smtpload", "-I", 30, "-c", 3, ADDRESS, stdin=subprocess.PIPE)
    assert load.stdout.readline() == "held=30 failed=0\n"
    assert load.communicate(timeout=20)[0] == "alive=30\n"
    assert load.returncode == 0


def test_no_server_is_a_failure(kit):
    with pytest.raises(tools.Failed):
        kit.run("smtpload", "-m", 2, "127.0.77.1:2578")


@pytest.mark.parametrize("acked, taken, wrong", [
    ({"a-1", "a-2"}, [["a-1", "tls"]], "1 acknowledged messages lost"),
    ({"a-1"}, [["a-1", "tls"], ["a-1", "tls"]], "1 doubled"),
    ({"a-1"}, [["a-1", "plain"]], "without TLS"),
    ({"a-1"}, [["a-1", "tls"], ["impostor-0", "tls"]], "does not promise"),
])
def test_a_fault_ends_the_run(acked, taken, wrong):
    with pytest.raises(tools.Failed, match=wrong):
        rows.compare(acked, taken)


def test_time_of_children_that_have_ended_is_counted():
    burn = "import time; e = time.process_time() + 0.3\nwhile time.process_time() < e: pass"
    script = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}]); print('.', flush=True); time.sleep(60)"
    parent = subprocess.Popen(["/usr/bin/python3", "-c", script], stdout=subprocess.PIPE)
    try:
        parent.stdout.read(1)
        assert len(account.descendants([parent.pid])) == 1
        assert 0.3 <= account.cpu_seconds([parent.pid]) < 1.5
    finally:
        parent.kill()
        parent.wait()


def test_memory_is_that_of_the_tree():
    grow = "x = bytearray(b'x') * (64 << 20); print('.', flush=True); import time; time.sleep(60)"
    child = subprocess.Popen(["/usr/bin/python3", "-c", grow], stdout=subprocess.PIPE)
    try:
        child.stdout.read(1)
        assert 64 << 10 <= account.memory_kb([child.pid]) < 128 << 10
    finally:
        child.kill()
        child.wait()


def test_hosting_is_measured_to_the_end(build):
    """Few domains show that every row is there, not what it costs. The run itself proves that all of them were protected,
    that every edge shows the new key, and that the old one is nowhere."""
    bench = start("bench/hosting", "--build", build, "--domains", 400, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = bench.communicate(timeout=600)
    assert bench.returncode == 0, said
    figures = {word: line.split() for line in said.splitlines() if line.startswith("RESULT ") for word in line.split()[1:2]}
    for row in ("add", "provision", "change", "rollover", "withdrawal", "reconcile", "directory", "lookup", "status", "peak-control"):
        values = tools.pairs(" ".join(word for word in figures[f"name=hosting-{row}"] if word.startswith("kedge=")))
        assert values["kedge"] > 0, said


def test_a_look_up_that_finds_nothing_is_no_measurement(kit, running_edge):
    directory = running_edge.folder / "data" / "directory"
    found = kit.run("lookup", "-n", 1000, directory, stdin="ours.example\nsecond.example\n")
    assert found["names"] == 2 and found["directory_us"] > 0 and found["lmdb_us"] > 0
    with pytest.raises(tools.Failed, match="nobody.example is not in the directory"):
        kit.run("lookup", "-n", 1000, directory, stdin="nobody.example\n")


def test_every_question_of_the_floor_is_answered(kit, world_lab):
    where = ["-r", f"{world.RESOLVER}:{world_lab.dns_port}", "-d", f"{world.ZONE_SERVER}:{world_lab.dns_port}"]
    done = kit.run("dnsask", "-w", 4, *where, "-m", where[-1], stdin="dane.example mx.dane.example\n" * 50)
    assert (done["domains"], done["questions"]) == (50, 50 * (9 + 1 + 4))
    with pytest.raises(tools.Failed, match="without an answer"):
        kit.run("dnsask", *where, "-m", "127.0.77.9:53", stdin="dane.example mx.dane.example\n")
