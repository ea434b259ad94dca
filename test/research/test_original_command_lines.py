"""Every command line of the READMEs of CL_HSCNet, HSCNet, SeqMatchNet, SeqNet and NeRF-CL (both branches), with `train`
or `test` and the system's name in place of their programs: understood as it stands, or refused with a reason.

The README of ACE-G is not among them: it could not be had.
"""

from __future__ import annotations

import shlex
from functools import reduce
from typing import Any

import pytest

from cl_localization.cli.flags import parse
from cl_localization.errors import ConfigError
from cl_localization.research.hscnet import cli_eval as test_hscnet
from cl_localization.research.hscnet import cli_train as train_hscnet
from cl_localization.research.nerf_cl import cli_eval as test_nerf
from cl_localization.research.nerf_cl import cli_train as train_nerf
from cl_localization.research.seqmatchnet import cli_eval as test_seqmatchnet
from cl_localization.research.seqmatchnet import cli_train as train_seqmatchnet

COMMANDS: dict[str, Any] = {"train hscnet": train_hscnet, "test hscnet": test_hscnet,
                            "train seqmatchnet": train_seqmatchnet, "test seqmatchnet": test_seqmatchnet,
                            "train nerf": train_nerf, "test nerf": test_nerf}
NERF = ("--N_importance 64 --img_wh 64 64 --noise_std 0 --batch_size 1024 --optimizer adam --lr 5e-4 --lr_scheduler "
        "steplr --decay_step 2 4 8 --decay_gamma 0.5 --val_after_n_epochs 1 --exp_seed 42 ")
LEGO = "train nerf --dataset_name blender --root_dir '/content/drive/MyDrive/nerf_synthetic/lego' --continual_mode "
LARGE = "train nerf --root_dir '/content/drive/MyDrive/Continual NeRF/data' --monitor 'val/loss' "
STREAM = "--dataset_name blender_large_online --online_mode --num_epochs 10 --num_frames 5000 --chunk_size 500 "
REPLAY = ("--use_replay_buf --num_train_in_each_chunk 400 --online_buffer_size 2048000 --online_buffer_fill_mode "
          "'uniform' --online_buffer_sample_mode 'random' ")
RENDERED = ("test nerf --root_dir lego --dataset_name blender --scene_name lego --img_wh 64 64 --N_importance 64 "
            "--ckpt_path epoch=128.ckpt --save_dir_name results ")
SEQMATCHNET = {"options.training.loss": "triplet", "options.training.optimizer": "sgd",
               "options.training.epochs": 50, "options.training.learning_rate": 0.001,
               "options.training.sequence_length": 5, "options.network.out_dims": 4096,
               "options.network.keep_input": 0.0}
SEQNET = SEQMATCHNET | {"options.training.epochs": 200, "options.training.learning_rate": 0.0001,
                        "options.network.pooling": "seqnet"}
PLAIN = {"normalize": False, "split": "test"}

