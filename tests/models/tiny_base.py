"""Files of the published sets' networks in the Hub's layout, random, as real weights lie there."""

from safetensors.torch import save_file

from ssc.models.loaders import CLIPS, SAMS
from ssc.models.parts import WEIGHTS
from ssc.models.published import SETS, files_of
from tests.segment.tiny_grounding import shake, tiny_tokenizer, tiny_transformers
from tests.segment.tiny_sam import tiny_sam
from tests.tiny_clip import TINY, tiny


def fill_cache(name, monkeypatch, dino, sam, clip_of):
    """The files of a set.

    Args:
        dino: makes a Grounding DINO.
        sam: makes the SAM of an architecture.
        clip_of: makes the CLIP of a part.
    """
    import torch

    for part in SETS[name]:
        path = WEIGHTS[part][0].path
        path.parent.mkdir(parents=True, exist_ok=True)
        if part in SAMS:
            torch.save(sam(SAMS[part]).state_dict(), path)
        elif part in CLIPS:
            weights = {k: v.contiguous() for k, v in clip_of(part).state_dict().items()}
            save_file(weights, path)
        else:
            shake(dino()).save_pretrained(path.parent)
            tiny_tokenizer().save_pretrained(path.parent)
            words = tiny_tokenizer().get_vocab()
            (path.parent / "vocab.txt").write_text("\n".join(sorted(words, key=words.get)))
    monkeypatch.setattr(type(files_of(name)[0]), "present", property(lambda f: f.path.exists()))
    monkeypatch.delenv("SSC_COMPILE", raising=False)


def bring_base(monkeypatch):
    """Files of the base set's networks, tiny and random, in the cache."""
    import open_clip
    import segment_anything

    from ssc.segment import grounding

    fill_cache("base", monkeypatch, tiny_transformers, lambda _: tiny_sam(), lambda _: tiny())
    others = open_clip.get_model_config
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", tiny_sam)
    monkeypatch.setattr(
        "open_clip.get_model_config",
        lambda name: TINY if name.startswith("ViT-B") else others(name),
    )
    monkeypatch.setattr(grounding, "SHORT_SIDE", 64)
