"""RE2's classes of characters, cut down to ASCII: bit n of a mask is the character with code n."""

ALL = (1 << 128) - 1


def mask_of(characters: str) -> int:
    """The mask of these characters."""
    return sum(1 << code for code in sorted({ord(character) for character in characters}))


_DIGITS = mask_of("0123456789")
_LOWER = mask_of("abcdefghijklmnopqrstuvwxyz")
_UPPER = mask_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LETTERS = _LOWER | _UPPER
WORD = _LETTERS | _DIGITS | mask_of("_")
_SPACE = mask_of("\t\n\f\r ")
_PUNCTUATION = mask_of("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
PERL = {"d": _DIGITS, "w": WORD, "s": _SPACE}
POSIX = {
    "alnum": _LETTERS | _DIGITS,
    "alpha": _LETTERS,
    "ascii": ALL,
    "blank": mask_of("\t "),
    "cntrl": (1 << 32) - 1 | 1 << 127,
    "digit": _DIGITS,
    "graph": _LETTERS | _DIGITS | _PUNCTUATION,
    "lower": _LOWER,
    "print": _LETTERS | _DIGITS | _PUNCTUATION | mask_of(" "),
    "punct": _PUNCTUATION,
    "space": _SPACE | mask_of("\v"),
    "upper": _UPPER,
    "word": WORD,
    "xdigit": _DIGITS | mask_of("abcdefABCDEF"),
}
UNICODE = {
    "L": _LETTERS,
    "Ll": _LOWER,
    "Lu": _UPPER,
    "Latin": _LETTERS,
    "N": _DIGITS,
    "Nd": _DIGITS,
    "P": mask_of("!\"#%&'()*,-./:;?@[\\]_{}"),
    "Pc": mask_of("_"),
    "Pd": mask_of("-"),
    "Po": mask_of("!\"#%&'*,./:;?@\\"),
}


def both_cases(mask: int) -> int:
    """The mask with every letter in both cases."""
    lower, upper = mask & _LOWER, mask & _UPPER
    return mask | lower >> 32 | upper << 32
