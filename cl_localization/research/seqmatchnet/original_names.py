"""The options of SeqNet's and SeqMatchNet's own programs, as words of our commands: their command lines run with ours.

A training command line of either gets that program's settings, too, where it says nothing else; a test's, which says
`--mode test`, compares plain distances as theirs do.
"""

from __future__ import annotations

from cl_localization.cli.tables import warn
from cl_localization.errors import ConfigError

TRAINING, NETWORK = "--training.", "--network."
SHARED = {"--pooling": NETWORK + "pooling", "--outDims": NETWORK + "out-dims", "--w": NETWORK + "w",
          "--descType": "--descriptor-type",
          "--resume": "--resume", "--split": "--split", "--msls_trainCity": "--train-city",
          "--msls_valCity": "--validation-city",
          "-dataset": "--dataset"}
TRAIN_NAMES = SHARED | {
    "--seqL": TRAINING + "sequence-length", "--loss_trip_method": TRAINING + "loss-method",
    "--neg_trip_method": TRAINING + "mining-method",
    "--batchSize": TRAINING + "batch-size", "--cacheBatchSize": TRAINING + "cache-batch-size",
    "--cacheRefreshRate": TRAINING + "cache-refresh", "--nEpochs": TRAINING + "epochs",
    "--optim": TRAINING + "optimizer",
    "--lr": TRAINING + "learning-rate", "--lrStep": TRAINING + "lr-step", "--lrGamma": TRAINING + "lr-gamma",
    "--weightDecay": TRAINING + "weight-decay", "--momentum": TRAINING + "momentum", "--margin": TRAINING + "margin",
    "--seed": TRAINING + "seed", "--evalEvery": TRAINING + "eval-every", "--patience": TRAINING + "patience",
    "--expName": "--exp-name", "--runsPath": "--runs-path", "--threads": "--threads"}
TEST_NAMES = SHARED | {"--pooling": "--pooling", "--resume": "--model", "--resultsPath": "--results",
                       "--predictionsFile": "--candidates",
                       "--extractOnly": "--extract-only",
                       "--seqL_filterData": "--inner-only", "--cacheBatchSize": "--batch-size"}
IGNORED = {"--normalize": 0, "--mode": 1, "--nGPU": 1, "--nocuda": 0, "--savePath": 1, "--cachePath": 1,
           "--start-epoch": 1, "--numSamples2Project": 1, "--ckpt": 1}
"""Options that have no counterpart, with the number of words after them: caches are in memory, and distances are
normalized anyway."""
IDLE = {"--start-epoch": ("0", "--resume goes on where the run stopped"),
        "--numSamples2Project": ("-1", "nothing is projected by t-SNE"),
        "--ckpt": ("best", "the model of a run is the best of its looks at the validation part")}
"""Of these, those that do something in the original but with one value, and why not here."""
PLAIN = "--no-normalize"

SHARED_SETTINGS = {"loss": "triplet", "optimizer": "sgd", "weight-decay": "0.001", "schedule": "step",
                   "eval-every": "1"}
SEQMATCHNET_SETTINGS = SHARED_SETTINGS | {"learning-rate": "0.001", "epochs": "50", "cache-batch-size": "64"}
SEQNET_SETTINGS = SHARED_SETTINGS | {"learning-rate": "0.0001", "epochs": "200", "lr-step": "50",
                                     "cache-batch-size": "24", "cache-refresh": "0"}
ADAM_SETTINGS = {TRAINING + "weight-decay": "0", TRAINING + "schedule": "constant"}
"""Of the originals when Adam is chosen, whatever else is given."""
NETWORK_SETTINGS = {NETWORK + "out-dims": "4096", NETWORK + "dropout": "0",
                    NETWORK + "keep-input": "0"}

SEQMATCHNET_FLAGS = {"--loss_trip_method", "--neg_trip_method", "--matcher"}
SEQNET_FLAGS = {"--msls_trainCity", "--msls_valCity"}


def translated(words: list[str], train: bool) -> list[str]:
    """Return a command's words with the originals' names replaced by ours.

    Raises:
        ConfigError: `--mode` asks for the other command, or sequences are to be tested without a matcher.
    """
    names, result, rest = TRAIN_NAMES if train else TEST_NAMES, [], list(words)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in IGNORED:
            given = value if equals else " ".join(rest[:IGNORED[flag]])
            if flag == "--mode" and given != ("train" if train else "test"):
                raise ConfigError("option --mode", "must be that of the command", given, "call `train` or `test`")
            if flag in IDLE and given != IDLE[flag][0]:
                warn(f"option {flag} has no effect: {IDLE[flag][1]}")
            rest = rest if equals else rest[IGNORED[flag]:]
        elif flag == "--matcher":
            value = value if equals else rest.pop(0)
            if value.lower() == "none" and not train and _value(words, "--seqL") != "1":
                raise ConfigError("option --matcher", "must be seqMatchNet where sequences are compared", value,
                                  "give --seqL 1, or leave it out")
            if train and value.lower() == "none":
                result += [TRAINING + "loss-method", "centerOnly", TRAINING + "mining-method", "centerOnly"]
        else:
            result.append(names.get(flag, flag) + equals + value)
            if flag == "--pooling" and not equals and (not rest or rest[0].startswith("-")):
                result.append("s1+seqmatch")  # SeqMatchNet's own flag takes no value
            if flag == "--optim" and rest:
                rest[0] = rest[0].lower()
    if not train and "--mode" in _flags(words) and not {"--normalize", PLAIN} & set(words):
        result.append(PLAIN)
    settings = _settings(words) if train else {}
    return _with_settings(result, settings) if settings else result


def _settings(words: list[str]) -> dict[str, str]:
    """Return the settings of the original program whose training command line this is; empty for one of ours, and for
    a run that has its settings already."""
    flags, pooling = set(_flags(words)), _value(words, "--pooling")
    if "--resume" in flags:
        return {}
    if SEQMATCHNET_FLAGS & flags:
        return SEQMATCHNET_SETTINGS
    if pooling == "seqnet" or SEQNET_FLAGS & flags or (pooling and "--mode" in flags):
        return SEQNET_SETTINGS
    return SEQMATCHNET_SETTINGS if "--mode" in flags else {}


def _value(words: list[str], flag: str) -> str:
    """Return the value of an option, empty where it is not given or has none, as SeqMatchNet's --pooling."""
    for word, following in zip(words, [*words[1:], ""]):
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
        if word == flag and not following.startswith("-"):
            return following
    return ""


def _with_settings(words: list[str], settings: dict[str, str]) -> list[str]:
    """Return the words with the settings that they leave open; what does nothing in the original is said to."""
    whole = {TRAINING + name: value for name, value in settings.items()} | NETWORK_SETTINGS
    if settings is SEQNET_SETTINGS:
        whole[NETWORK + "pooling"] = "seqnet"
    given = dict(zip(words, [*words[1:], ""])) | dict(word.split("=", 1) for word in words if "=" in word)
    words = words + [word for flag, value in whole.items() if flag not in given for word in (flag, value)]
    if given.get(TRAINING + "optimizer") == "adam":
        for flag, value in ADAM_SETTINGS.items():
            if flag in given:
                warn(f"option {flag} has no effect with --optim ADAM, as in the original")
            words += [flag, value]  # of a flag given twice the last counts
    return words


def _flags(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("-")]
