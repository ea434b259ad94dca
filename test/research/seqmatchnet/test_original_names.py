from __future__ import annotations

import shlex

import pytest

from cl_localization.cli.flags import parse
from cl_localization.errors import ConfigError
from cl_localization.research.seqmatchnet import cli_eval as test_command
from cl_localization.research.seqmatchnet import cli_train as train_command
from cl_localization.research.seqmatchnet.original_names import translated

TRAIN_LINES = [
    ("--mode train --seqL 5 --pooling --dataset oxford-v1.0 --loss_trip_method meanOfPairs --neg_trip_method "
     "meanOfPairs --expName a"),
    ("--mode train --seqL 5 --pooling --dataset nordland-sw --loss_trip_method centerOnly --neg_trip_method centerOnly "
     "--expName b"),
    "--mode train --pooling seqnet --dataset nordland-sw --seqL 10 --w 5 --outDims 4096 --expName \"l10_w5\"",
    ("--mode train --dataset msls --msls_trainCity amman --msls_valCity austin --batchSize 4 --cacheBatchSize 64 "
     "--cacheRefreshRate 500 "
     "--nEpochs 3 --optim ADAM --lr 0.01 --lrStep 2 --lrGamma 0.3 --weightDecay 0.1 --momentum 0.5 --margin 0.2 --seed "
     "4 --evalEvery 2 "
     "--patience 5 --threads 1 --nGPU 1 --nocuda --savePath x --cachePath y --start-epoch 0 --descType netvlad "
     "--runsPath runs"),
]
TEST_LINES = [
    "--mode test --seqL 5 --pooling -dataset oxford-v1.0 --split test --resume runs/a",
    "--mode test --pooling seqnet --dataset nordland-sf --seqL 5 --split test --resume runs/a --resultsPath out.npz",
    "--mode test --pooling single --dataset nordland-sf --seqL 1 --split test",
    "--mode test --pooling smooth --dataset nordland-sf --seqL 5 --split test",
    ("--mode test --pooling s1+seqmatch --dataset nordland-sf --seqL 5 --split test --resume runs/a --predictionsFile "
     "out.npz --ckpt best"),
]


@pytest.mark.parametrize("line", TRAIN_LINES)
def test_the_original_training_lines_are_understood(line: str) -> None:
    assert parse(train_command.Arguments, train_command.understood(shlex.split(line)), "train seqmatchnet").data.dataset


@pytest.mark.parametrize("line", TEST_LINES)
def test_the_original_test_lines_are_understood(line: str) -> None:
    arguments = parse(test_command.Arguments, test_command.understood(shlex.split(line)), "test seqmatchnet")
    assert arguments.data.dataset in ("oxford-v1.0", "nordland-sf") and arguments.split == "test"


def test_values_reach_the_options() -> None:
    arguments = parse(train_command.Arguments, translated(shlex.split(TRAIN_LINES[3]), train=True), "train seqmatchnet")
    training = arguments.options.training
    assert (training.batch_size, training.cache_refresh, training.epochs, training.optimizer) == (4, 500, 3, "adam")
    assert (training.learning_rate, training.lr_step, training.margin, training.patience) == (0.01, 2, 0.2, 5)
    assert (arguments.data.train_city, arguments.data.descriptor_type, arguments.threads) == ("amman", "netvlad", 1)


def test_the_original_loss_brings_the_original_settings_unless_they_are_given() -> None:
    training = parse(train_command.Arguments, translated(shlex.split(TRAIN_LINES[1]), train=True),
                     "train").options.training
    assert (training.loss, training.optimizer, training.learning_rate, training.epochs) == ("triplet", "sgd", 0.001, 50)
    assert training.loss_method == training.mining_method == "centerOnly"
    assert "--training.epochs" not in translated(["--seqL", "5"], train=True)
    assert translated(["--loss_trip_method", "meanOfPairs", "--nEpochs", "7"],
                      train=True).count("--training.epochs") == 1


def test_no_matcher_means_single_images() -> None:
    words = ["--training.loss-method", "centerOnly", "--training.mining-method", "centerOnly"]
    assert translated(["--matcher", "None"], train=True) == words
    assert translated(["--matcher=seqMatchNet"], train=True) == []


def test_flags_with_an_equals_sign_are_understood() -> None:
    words = ["--training.sequence-length=5", "--network.pooling", "s1+seqmatch"]
    assert translated(["--seqL=5", "--mode=train", "--pooling"], train=True) == words


def test_the_mode_of_the_other_command_is_refused() -> None:
    with pytest.raises(ConfigError, match="option --mode must be that of the command, found test; call `train` or "
                                          "`test`"):
        translated(["--mode", "test"], train=True)
