"""The options of HSCNet's and CL_HSCNet's own programs, as words of our commands: their command lines run with ours."""

from __future__ import annotations

from cl_localization.errors import ConfigError

NAMES = {"--n_iter": "--iterations", "--init_lr": "--learning-rate"}
RUN_NAMES = ("--exp_name", "--exp-name", "--train_id", "--train-id")
"""The originals put both into the name of the run's folder."""
SWITCHES = {"--aug": ([], ["--no-augment"]), "--dense_pred": (["--dense-pred"], []),
            "--dense-pred": (["--dense-pred"], [])}
"""Options that take a word for true or false, and our words for either."""
UNREAD = "Cambridge"
"""A data set of HSCNet whose depth was rendered from a model of the scene."""
TRUE_WORDS, FALSE_WORDS = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def translated(words: list[str]) -> list[str]:
    """Return a command's words with the originals' names replaced by ours.

    Raises:
        ConfigError: a switch with another word than one for true or false, or a data set that is not read.
    """
    result, rest, run = [], list(words), []
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in RUN_NAMES and (equals or rest):
            run.append(value if equals else rest.pop(0))
            continue
        if flag == "--dataset" and UNREAD in (value, *rest[:1]):
            raise ConfigError("option --dataset", "must be one that is read", UNREAD,
                              "give posed sequences with depth by --sequences")
        if flag not in SWITCHES:
            result.append(NAMES.get(flag, flag) + equals + value)
            continue
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else "true"
        result += SWITCHES[flag][_is_false(flag, value)]
    return result + (["--exp-name", "_".join(filter(None, run))] if run else [])


def _is_false(flag: str, word: str) -> bool:
    if word.lower() not in TRUE_WORDS + FALSE_WORDS:
        raise ConfigError(f"option {flag}", "must be True or False", repr(word))
    return word.lower() in FALSE_WORDS
