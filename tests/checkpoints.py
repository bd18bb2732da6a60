"""Checkpoints of the architectures that published reward models have: random weights, small tokenizers.

Heads of 32 and two of them: the smallest that vLLM's kernels for processors know.
"""

from __future__ import annotations

import json

import pytest

from tests.unit.verifier_worlds import QUESTION

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

STEPS = ["3 times 4 is 12.", "2 + 12 is\n14.", "So the answer is 14."]
CORPUS = [QUESTION, *STEPS, "Step 1: ки ки ки + - + - + - yes no Yes No", "What is wrong with it? Nothing."] * 4
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
WORDS = (  # as Qwen's tokenizers cut: AutoTokenizer puts its own class of them in place of any other for that family
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def byte_level(special, **settings):
    """A tokenizer as Qwen's and Llama 3's: byte-level BPE, special tokens of its own."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(WORDS), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **settings)


def with_spaces():
    """A tokenizer as Mistral's: a space belongs to the word behind it, and a text begins with one."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    lines = pre_tokenizers.Split(Regex("\n"), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), lines])
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"]))
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def qwen():
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"]
    return byte_level(special, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML)


def llama():
    special = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|pad|>"]
    ends = {"bos_token": special[0], "eos_token": special[3], "pad_token": special[4]}
    return byte_level(special, chat_template=LLAMA3, **ends)


def made(family, kind, folder, tokenizer, **config):
    """A model of this architecture with random weights that differ enough to be told apart, saved in the folder."""
    torch.manual_seed(3)
    ids = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    settings = getattr(transformers, f"{family}Config")(vocab_size=len(tokenizer), **SIZES, **ids, **config)
    model = getattr(transformers, f"{family}{kind}")(settings).eval()
    for name, weights in model.named_parameters():
        if weights.dim() == 2:
            torch.nn.init.normal_(weights, std=0.3 if "embed" in name else 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def process_reward_model(folder):
    """A checkpoint as Qwen2.5-Math-PRM's: a base model, two layers of its own, and code that must never run."""
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    tokenizer = qwen()
    model = made("Qwen2", "Model", folder, tokenizer)
    size = SIZES["hidden_size"]
    head = torch.nn.Sequential(torch.nn.Linear(size, size), torch.nn.ReLU(), torch.nn.Linear(size, 2))
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    weights.update((f"score.{name}", tensor) for name, tensor in head.state_dict().items())
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["Qwen2ForProcessRewardModel"]
    config["auto_map"] = {"AutoModel": "modeling.Qwen2ForProcessRewardModel", "AutoConfig": "modeling.Config"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling.py").write_text(f"open({str(folder / 'it ran')!r}, 'w').close()\nraise SystemExit(9)\n")
    return tokenizer, model, head
