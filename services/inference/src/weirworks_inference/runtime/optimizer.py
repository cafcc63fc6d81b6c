"""`python -m weirworks_inference.runtime.optimizer GRAPH TARGET THREADS`: writes the optimised graph.

Exit codes: 0 written, 1 not a model that can be run (the text is on stdout), 3 it loads but cannot be kept.
"""

import os
import sys
from pathlib import Path

import onnxruntime

NOT_A_MODEL, NOT_KEPT = 1, 3


def main(graph: str, target: str, threads: str) -> int:
    """Returns the exit code."""
    path = Path(target)
    fresh = path.with_name(f"{path.stem}.{os.getpid()}.new")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.log_severity_level = 4
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        options.optimized_model_filepath = str(fresh)
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        fresh.rename(path)
    # Whatever the binding raises, the question is whether the file loads without being written.
    except Exception as error:
        fresh.unlink(missing_ok=True)
        return _without_keeping(graph, error)
    return 0


def _without_keeping(graph: str, first: Exception) -> int:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        sys.stdout.write(str(error))
        return NOT_A_MODEL
    sys.stderr.write(str(first))
    return NOT_KEPT


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
