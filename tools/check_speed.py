"""Check that the command answers at once: `python tools/check_speed.py`.

`edge-glass --help` and `import edge_glass_modular.config` must take less than a second, the median of several fresh processes.
"""
import shutil
import subprocess
import sys
import time
from statistics import median

LIMIT, REPEATS = 1.0, 7  # seconds, processes
COMMANDS = {
    "import edge_glass_modular.config": [sys.executable, "-c", "import edge_glass_modular.config"],
    "edge-glass --help": [shutil.which("edge-glass") or "edge-glass", "--help"],
}


def seconds(command: list[str]) -> float:
    "Wall-clock time of one process; one that fails is an error."
    start = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def problems(commands: dict[str, list[str]], limit: float = LIMIT) -> list[str]:
    "One line for every command that is slow or fails."
    found = []
    for name, command in commands.items():
        try:
            seconds(command)  # the first run fills the disk cache and writes the bytecode
            took = median(seconds(command) for _ in range(REPEATS))
        except (OSError, subprocess.CalledProcessError) as error:
            found.append(f"{name}: {error}")
            continue
        print(f"{name}: {took:.2f} s, median of {REPEATS}")
        if took >= limit:
            found.append(f"{name}: {took:.2f} s is not below {limit:g} s; something heavy is imported at the top of a module")
    return found


if __name__ == "__main__":
    bad = problems(COMMANDS)
    print("\n".join(bad) or "speed: the command answers at once")
    sys.exit(bool(bad))
