from __future__ import annotations

import shlex

import pytest

from cl_localization.cli.flags import parse
from cl_localization.errors import ConfigError
from cl_localization.research.seqmatchnet import cli_train as train_command
from cl_localization.research.seqmatchnet.options import SeqMatchNetConfig
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


def trained_with(line: str) -> SeqMatchNetConfig:
    return parse(train_command.Arguments, translated(shlex.split(line), train=True), "train").options


def test_seqnets_line_brings_seqnets_loss_and_optimizer() -> None:
    for line in (TRAIN_LINES[2], "--dataset msls --msls_trainCity amman"):
        options = trained_with(line)
        training = options.training
        assert (training.loss, training.optimizer, training.learning_rate, training.weight_decay) == (
            "triplet", "sgd", 0.0001, 0.001)
        assert (training.epochs, training.schedule, training.lr_step, training.cache_refresh) == (200, "step", 50, 0)
        assert (options.network.pooling, options.network.out_dims, options.network.dropout) == ("seqnet", 4096, 0)
    assert trained_with("--seqL 5").training.loss == "contrastive"


def test_the_originals_leave_nothing_out_and_do_not_decay_with_adam(capsys) -> None:
    options = trained_with(TRAIN_LINES[0] + " --optim ADAM")
    assert (options.network.dropout, options.training.weight_decay, options.training.schedule) == (0, 0, "constant")
    assert capsys.readouterr().err == ""
    assert trained_with(TRAIN_LINES[3]).training.weight_decay == 0
    said = capsys.readouterr().err
    assert "option --training.weight-decay has no effect with --optim ADAM, as in the original" in said


def test_no_matcher_means_single_images() -> None:
    training = trained_with("--matcher None").training
    assert training.loss_method == training.mining_method == "centerOnly" and training.loss == "triplet"
    assert trained_with("--matcher=seqMatchNet").training.loss_method == "meanOfPairs"


def test_sequences_are_not_tested_without_a_matcher() -> None:
    assert translated("--matcher None --seqL 1".split(), train=False) == ["--seqL", "1"]
    with pytest.raises(ConfigError, match="option --matcher must be seqMatchNet where sequences are compared, found "
                                          "None; give --seqL 1, or leave it out"):
        translated("--matcher None --seqL 5".split(), train=False)


def test_an_original_test_line_compares_plain_distances_unless_it_says_otherwise() -> None:
    assert translated("--mode test --seqL 5".split(), train=False) == ["--seqL", "5", "--no-normalize"]
    assert translated("--mode test --seqL 5 --normalize".split(), train=False) == ["--seqL", "5"]
    assert translated("--seqL 5".split(), train=False) == ["--seqL", "5"]


def test_options_that_do_nothing_here_are_named(capsys) -> None:
    assert translated("--ckpt best --start-epoch 0 --numSamples2Project -1".split(), train=False) == []
    assert capsys.readouterr().err == ""
    assert translated("--ckpt latest --start-epoch 3 --numSamples2Project 100".split(), train=False) == []
    said = capsys.readouterr().err
    assert said.count("has no effect") == 3
    assert "option --ckpt has no effect: the model of a run is the best of its looks" in said


def test_a_run_that_is_gone_on_with_has_its_settings_already() -> None:
    assert translated(["--mode", "train", "--resume", "runs/a", "--nEpochs", "9"], train=True) == [
        "--resume", "runs/a", "--training.epochs", "9"]


def test_flags_with_an_equals_sign_are_understood() -> None:
    words = ["--training.sequence-length=5", "--network.pooling", "s1+seqmatch"]
    assert translated(["--seqL=5", "--mode=train", "--pooling"], train=True)[:3] == words
    assert translated(["--normalize", "--seqL", "5"], train=False) == ["--seqL", "5"]


def test_the_mode_of_the_other_command_is_refused() -> None:
    with pytest.raises(ConfigError, match="option --mode must be that of the command, found test; call `train` or "
                                          "`test`"):
        translated(["--mode", "test"], train=True)
