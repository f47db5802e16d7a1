"""Model files made to order: GGUF with any keys and tensors, split ones, folders of safetensors.

    write_gguf(path, {"general.architecture": "llama", "llama.block_count": 2, "llama.n": U64(5)}, {"token_embd.weight": ("q4_K", [256, 10])})
    write_split(folder, "big", keys, tensors, parts=3)          # big-00001-of-00003.gguf ...
    write_safetensors(folder, config, {"model.norm.weight": ("BF16", [64])}, parts=2)

Data is zeros that take no room on the disk, so a tensor may be as large as a real one's."""

import json
import pathlib
import struct


class Value:
    """A value of a given kind; plain Python values get the usual one: str, bool, float (f32), int (u32, i32 when negative), lists of them."""

    def __init__(self, value):
        self.value = value


def _kind(number, code):
    return type("Value", (Value,), {"number": number, "pack": lambda self: struct.pack("<" + code, self.value)})


U8, I8, U16, I16, U32, I32, F32 = (_kind(n, c) for n, c in enumerate("BbHhIif"))
BOOL, U64, I64, F64 = _kind(7, "?"), _kind(10, "Q"), _kind(11, "q"), _kind(12, "d")
STRING, ARRAY = 8, 9

# name: (number, elements of a block, its bytes)
TYPES = {
    "f32": (0, 1, 4), "f16": (1, 1, 2), "q4_0": (2, 32, 18), "q4_1": (3, 32, 20), "q5_0": (6, 32, 22), "q5_1": (7, 32, 24), "q8_0": (8, 32, 34),
    "q2_K": (10, 256, 84), "q3_K": (11, 256, 110), "q4_K": (12, 256, 144), "q5_K": (13, 256, 176), "q6_K": (14, 256, 210),
    "iq4_nl": (20, 32, 18), "iq4_xs": (23, 256, 136), "i32": (26, 1, 4), "bf16": (30, 1, 2), "mxfp4": (39, 32, 17),
}
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "U32": 4, "BOOL": 1}


def _text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(v):
    """(number of its kind, its bytes)"""
    if isinstance(v, Value):
        return v.number, v.pack()
    if isinstance(v, (str, bytes)):
        return STRING, _text(v)
    if isinstance(v, bool):
        return 7, struct.pack("<?", v)
    if isinstance(v, float):
        return 6, struct.pack("<f", v)
    if isinstance(v, int):
        return _value((I32 if v >= -2**31 else I64)(v) if v < 0 else (U32 if v < 2**32 else U64)(v))
    items = [_value(i) for i in v]
    kind = items[0][0] if items else 4
    if any(k != kind for k, _ in items):  # negative and not
        items, kind = [_value(I32(i)) for i in v], 5
    return ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(raw for _, raw in items)


def _bytes_of(kind, shape):
    _, elements, size = TYPES[kind] if isinstance(kind, str) else (kind, 1, 0)
    count = 1
    for n in shape:
        count *= n
    assert shape[0] % elements == 0
    return count // elements * size


def _pad(n, to):
    return (n + to - 1) // to * to


def header(keys, tensors=(), version=3):
    """The bytes before the data, not padded, and the length of the data. A tensor's type is a name, or a number that nobody knows."""
    alignment = keys.get("general.alignment", 32) if isinstance(keys, dict) else 32
    pairs = list(keys.items()) if isinstance(keys, dict) else list(keys)
    table = list(tensors.items()) if isinstance(tensors, dict) else list(tensors)
    out, at = [b"GGUF", struct.pack("<IQQ", version, len(table), len(pairs))], 0
    for key, v in pairs:
        number, raw = _value(v)
        out.append(_text(key) + struct.pack("<I", number) + raw)
    for name, (kind, shape) in table:
        number = TYPES[kind][0] if isinstance(kind, str) else kind
        out.append(_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, number, at))
        at += _pad(_bytes_of(kind, shape), alignment)
    return b"".join(out), at, alignment


def write_gguf(path, keys, tensors=(), version=3):
    head, data, alignment = header(keys, tensors, version)
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(_pad(len(head), alignment) + data if data else len(head))
    return str(path)


def write_split(folder, name, keys, tensors, parts, numbers=True):
    """The parts' paths. The first has the keys, all have the split's own; numbers=False leaves these out."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table, paths = list(dict(tensors).items()), []
    each = -(-len(table) // parts)
    for i in range(parts):
        own = {"split.no": U16(i), "split.count": U16(parts), "split.tensors.count": I32(len(table))} if numbers else {}
        path = folder / f"{name}-{i + 1:05d}-of-{parts:05d}.gguf"
        paths.append(write_gguf(path, {**(keys if i == 0 else {}), **own}, table[i * each:(i + 1) * each]))
    return paths


def write_safetensors_file(path, tensors, metadata=None):
    at, table = 0, {}
    if metadata:
        table["__metadata__"] = metadata
    for name, (dtype, shape) in dict(tensors).items():
        n = DTYPES[dtype]
        for size in shape:
            n *= size
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head)
        f.truncate(8 + len(head) + at)
    return at


def write_safetensors(folder, config, tensors, parts=1, **files):
    """A folder as Transformers and MLX have it. files: further ones by name, texts as they are and the rest as JSON (dots as __)."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table, total, where = list(dict(tensors).items()), 0, {}
    each = -(-len(table) // parts)
    for i in range(parts):
        name = f"model-{i + 1:05d}-of-{parts:05d}.safetensors" if parts > 1 else "model.safetensors"
        part = table[i * each:(i + 1) * each]
        total += write_safetensors_file(folder / name, part, {"format": "pt"})
        where.update({tensor: name for tensor, _ in part})
    if parts > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": where}))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder)


def llama(layers=2, embed=256, heads=4, kv_heads=2, ff=512, vocab=320, context=8192, kind="q4_K", **more):
    """Keys and tensors of a small dense model, for write_gguf(path, *llama())."""
    keys = {
        "general.architecture": "llama", "general.name": "Small", "llama.context_length": context, "llama.block_count": layers,
        "llama.embedding_length": embed, "llama.feed_forward_length": ff, "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": kv_heads, "llama.vocab_size": vocab, **more,
    }
    kv = embed // heads * kv_heads
    tensors = {"token_embd.weight": ("q6_K", [embed, vocab]), "output_norm.weight": ("f32", [embed])}
    for i in range(layers):
        tensors |= {
            f"blk.{i}.attn_norm.weight": ("f32", [embed]), f"blk.{i}.attn_q.weight": (kind, [embed, embed]),
            f"blk.{i}.attn_k.weight": (kind, [embed, kv]), f"blk.{i}.attn_v.weight": (kind, [embed, kv]),
            f"blk.{i}.attn_output.weight": (kind, [embed, embed]), f"blk.{i}.ffn_norm.weight": ("f32", [embed]),
            f"blk.{i}.ffn_gate.weight": (kind, [embed, ff]), f"blk.{i}.ffn_up.weight": (kind, [embed, ff]),
            f"blk.{i}.ffn_down.weight": (kind, [ff, embed]),
        }
    return keys, tensors
