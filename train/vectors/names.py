"""The names of word vectors that are known by name."""

from __future__ import annotations

import re

GLOVE_6B = tuple(f"glove.6B.{dimensions}d" for dimensions in (50, 100, 200, 300))
GLOVE_2024 = tuple(f"glove.2024.wikigiga.{dimensions}d" for dimensions in (50, 100, 200, 300))
#: The codes of fastText's languages: those of Grave et al., "Learning Word Vectors for 157
#: Languages" (2018), and English.
_CODES = (
    "af als am an ar arz as ast az azb ba bar bcl be bg bh bn bo bpy br bs ca ce ceb ckb co cs cv "
    "cy da de diq dv el eml en eo es et eu fa fi fr frr fy ga gd gl gom gu gv he hi hif hr hsb ht "
    "hu hy ia id ilo io is it ja jv ka kk km kn ko ku ky la lb li lmo lt lv mai mg mhr min mk ml "
    "mn mr mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no nso oc or os pa pam pfl pl pms pnb "
    "ps pt qu rm ro ru sa sah sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt "
    "ug uk ur uz vec vi vls vo wa war xmf yi yo zea zh"
)
LANGUAGES = tuple(_CODES.split())
#: All of them, in messages.
NAMES = "glove.6B.50d to 300d, glove.2024.wikigiga.50d to 300d, languages such as fr or zh, none"


def find_nearest(name: str) -> str | None:
    """Return a known name that another one may stand for: `"pt-BR"` -> `"pt"`."""
    known = {known.lower(): known for known in (*GLOVE_6B, *GLOVE_2024, *LANGUAGES)}
    lower = name.lower()
    return known.get(lower) or known.get(re.split("[-_]", lower)[0])
