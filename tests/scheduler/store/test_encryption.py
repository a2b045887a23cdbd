"""Secrets at rest are encrypted where the installation has a key."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from scheduler.errors import SchedulerConfigurationException, SecretUnreadable
from scheduler.store.encryption import FILE_VARIABLE, KEY_VARIABLE, resealed, seal, unseal


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for variable in (KEY_VARIABLE, FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def use(monkeypatch):
    """Have these keys from now on."""
    return lambda *keys: monkeypatch.setenv(KEY_VARIABLE, "\n".join(keys))


def new_key():
    return Fernet.generate_key().decode()


def test_a_secret_is_encrypted_with_a_key_and_kept_as_it_is_without(use):
    assert seal("open sesame") == "open sesame"
    use(new_key())
    stored = seal("open sesame")
    assert b"sesame" not in stored
    assert unseal(stored) == "open sesame"
    assert unseal("as it is") == "as it is"


def test_the_key_may_stand_in_a_file(monkeypatch, tmp_path):
    file = tmp_path / "key"
    file.write_text(new_key() + "\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    assert unseal(seal("open sesame")) == "open sesame"
    file.unlink()
    with pytest.raises(SchedulerConfigurationException, match=str(file)):
        seal("open sesame")


def test_a_secret_without_its_key_is_told(use, monkeypatch):
    use(new_key())
    stored = seal("open sesame")
    use(new_key())
    with pytest.raises(SecretUnreadable, match="another key"):
        unseal(stored)
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(SecretUnreadable, match=FILE_VARIABLE):
        unseal(stored)


def test_a_key_is_replaced_by_one_before_it(use):
    old, new = new_key(), new_key()
    assert resealed("plain") == "plain"
    use(old)
    stored = resealed("plain")
    assert resealed(stored) is stored
    use(new, old)
    again = resealed(stored)
    use(new)
    assert unseal(again) == "plain"


def test_a_text_that_is_no_key_is_refused_and_not_shown(use):
    use("no-key-at-all")
    with pytest.raises(SchedulerConfigurationException) as refused:
        seal("open sesame")
    assert "no-key-at-all" not in str(refused.value)
