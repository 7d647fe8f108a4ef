"""Locks: who waits says so, and what nobody can lock is not held."""

import errno
import fcntl
import io
import os
import threading

import pytest

from judgemerge.core import locks


def test_a_lock_is_waited_for_and_the_reason_is_told(tmp_path):
    path, said = tmp_path / "lock", io.StringIO()
    assert not locks.is_held(path)
    with open(path, "w") as first, open(path, "w") as second:
        locks.wait_for(first.fileno(), "not to be said", said)
        assert locks.is_held(path)
        waiting = threading.Thread(target=locks.wait_for, args=(second.fileno(), "waiting", said))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and said.getvalue() == "waiting\n"
        fcntl.flock(first, fcntl.LOCK_UN)
        waiting.join(10)
        assert not waiting.is_alive() and locks.is_held(path)
    assert not locks.is_held(path)


@pytest.mark.parametrize(("number", "held"), [(errno.ENOLCK, False), (errno.ENOSYS, False), (errno.EACCES, True)])
def test_what_a_file_system_says_of_locks(tmp_path, monkeypatch, number, held):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    (tmp_path / "lock").touch()
    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    assert locks.is_held(tmp_path / "lock") == held


def test_a_lock_that_may_not_be_read_is_held_by_nobody(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("builtins.open", refuse)
    assert not locks.is_held(tmp_path / "lock")
