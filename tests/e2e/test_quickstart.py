"""What deploy/quickstart says and does, with tools that only pretend to install and to build."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from gateway import ROOT

NOBODY = 65534


def tool(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/bash\n" + text)
    os.chmod(path, 0o755)


@pytest.fixture(name="tree")
def tree_with_tools(tmp_path):
    """A copy of deploy/ and a PATH in front of which stand tools that do as a test says."""
    shutil.copytree(os.path.join(ROOT, "deploy"), tmp_path / "deploy")
    (tmp_path / "tools").mkdir()
    tool(tmp_path / "tools", "dpkg-query", "echo installed\n")
    tool(tmp_path / "tools", "cmake", "exit 0\n")
    for folder in [tmp_path, *tmp_path.parents][:3]:
        os.chmod(folder, os.stat(folder).st_mode | stat.S_IXOTH | stat.S_IROTH)
    return tmp_path


def quickstart(tree, *words, user=None, environment=None, **more):
    def become():
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
    return subprocess.run(["/bin/bash", str(tree / "deploy/quickstart"), "--build-only", *words],
                          env={**os.environ, "PATH": f"{tree}/tools:/usr/bin:/bin", "HOME": str(tree), **(environment or {})},
                          capture_output=True, text=True, timeout=60, check=False, preexec_fn=become,
                          **{"stdin": subprocess.DEVNULL, **more})


def test_the_build_shows_how_far_it_is(tree):
    tool(tree / "tools", "cmake", """case "$*" in *--build*)
        for i in $(seq 40); do echo "${NINJA_STATUS//%f\\/%t/$i/40}Building x$i.c"; done;; esac\n""")
    done = quickstart(tree)
    assert done.returncode == 0, done.stderr
    assert "configured" in done.stdout and "40 of 40 steps" in done.stdout and "Built in" in done.stdout
    assert done.stdout.count(" steps") <= 11
    assert "Building x7.c" in (tree / "build/quickstart.log").read_text()


def test_a_build_that_fails_shows_why(tree):
    tool(tree / "tools", "cmake", 'case "$*" in *--build*) echo "x.c:1: error: no such thing"; exit 1;; esac\n')
    done = quickstart(tree)
    assert done.returncode == 1 and "x.c:1: error" in done.stderr and "quickstart.log" in done.stderr


@pytest.mark.parametrize("missing", ["build.ninja", "CMakeFiles/3.25.1/CMakeCCompiler.cmake", None])
def test_a_configure_that_was_broken_off_is_begun_anew(tree, missing):
    tool(tree / "tools", "cmake", f'echo "$@" >>{tree}/asked\n')
    release = tree / "build/release"
    (release / "CMakeFiles/3.25.1").mkdir(parents=True)
    for name in ("build.ninja", "CMakeFiles/3.25.1/CMakeCCompiler.cmake"):
        (release / name).touch()
    (release / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={tree.resolve()}\n")
    if missing:
        (release / missing).unlink()
    done = quickstart(tree)
    assert done.returncode == 0, done.stderr
    assert ("--fresh" in (tree / "asked").read_text()) == (missing is not None)


def test_two_at_once_build_one_after_the_other(tree):
    os.mkfifo(tree / "go")
    tool(tree / "tools", "cmake", f"""mkdir {tree}/busy || exit 1
        [[ "$*" = *--build* ]] || read -r <{tree}/go
        rmdir {tree}/busy\n""")
    command = ["/bin/bash", str(tree / "deploy/quickstart"), "--build-only"]
    environment = {**os.environ, "PATH": f"{tree}/tools:/usr/bin:/bin", "HOME": str(tree)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as first, \
            open(tree / "go", "w", encoding="utf-8") as go, \
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as second:
        assert "waiting for it" in second.stdout.readline()  # the first one configures
        go.write("\n\n")  # a line for each
        go.flush()
        assert "Built in" in first.communicate(timeout=60)[0] and "Built in" in second.communicate(timeout=60)[0]
    assert (first.returncode, second.returncode) == (0, 0)


@pytest.fixture(name="terminal")
def terminal_of_nobody():
    """Sudo cannot ask on one that controls nobody, as behind `su -c`."""
    main, end = os.openpty()
    yield {"stdin": end, "start_new_session": True}
    os.close(main)
    os.close(end)


@pytest.mark.parametrize("has_terminal", [True, False])
def test_without_root_and_sudo_it_says_what_to_type(tree, terminal, has_terminal):
    tool(tree / "tools", "dpkg-query", '[ "${*: -1}" != cmake ] && echo installed\n')
    tool(tree / "tools", "sudo", "exit 1\n")
    os.chown(tree, NOBODY, NOBODY) if os.getuid() == 0 else None
    done = quickstart(tree, user=NOBODY if os.getuid() == 0 else None, **(terminal if has_terminal else {}))
    assert done.returncode == 1
    assert "packages are missing: cmake" in done.stderr
    assert "apt-get install -y --no-install-recommends cmake" in done.stderr


@pytest.mark.parametrize("is_root", [True, False])
def test_what_is_missing_is_installed_as_root_or_through_sudo(tree, is_root):
    if is_root and os.getuid() != 0:
        pytest.skip("needs root")
    tool(tree / "tools", "dpkg-query", f'[ "${{*: -1}}" != cmake ] || [ -f {tree}/done ] && echo installed\n')
    tool(tree / "tools", "sudo", f'[ "$1" = -n ] && exit 0; echo sudo >>{tree}/asked; "$@"\n')
    tool(tree / "tools", "apt-get", f'echo "$@" >>{tree}/asked\n')
    if not is_root and os.getuid() == 0:
        os.chown(tree, NOBODY, NOBODY)
    done = quickstart(tree, user=None if is_root or os.getuid() else NOBODY)
    asked = (tree / "asked").read_text()
    assert done.returncode == 0, done.stderr
    assert "install --no-install-recommends cmake" in asked and ("sudo" in asked) == (not is_root)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs root")
def test_offline_it_names_what_could_not_be_fetched_and_needs_no_network_otherwise(tree):
    tool(tree / "tools", "apt-get", '[[ "$*" = *update* ]] && exit 0\necho "E: Temporary failure resolving"; exit 100\n')
    assert quickstart(tree).returncode == 0
    tool(tree / "tools", "dpkg-query", '[ "${*: -1}" != ninja-build ] && echo installed\n')
    done = quickstart(tree)
    assert done.returncode == 1
    assert "network" in done.stderr and "apt-get install -y --no-install-recommends ninja-build" in done.stderr
