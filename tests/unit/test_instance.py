"""Who a process is, to others: never the same twice, at home where its locked directory is."""

import shutil

from whatsapp_backend.adapters.instance import new_instance


def test_two_processes_of_one_name_are_two_instances():
    """An INSTANCE_ID that was copied with the env file must not make two owners of one account."""
    one, two = new_instance("web-1"), new_instance("web-1")
    assert one.id.startswith("web-1.") and two.id.startswith("web-1.")
    assert one.id != two.id and one.nonce != two.nonce


def test_without_a_locked_directory_there_is_no_home():
    """Nothing is known of the others, so nothing follows."""
    assert not new_instance("web-1").home


def test_home_is_the_directory_and_not_its_name_or_content(tmp_path):
    """A copy is another home; the same directory under another name is the same."""
    (tmp_path / "state").mkdir()
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("11111111-2222\n")
    home = new_instance("a", locked=tmp_path / "state", boot_id=boot_id).home
    assert home.startswith("11111111-2222:")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    assert new_instance("b", locked=tmp_path / "copy", boot_id=boot_id).home != home
    (tmp_path / "state").rename(tmp_path / "moved")
    assert new_instance("c", locked=tmp_path / "moved", boot_id=boot_id).home == home


def test_after_a_reboot_it_is_another_home(tmp_path):
    """Volumes of two machines may have the same numbers; two running kernels never have the same id."""
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("one")
    home = new_instance("a", locked=tmp_path, boot_id=boot_id).home
    boot_id.write_text("two")
    assert new_instance("a", locked=tmp_path, boot_id=boot_id).home != home
    assert not new_instance("a", locked=tmp_path, boot_id=tmp_path / "none").home
