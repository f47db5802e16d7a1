"""Makes the small embedding model of the tests: the published weights (safetensors, vocab.txt) as a GGUF, for scripts/fetch.

The idea: GGUF is a head (keys and tensor descriptions) and then the tensors' bytes. The weights are kept as the 32-bit floats
they are, so nothing is computed and nothing but the standard library is needed. This knows one model, all-MiniLM-L6-v2 (BERT,
6 layers of 384), and nothing of others.
"""
import json
import shutil
import struct

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # GGUF's types of values
ALIGNMENT = 32
LAYERS = 6

# Its configuration, as the engine names things. Pooling 1 is the mean; a pre-tokenizer that only splits at blanks and marks.
KEYS = [
    ("general.architecture", STRING, "bert"),
    ("general.name", STRING, "all-MiniLM-L6-v2"),
    ("general.file_type", U32, 0),
    ("bert.block_count", U32, LAYERS),
    ("bert.context_length", U32, 512),
    ("bert.embedding_length", U32, 384),
    ("bert.feed_forward_length", U32, 1536),
    ("bert.attention.head_count", U32, 12),
    ("bert.attention.layer_norm_epsilon", F32, 1e-12),
    ("bert.attention.causal", BOOL, False),
    ("bert.pooling_type", U32, 1),
    ("tokenizer.ggml.model", STRING, "bert"),
    ("tokenizer.ggml.pre", STRING, "jina-v2-en"),
    ("tokenizer.ggml.token_type_count", U32, 2),
]
SPECIAL = {"padding": "[PAD]", "unknown": "[UNK]", "bos": "[CLS]", "cls": "[CLS]", "seperator": "[SEP]", "mask": "[MASK]"}  # (their spelling)

# Tensors: what they are called there, and in the engine.
WHOLE = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
OF_A_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def names():
    yield from WHOLE.items()
    for layer in range(LAYERS):
        for theirs, ours in OF_A_LAYER.items():
            for kind in ("weight", "bias"):
                yield f"encoder.layer.{layer}.{theirs}.{kind}", f"blk.{layer}.{ours}.{kind}"


def text(s):
    raw = s.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind, v):
    if kind == STRING:
        return text(v)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], v)


def key(name, kind, v):
    return text(name) + struct.pack("<I", kind) + value(kind, v)


def array(name, kind, items):
    return text(name) + struct.pack("<IIQ", ARRAY, kind, len(items)) + b"".join(value(kind, v) for v in items)


def engine_word(token):
    """A piece that goes on (`##ing`) is bare, one that begins a word carries a mark; [CLS] and its like stay as they are."""
    if token.startswith("[") and token.endswith("]"):
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def vocabulary(tokens):
    """The keys of the tokenizer. Type 3 is what text never becomes by itself, 1 all else."""
    kinds = [3 if engine_word(t) == t else 1 for t in tokens]
    keys = [array("tokenizer.ggml.tokens", STRING, [engine_word(t) for t in tokens]), array("tokenizer.ggml.token_type", I32, kinds)]
    return keys + [key(f"tokenizer.ggml.{name}_token_id", U32, tokens.index(token)) for name, token in SPECIAL.items()]


def safetensors_head(file):
    """name -> description, and where the tensors begin."""
    size, = struct.unpack("<Q", file.read(8))
    return json.loads(file.read(size)), 8 + size


def padding(n):
    return b"\0" * (-n % ALIGNMENT)


def make(weights, vocab, out):
    """Writes out (a path) from the paths of model.safetensors and vocab.txt."""
    tokens = vocab.read_text(encoding="utf-8").split("\n")[:-1]
    keys = [key(*k) for k in KEYS] + vocabulary(tokens)
    with open(weights, "rb") as source, open(out, "wb") as to:
        described, begin = safetensors_head(source)
        tensors, at = [], 0
        for theirs, ours in names():
            shape = described[theirs]["shape"][::-1]  # the fastest first
            tensors.append(text(ours) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, at))
            size = described[theirs]["data_offsets"][1] - described[theirs]["data_offsets"][0]
            at += size + len(padding(size))
        head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys) + b"".join(tensors)
        to.write(head + padding(len(head)))
        for theirs, _ours in names():
            first, last = described[theirs]["data_offsets"]
            source.seek(begin + first)
            to.write(source.read(last - first))
            to.write(padding(last - first))
