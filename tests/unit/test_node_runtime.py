"""Finding Node, and making a folder that it can run the bridge from."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from whatsapp_backend.adapters.node_runtime import node_home
from whatsapp_backend.errors import NodeMissing, NodeModulesMissing

NPM_OK = """
env > "$npm_config_cache.env"
echo "$@" > "$npm_config_cache.args"
echo run >> "$npm_config_cache.runs"
mkdir -p node_modules && echo '{}' > node_modules/.package-lock.json
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "package" / "node"
    (folder / "bridge").mkdir(parents=True)
    (folder / "bridge" / "main.js").write_text("// the bridge\n")
    (folder / "package-lock.json").write_text("{}\n")
    return folder


@pytest.fixture
def programs(tmp_path: Path):
    """Puts programs on a PATH of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(**scripts: str) -> dict[str, str]:
        for name, script in scripts.items():
            program = folder / name
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        return {"PATH": f"{folder}:/usr/bin:/bin" if "npm" in scripts else str(folder), "HOME": str(tmp_path)}

    return put


async def test_a_checkout_with_its_modules_is_used_as_it_is(tmp_path, source, programs):
    (source / "node_modules").mkdir()
    (source / "node_modules" / ".package-lock.json").write_text("{}")
    home = await node_home(tmp_path / "cache", source=source, environ=programs(node="echo v20.1.0"))
    assert home.folder == source
    assert home.node == tmp_path / "bin" / "node"
    assert not (tmp_path / "cache").exists()


async def test_modules_that_npm_did_not_finish_are_not_used(tmp_path, source, programs):
    (source / "node_modules" / "half").mkdir(parents=True)
    home = await node_home(tmp_path / "cache", source=source, environ=programs(node="echo v22.0.0", npm=NPM_OK))
    assert home.folder.parent == tmp_path / "cache"
    assert not (home.folder / "node_modules" / "half").exists()


async def test_a_wheel_gets_a_copy_in_the_cache_once(tmp_path, source, programs):
    environ = programs(node="echo v20.1.0", npm=NPM_OK)
    first = await node_home(tmp_path / "cache", source=source, environ=environ)
    second = await node_home(tmp_path / "cache", source=source, environ=environ)
    assert first == second
    assert (first.folder / "bridge" / "main.js").read_text() == "// the bridge\n"
    assert (first.folder / "node_modules").is_dir()
    assert (tmp_path / "cache" / "npm.runs").read_text() == "run\n"
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.is_dir()] == [first.folder.name]


async def test_other_code_gets_another_folder(tmp_path, source, programs):
    environ = programs(node="echo v20.1.0", npm=NPM_OK)
    before = await node_home(tmp_path / "cache", source=source, environ=environ)
    (source / "bridge" / "main.js").write_text("// newer\n")
    after = await node_home(tmp_path / "cache", source=source, environ=environ)
    assert before.folder != after.folder
    assert (after.folder / "bridge" / "main.js").read_text() == "// newer\n"


async def test_two_at_once_end_with_the_same_folder(tmp_path, source, programs):
    environ = programs(node="echo v20.1.0", npm=NPM_OK)
    homes = await asyncio.gather(*(node_home(tmp_path / "cache", source=source, environ=environ) for _ in range(3)))
    assert len(set(homes)) == 1
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.is_dir()] == [homes[0].folder.name]


async def test_npm_runs_no_scripts_and_gets_none_of_our_secrets(tmp_path, source, programs):
    environ = programs(node="echo v20.1.0", npm=NPM_OK) | {"ADMIN_TOKEN": "hush", "https_proxy": "http://127.0.0.1:1"}
    await node_home(tmp_path / "cache", source=source, environ=environ)
    environment = (tmp_path / "cache" / "npm.env").read_text()
    assert "hush" not in environment
    assert "https_proxy=http://127.0.0.1:1" in environment
    args = (tmp_path / "cache" / "npm.args").read_text().split()
    assert args[0] == "ci"
    assert {"--ignore-scripts", "--omit=dev", "--omit=peer", "--omit=optional"} <= set(args)


@pytest.mark.parametrize("answer", ["echo v18.19.0", "echo rubbish", "exit 3"])
async def test_a_node_too_old_or_odd_is_named_with_the_way_out(tmp_path, source, programs, answer):
    with pytest.raises(NodeMissing, match="apt-get install nodejs npm"):
        await node_home(tmp_path / "cache", source=source, environ=programs(node=answer))


async def test_no_node_and_no_npm_are_named_with_the_way_out(tmp_path, source, programs):
    with pytest.raises(NodeMissing, match=r"No `node`.*nvm install 20"):
        await node_home(tmp_path / "cache", source=source, environ=programs())
    with pytest.raises(NodeMissing, match="No `npm`"):
        await node_home(tmp_path / "cache", source=source, environ=programs(node="echo v20.1.0"))


async def test_a_failed_install_shows_what_npm_said_and_leaves_nothing(tmp_path, source, programs):
    environ = programs(node="echo v20.1.0", npm="echo 'lock and package differ' >&2; exit 1")
    with pytest.raises(NodeModulesMissing, match="lock and package differ"):
        await node_home(tmp_path / "cache", source=source, environ=environ)
    assert list((tmp_path / "cache").iterdir()) == []


async def test_a_cache_that_cannot_be_made_is_named(tmp_path, source, programs):
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(NodeModulesMissing, match="cache"):
        await node_home(tmp_path / "cache", source=source, environ=programs(node="echo v20.1.0", npm=NPM_OK))


async def test_being_cancelled_ends_npm(tmp_path, source, programs):
    pid_file = tmp_path / "pid"
    environ = programs(
        node="echo v20.1.0", npm=f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60"
    )
    task = asyncio.ensure_future(node_home(tmp_path / "cache", source=source, environ=environ))
    async with asyncio.timeout(20):
        while not pid_file.exists():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert list((tmp_path / "cache").iterdir()) == []
