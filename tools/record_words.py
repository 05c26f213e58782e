#!/usr/bin/env python
"""Record the words of the scenes dataset with espeak-ng, and train the tokenizer on the same words.

    python tools/record_words.py             write the recordings and the tokenizer into the package
    python tools/record_words.py --check     write them elsewhere and compare with the package

Nothing else needs espeak-ng (`apt-get install espeak-ng`): the recordings travel with the package, one FLAC file a voice and one
index. Each word is spoken alone, trimmed, resampled to 16 kHz, scaled to the same loudness and rounded to ten bits, which FLAC packs
tightly. The same espeak-ng gives the same bytes; the version that made the shipped files is in the index.
"""
import argparse
import io
import json
import re
import subprocess
import sys
import tempfile
from filecmp import cmp
from pathlib import Path

import numpy as np
import soundfile
import soxr

from edge_glass_modular.data.scenes import ASSETS, SAMPLE_RATE, scene_words, spoken_words

# What espeak-ng calls a voice: an accent, and after the plus sign a speaker.
VOICES = {
    "train": ["en-us", "en-us+f2", "en-us+m7", "en-us+linda", "en-us+klatt2", "en-us+steph", "en-us+michel", "en-us-nyc+m1", "en", "en+f4",
              "en-gb-x-rp+m3", "en-gb-x-rp+zac", "en-gb-scotland+f1", "en-gb-scotland+m6", "en-gb-x-gbclan+m8", "en-gb-x-rp+shelby", "en-029+f3"],
    "val": ["en-us+m5", "en+belinda"],
    "test": ["en-us+adam", "en-gb-x-gbcwmd+f5"],
}
WORDS_A_MINUTE = 250
WEAK = {"a": "[[a#]]", "an": "[[@n]]", "of": "[[@v]]"}  # alone, espeak-ng would stress these: the phonemes they have in a sentence
LEVELS = 2 ** 9  # ten bits: 54 dB under full scale, far below the noise that is added later


def pronounce(voice: str, word: str) -> np.ndarray:
    "One word as espeak-ng says it: float mono at 16 kHz, silence trimmed, peak 0.9."
    command = ["espeak-ng", "-v", voice, "-s", str(WORDS_A_MINUTE), "-z", "--stdout", WEAK.get(word, word)]
    sound, rate = soundfile.read(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout))
    sound = soxr.resample(sound, rate, SAMPLE_RATE)
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    sound = sound[loud[0]:loud[-1] + 1]
    ramp = np.minimum(1, np.arange(len(sound)) / 80)  # 5 ms in and out, so that no word begins or ends with a click
    return 0.9 * sound / np.abs(sound).max() * ramp * ramp[::-1]


def record(folder: Path) -> None:
    "Write one FLAC file a voice and `index.json`."
    folder.mkdir(parents=True, exist_ok=True)
    index = {"recorded_with": subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout.split("  ")[0].strip(),
             "sample_rate": SAMPLE_RATE, "voices": {}}
    for split, voices in VOICES.items():
        for voice in voices:
            sounds = {word: pronounce(voice, word) for word in spoken_words()}
            ends = np.cumsum([len(sound) for sound in sounds.values()]).tolist()
            file = re.sub(r"\W+", "-", voice).lower() + ".flac"
            packed = np.round(np.concatenate(list(sounds.values())) * (LEVELS - 1)).astype(np.int16) * (32768 // LEVELS)
            soundfile.write(folder / file, packed, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
            index["voices"][voice] = {"split": split, "file": file, "ends": dict(zip(sounds, ends))}
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def train_tokenizer(folder: Path) -> None:
    "Byte-level BPE in which each word of the scenes is one token and any other text falls back to bytes."
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
    specials = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[BOS]", "eos_token": "[EOS]"}
    trainer = trainers.BpeTrainer(vocab_size=10_000, min_frequency=1, special_tokens=list(specials.values()),
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(scene_words(), trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **specials).save_pretrained(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare a fresh recording with the shipped one")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary) if check else ASSETS
        record(top / "words")
        train_tokenizer(top / "tokenizer")
        made = sorted(p.relative_to(top) for p in top.rglob("*") if p.is_file())
        differ = [str(p) for p in made if check and not ((ASSETS / p).exists() and cmp(top / p, ASSETS / p, shallow=False))]
        print(f"{len(made)} files, {sum((top / p).stat().st_size for p in made) / 1e6:.2f} MB in {top}")
    print("differ: " + ", ".join(differ) if differ else "as shipped" if check else "written")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
