"""Writes a graph's variant with 8-bit integer weights."""

import logging
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize(source: Path, target: Path) -> None:
    """Matrix products in integers, activations scaled as they come; the rest stays as it is.

    A scale for each column keeps the answers near; seven bits keep sums of CPUs without VNNI from overflowing.
    """
    # It asks for a preparation that graphs with fixed weights do not need.
    logging.getLogger().setLevel(logging.ERROR)
    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )
