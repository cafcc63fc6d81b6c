"""A decoder of a few hundred bytes, laid out as ONNX Runtime GenAI wants it."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The word after each is the next one; after the last the answer ends.
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "end")
_PAST = "past_key_values.0"


def write_generator(root: Path, name: str = "counter", version: str = "1") -> None:
    """Counts on: `one two` is continued by `three four …`."""
    folder = root / name / version
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_graph(), folder / "model.onnx")
    (folder / "card.toml").write_text('task = "generate-text"\n')
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer()))
    (folder / "genai_config.json").write_text(json.dumps(_config()))


def _graph() -> onnx.ModelProto:
    """Logits from a table; the attention's past grows by zeros, since nothing attends to it."""
    count = len(WORDS)
    table = np.full((count, count), -10, np.float32)
    for word in range(count):
        table[word, min(word + 1, count - 1)] = 10
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["logits"])]
    nodes += [
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "0"], ["batch"]),
        helper.make_node("Gather", ["shape", "1"], ["tokens"]),
        helper.make_node("Concat", ["batch", "1", "tokens", "2"], ["added"], axis=0),
        helper.make_node(
            "ConstantOfShape", ["added"], ["new"], value=helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
        ),
    ]
    for part in ("key", "value"):
        nodes.append(helper.make_node("Concat", [f"{_PAST}.{part}", "new"], [f"present.0.{part}"], axis=2))
    constants = [numpy_helper.from_array(np.array([number], np.int64), str(number)) for number in (0, 1, 2)]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "counter",
        [
            info("input_ids", TensorProto.INT64, ["batch", "tokens"]),
            info("attention_mask", TensorProto.INT64, ["batch", "total"]),
            *(info(f"{_PAST}.{part}", TensorProto.FLOAT, ["batch", 1, "past", 2]) for part in ("key", "value")),
        ],
        [
            info("logits", TensorProto.FLOAT, ["batch", "tokens", count]),
            *(info(f"present.0.{part}", TensorProto.FLOAT, ["batch", 1, "total", 2]) for part in ("key", "value")),
        ],
        [numpy_helper.from_array(table, "table"), *constants],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _tokenizer() -> dict[str, object]:
    return {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {
            "type": "WordLevel",
            "vocab": {word: number for number, word in enumerate(WORDS)},
            "unk_token": "zero",
        },
    }


def _config() -> dict[str, object]:
    last = len(WORDS) - 1
    decoder = {
        "filename": "model.onnx",
        "head_size": 2,
        "hidden_size": 2,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "num_key_value_heads": 1,
        "session_options": {"provider_options": []},
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    model = {"type": "llama", "context_length": 64, "vocab_size": len(WORDS), "decoder": decoder}
    tokens = {"bos_token_id": 0, "eos_token_id": last, "pad_token_id": last}
    return {"model": {**model, **tokens}, "search": {"do_sample": False, "max_length": 64, "num_beams": 1}}