UNDERSTOOD: list[tuple[str, dict[str, object]]] = [
    (("test hscnet --model hscnet --dataset i12S --scene apt1/kitchen --checkpoint /path/to/saved/model/ --data_path "
     "/path/to/data/"),
     {"data.dataset": "i12S", "data.scene": "apt1/kitchen", "model": "hscnet"}),
    (("train hscnet --model hscnet --dataset i7S --n_iter 30000 --data_path /path/to/data/ --dense_pred True "
      "--exp_name name --buffer_size 128 --sampling Imgbal"),
     {"options.iterations": 30000, "options.dense_pred": True, "options.buffer_size": 128, "options.sampling": "Imgbal",
      "exp_name": "name"}),
    (("test hscnet --model scrnet --dataset 12S --scene apt2/bed --checkpoint /path/to/saved/model/ --data_path "
     "/path/to/data/"), {"model": "scrnet", "data.scene": "apt2/bed"}),
    ("train hscnet --model scrnet --dataset 7S --scene heads --n_iter 300000 --data_path /path/to/data/",
     {"options.model": "scrnet", "data.scene": "heads", "options.iterations": 300000}),

    (("train seqmatchnet --mode train --seqL 5 --pooling --dataset oxford-v1.0 --loss_trip_method meanOfPairs "
     "--neg_trip_method meanOfPairs --expName ox10_MoP_negMoP"),
     SEQMATCHNET | {"options.training.loss_method": "meanOfPairs", "exp_name": "ox10_MoP_negMoP"}),
    (("train seqmatchnet --mode train --seqL 5 --pooling --dataset nordland-sw --loss_trip_method meanOfPairs "
     "--neg_trip_method meanOfPairs --expName nord-sw_MoP_negMoP"), SEQMATCHNET | {"data.dataset": "nordland-sw"}),
    (("train seqmatchnet --mode train --seqL 5 --pooling --dataset oxford-v1.0 --loss_trip_method centerOnly "
     "--neg_trip_method centerOnly --expName ox10_CO_negCO"),
     SEQMATCHNET | {"options.training.loss_method": "centerOnly", "options.training.mining_method": "centerOnly"}),
    (("test seqmatchnet --mode test --seqL 5 --pooling -dataset oxford-v1.0 --split test --resume "
     "./data/runs/<name_of_the_model_file>"),
     PLAIN | {"data.dataset": "oxford-v1.0", "model": "./data/runs/<name_of_the_model_file>"}),

    (("train seqmatchnet --mode train --pooling seqnet --dataset nordland-sw --seqL 10 --w 5 --outDims 4096 --expName "
     '"w5"'), SEQNET | {"options.training.sequence_length": 10, "options.network.w": 5}),
    (("train seqmatchnet --mode train --pooling seqnet --dataset oxford-v1.0 --seqL 5 --w 3 --outDims 4096 --expName "
     '"w3"'), SEQNET | {"options.network.w": 3}),
    (("train seqmatchnet --mode train --pooling seqnet --dataset msls --msls_trainCity melbourne --msls_valCity austin "
     '--seqL 5 --w 3 --outDims 4096 --expName "msls_w3"'), SEQNET | {"data.train_city": "melbourne"}),
    (("train seqmatchnet --mode train --pooling seqnet --dataset nordland-sw --seqL 1 --w 1 --outDims 4096 --expName "
     '"w1"'), SEQNET | {"options.training.sequence_length": 1, "options.network.w": 1}),
    (("test seqmatchnet --mode test --pooling seqnet --dataset nordland-sf --seqL 5 --split test --resume "
     "./data/runs/Jun03_15-22-44_l10_w5/"), PLAIN | {"pooling": "seqnet", "seqL": (5,)}),
    (("test seqmatchnet --mode test --pooling seqnet --dataset msls --msls_valCity amman --seqL 5 --split test "
      "--resume ./data/runs/<modelName>/"), PLAIN | {"data.validation_city": "amman"}),
    *((f"test seqmatchnet --mode test --pooling {pooling} --dataset nordland-sf --seqL {length} --split test {more}",
       PLAIN | {"pooling": pooling, "seqL": (length,)}) for pooling, length, more in (
           ("single", 1, ""), ("seqnet", 1, "--resume ./data/runs/Jun03_15-07-46_l1_w1/"), ("smooth", 5, ""),
           ("delta", 5, ""), ("single+seqmatch", 5, ""),
           ("s1+seqmatch", 5, "--resume ./data/runs/Jun03_15-07-46_l1_w1/"),
           ("seqnet", 5, "--resume ./data/runs/Jun03_15-22-44_l10_w5/ --resultsPath ./data/results/"),
           ("s1+seqmatch", 5, ("--resume ./data/runs/Jun03_15-07-46_l1_w1/ --predictionsFile "
                              "./data/results/Jun03_16-07-36_l5_0.npz")))),

    (LEGO + NERF + "--num_epochs 128 --train_view 'right' --monitor 'val/loss_r' --exp_name exp_train_r",
     {"train_view": "right", "options.learning.num_epochs": 128, "options.learning.decay_step": "2,4,8",
      "options.learning.seed": 42, "monitor": "val/loss_r", "options.replay.use_replay": False}),
    (LEGO + NERF + "--num_epochs 256 --train_view 'left' --use_replay_buf --buffer_size 20480 --buffer_fill_mode "
     "'topk' --buffer_sample_mode 'weighted_random' --exploration_ratio 0.2 --dynamic_buffer_update --monitor "
     "'val/loss_l' --exp_name exp_train_l --ckpt_path '/content/drive/exp_train_r/epoch=128.ckpt'",
     {"options.replay.use_replay": True, "options.replay.keep": "rays", "options.replay.buffer_size": 20480,
      "options.replay.fill_mode": "topk", "options.replay.sample_mode": "weighted_random",
      "options.replay.dynamic_update": True, "options.learning.num_epochs": 256}),
    (RENDERED + "--split 'test' --test_view 'right'", {"test_view": "right", "split": "test"}),
    (RENDERED + "--split 'infer_train' --test_view 'NA'", {"test_view": "NA", "split": "infer_train"}),
    (LARGE + NERF + STREAM + "--num_iters_per_chunk 2000 --exp_name exp_online --save_plots",
     {"online_mode": True, "options.online.method": "none", "num_chunks": 10, "num_train_in_each_chunk": 400,
      "options.online.iterations": 2000, "save_plots": True}),
    (LARGE + NERF + STREAM + REPLAY + "--num_iters_per_chunk 2000 --exp_name exp_online_replay --save_plots",
     {"options.online.method": "replay", "options.online.memory_bytes": 44 * 2048000, "num_train_in_each_chunk": 400}),
    # A-GEM is another program there, with the same words; here it is an option
    (LARGE + NERF + STREAM + REPLAY + "--num_iters_per_chunk 2000 --exp_name exp_online_gem --online.method agem",
     {"options.online.method": "agem", "options.online.memory_bytes": 44 * 2048000}),
]
"""Command lines and what they have to set. Words in brackets, of which one is to be chosen, are chosen."""

REFUSED = [
    ("train hscnet --model hscnet --dataset Cambridge --scene ShopFacade --n_iter 600000 --data_path /path/to/data/",
     "option --dataset must be one that is read, found Cambridge; give posed sequences with depth by --sequences"),
    ("test hscnet --dataset=Cambridge --scene ShopFacade --checkpoint /path/to/saved/model/ --data_path /path/to/data/",
     "must be one that is read"),
    (LARGE + NERF + "--dataset_name blender_large --num_epochs 400 --num_frames 5000 --chunk_size 1 "
     "--num_iters_per_chunk 1 --exp_name exp_train_vanilla_5K",
     "option dataset_name must be one that is read, found blender_large; it is the upper bound"),
]


def understood(line: str) -> Any:
    """Return the arguments that a command gets from a line."""
    group, name, *words = shlex.split(line)
    command = COMMANDS[f"{group} {name}"]
    return parse(command.Arguments, command.understood(words), f"{group} {name}")


@pytest.mark.parametrize("line, values", UNDERSTOOD)
def test_a_command_line_of_an_original_is_understood(line: str, values: dict[str, object]) -> None:
    arguments = understood(line)
    assert {name: reduce(getattr, name.split("."), arguments) for name in values} == values


@pytest.mark.parametrize("line, reason", REFUSED)
def test_a_command_line_for_which_there_is_nothing_is_refused_with_a_reason(line: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        understood(line)
