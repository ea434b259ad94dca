"""The options of SeqNet's and SeqMatchNet's own programs, as words of our commands: their command lines run with ours.

A command line that chooses the original loss gets the originals' settings too, unless it says otherwise.
"""

from __future__ import annotations

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
IGNORED = {"--mode": 1, "--nGPU": 1, "--nocuda": 0, "--savePath": 1, "--cachePath": 1, "--start-epoch": 1,
           "--numSamples2Project": 1,
           "--ckpt": 1}
"""Options that have no counterpart, with the number of words after them: there is one model file, and caches are in
memory."""

ORIGINAL_SETTINGS = {"loss": "triplet", "optimizer": "sgd", "learning-rate": "0.001", "weight-decay": "0.001",
                     "schedule": "step",
                     "epochs": "50", "eval-every": "1"}
ORIGINAL_DIMS = "4096"


def translated(words: list[str], train: bool) -> list[str]:
    """Return a command's words with the originals' names replaced by ours.

    Raises:
        ConfigError: `--mode` asks for the other command.
    """
    names, result, rest = TRAIN_NAMES if train else TEST_NAMES, [], list(words)
    original_loss = train and bool({"--loss_trip_method", "--neg_trip_method"} & set(_flags(words)))
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in IGNORED:
            given = value if equals else " ".join(rest[:IGNORED[flag]])
            if flag == "--mode" and given != ("train" if train else "test"):
                raise ConfigError("option --mode", "must be that of the command", given, "call `train` or `test`")
            rest = rest if equals else rest[IGNORED[flag]:]
        elif flag == "--matcher":
            value = value if equals else rest.pop(0)
            if train and value.lower() == "none":
                result += [TRAINING + "loss-method", "centerOnly", TRAINING + "mining-method", "centerOnly"]
        else:
            result.append(names.get(flag, flag) + equals + value)
            if flag == "--pooling" and not equals and (not rest or rest[0].startswith("-")):
                result.append("s1+seqmatch")  # SeqMatchNet's own flag takes no value
            if flag == "--optim" and rest:
                rest[0] = rest[0].lower()
    return _with_original_settings(result) if original_loss else result


def _with_original_settings(words: list[str]) -> list[str]:
    given = set(_flags(words))
    settings = {TRAINING + name: value for name, value in ORIGINAL_SETTINGS.items()} | {
        NETWORK + "out-dims": ORIGINAL_DIMS
    }
    return words + [word for flag, value in settings.items() if flag not in given for word in (flag, value)]


def _flags(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("-")]
