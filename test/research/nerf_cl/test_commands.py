from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cl_localization.cli.main import main
from cl_localization.research.nerf_cl.cli_train_online import forgetting_db
from cl_localization.research.nerf_cl.original_names import translated
from nerf_makers import write_frames, write_scene

SMALL = ["--img_wh", "8", "8", "--threads", "1"]
QUICK = [*SMALL, "--voxel.voxels", "1000", "--voxel.upsample-at", "", "--learning.batch-size", "256", "--num_epochs",
         "2"]
ORIGINAL = (
    "--dataset_name blender --N_samples 8 --N_importance 8 --noise_std 0 --batch_size 64 --optimizer adam --lr 5e-4 "
    "--lr_scheduler steplr --decay_step 2 4 8 --decay_gamma 0.5 --continual_mode --num_gpus 1 --loss_type mse --field "
    "mlp "
    "--mlp.layers 2 --mlp.width 8 --threads 1 --img_wh 8 8"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_scene(tmp_path_factory.mktemp("balls"), {"train": 6, "val": 2, "test": 4}))


def train(root: str, *words: str) -> int:
    return main(["train", "nerf", "--root_dir", root, *words])


def test_two_tasks_are_learned_and_tested(root: str, tmp_path: Path, capsys) -> None:
    first, second, result = tmp_path / "1.safetensors", tmp_path / "2.safetensors", tmp_path / "r.json"
    assert train(root, *QUICK, "--continual_mode", "--train_view", "right", "--field", "voxel", "--out",
                 str(first)) == 0
    replay = ["--use_replay_buf", "--buffer_size", "100", "--buffer_fill_mode", "topk", "--buffer_sample_mode",
              "weighted_random",
              "--exploration_ratio", "0.2", "--dynamic_buffer_update", "--use_imgcentre_weight", "--distillation"]
    again = [word if word != "2" else "4" for word in QUICK]
    assert train(root, *again, "--continual_mode", "--train_view", "left", "--ckpt_path", str(first), "--out",
                 str(second), *replay) == 0
    assert "right then left" in capsys.readouterr().out
    test = ["test", "nerf", "--root_dir", root, *SMALL, "--split", "test", "--test_view", "right", "--ckpt_path",
            str(second)]
    assert main([*test, "--json", str(result), "--save_dir_name", str(tmp_path / "images"), "--save_depth", "--film",
                 str(tmp_path / "path.gif"), "--film_frames", "3"]) == 0
    content = json.loads(result.read_text())
    assert content["views"] == 2 and 0 < content["psnr_db_mean"] < 60 and content["tasks"] == ["right", "left"]
    assert sorted(file.name for file in (tmp_path / "images").iterdir()) == [
        "000.png", "001.png", "depth_000.pfm", "depth_000.png", "depth_001.pfm", "depth_001.png"]
    with Image.open(tmp_path / "path.gif") as film:
        assert film.n_frames == 3


def test_the_originals_lines_run(root: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = (f"{ORIGINAL} --num_epochs 1 --monitor val/loss_r --train_view right --exp_name "
           "one --val_after_n_epochs 1 --exp_seed 42")
    assert train(root, *one.split()) == 0
    run = tmp_path / "out" / "nerf" / "one"
    assert (run / "model.safetensors").is_file() and (run / "best.safetensors").is_file() and list(run.glob("events*"))
    two = (
        f"{ORIGINAL} --num_epochs 2 --monitor val/loss_r --train_view left --exp_name two --ckpt_path "
        f"{run}/model.safetensors "
        "--use_replay_buf --buffer_size 64 --buffer_fill_mode topk --buffer_sample_mode weighted_random "
        "--exploration_ratio 0.2 "
        "--dynamic_buffer_update"
    )
    assert train(root, *two.split()) == 0
    for split in ("test", "infer_train"):
        line = (
            f"--dataset_name blender --scene_name test --split {split} --img_wh 8 8 --N_samples 6 --N_importance 6 "
            "--use_disp "
            "--chunk 500 --test_view right --ckpt_path out/nerf/two/model.safetensors --save_dir_name rendered "
            "--threads 1"
        )
        assert main(["test", "nerf", "--root_dir", root, *line.split()]) == 0


def test_the_originals_online_line_runs(root: str, tmp_path: Path) -> None:
    line = (
        "--dataset_name blender_online --img_wh 8 8 --N_samples 8 --N_importance 8 --noise_std 0 --num_epochs 3 "
        "--batch_size 64 "
        "--online_cl_mode --num_frames 6 --chunk_size 2 --num_iters_per_chunk 2 --use_replay_buf --exploration_ratio "
        "0.2 "
        f"--buffer_sample_mode weighted_random --save_plots --field mlp --mlp.layers 2 --mlp.width 8 --threads 1 "
        f"--out {tmp_path}/o.safetensors"
    )
    assert train(root, *line.split()) == 0
    content = json.loads((tmp_path / "o_online.json").read_text())
    assert (
        len(content["psnr_db_seen"]) == 6
        and len(content["psnr_db_matrix"]) == 3
        and content["psnr_db_matrix"][0][1] is None
    )
    assert content["record"]["kept"] == [2, 4, 6]
    assert (tmp_path / "o_online.png").stat().st_size > 10_000


@pytest.mark.parametrize("method", ["none", "replay", "agem"])
def test_frames_with_depth_are_learned_online_and_some_held_out(tmp_path: Path, method: str) -> None:
    write_frames(tmp_path, 6)
    out = tmp_path / "o.safetensors"
    line = (
        "--dataset_name sequence --img_wh 24 24 --threads 1 --online_mode --hold_out 3 --chunk_size 2 "
        "--online.iterations 2 "
        f"--online.method {method} --voxel.voxels 5000 --learning.batch-size 128 --eval_groups 0"
    )
    assert train(str(tmp_path), *line.split(), "--out", str(out)) == 0
    content = json.loads((tmp_path / "o_online.json").read_text())
    assert (
        len(content["psnr_db_seen"]) == 4 and content["psnr_db_mean_held_out"] > 8 and content["psnr_db_matrix"] == []
    )
    more = line.replace("--hold_out 3", "--hold_out 0")
    assert train(str(tmp_path), *more.split(), "--ckpt_path", str(out), "--out", str(tmp_path / "p.safetensors")) == 0
    kept = [0, 0, 0] if method == "none" else [6, 8, 10]
    assert json.loads((tmp_path / "p_online.json").read_text())["record"]["kept"] == kept
    test = ["test", "nerf", "--root_dir", str(tmp_path), "--dataset_name", "sequence", "--img_wh", "24", "24",
            "--ckpt_path", str(out)]
    assert main([*test, "--every", "2", "--threads", "1"]) == 0


def test_forgetting_is_that_of_all_streams_of_tasks_and_less_than_nothing_where_parts_became_better() -> None:
    nan = np.nan
    assert forgetting_db(np.array([[20.0, nan, nan], [24.0, 22.0, nan], [21.0, 23.0, 25.0]])) == pytest.approx(
        (3.0 - 1.0) / 2
    )
    assert forgetting_db(np.array([[20.0]])) == forgetting_db(np.zeros((0, 0))) == 0.0


def test_a_task_cut_short_goes_on_where_it_stopped(root: str, tmp_path: Path) -> None:
    from cl_localization.research.nerf_cl.field_file import load_checkpoint, save_checkpoint

    path = tmp_path / "x.safetensors"
    task = ["--continual_mode", "--train_view", "right", "--out", str(path)]
    assert train(root, *QUICK, *task) == 0
    checkpoint = load_checkpoint(path)
    checkpoint.finished, checkpoint.progress.last_epoch = False, 3
    save_checkpoint(checkpoint, path)
    assert train(root, *QUICK, *task, "--ckpt_path", str(path)) == 0
    again = load_checkpoint(path)
    assert again.progress.epoch == 3 and again.tasks == ("right",) and again.finished


@pytest.mark.parametrize(("words", "message"), [
    (["--continual_mode", "--out", "x"], "continual_mode needs a side"),
    ([], "option out is missing"),
    (["--img_wh", "8", "9", "--out", "x"], "img_wh must be square"),
    (["--img_wh", "0", "0", "--out", "x"], "img_wh must be positive"),
    (["--near", "7", "--out", "x"], "near must be less than far"),
    (["--online_mode", "--num_train_in_each_chunk", "3", "--out", "x", *QUICK], "must be at most chunk_size, 2"),
    (["--num_iters_per_epoch", "200"], "num_iters_per_epoch cannot be done"),
    (["--online_buffer_fill_mode", "highest_loss"], "online_buffer_fill_mode cannot be done"),
    (["--online_mode", "--use_replay_buf", "--online.memory-bytes", "5", "--out", "x", *QUICK],
     "must fit into the buffer's 5 bytes"),
    (["--resume", "3"], "option resume cannot be done"),
    (["--dataset_name", "llff"], "convert it to transforms.json"),
    (["--ckpt_path", "missing", "--out", "x", *SMALL], "must be a file")])
def test_what_cannot_be_trained_is_said_in_one_line(root: str, tmp_path: Path, monkeypatch, capsys, words: list[str],
                                                    message: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert train(root, *words) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_names_of_the_original_are_understood() -> None:
    assert translated("--lr 0.1 --decay_step 2 4 8 --lr_scheduler cosine --num_gpus 2 --use_disp".split(),
                      train=True) == [
        "--learning.learning-rate", "0.1", "--learning.decay-step", "2,4,8", "--learning.schedule", "cosine",
        "--render.in-disparity"]
    assert translated(["--exploration_ratio=0.3"], train=True) == ["--replay.exploration-ratio=0.3"]
    assert translated("--online_cl_mode --exploration_ratio 0.3".split(), train=True) == [
        "--online-mode", "--online.exploration-ratio", "0.3"]
    large = "--online_mode --use_replay_buf --online_buffer_size 100 --online_buffer_fill_mode uniform"
    assert translated(large.split(), train=True) == [
        "--online-mode", "--online.method", "replay", "--online.memory-bytes", "4400"]
    assert translated("--online_mode --online.method agem --use_replay_buf --num_epochs 4".split(), train=True) == [
        "--online-mode", "--online.method", "agem", "--num-chunks", "4"]
    assert translated("--prefixes_to_ignore a b --resume 0".split(), train=True) == []
    assert translated(["--buffer_sample_mode", "topk"], train=True) == [
        "--replay.sample-mode", "topk", "--replay.keep", "rays"]
    assert translated("--N_samples 5 --scene_name a --test_view NA".split(), train=False) == [
        "--samples",
        "5",
        "--test-view",
        "NA",
    ]


def test_a_large_trajectory_is_learned_in_chunks_of_which_some_frames_are_drawn(root: str, tmp_path: Path) -> None:
    large = tmp_path / "large"
    write_scene(large, {"train": 12})
    (large / "transforms_train.json").rename(large / "transforms.json")
    line = ("--dataset_name blender_large_online --img_wh 8 8 --threads 1 --online_mode --use_replay_buf --num_chunks "
            "2 --chunk_size 5 --num_train_in_each_chunk 3 --num_iters_per_chunk 2 --online_buffer_size 2000 "
            "--eval_groups 2 --online.settle-steps 1 --voxel.voxels 1000 --learning.batch-size 64")
    assert train(str(large), *line.split(), "--out", str(tmp_path / "o.safetensors")) == 0
    content = json.loads((tmp_path / "o_online.json").read_text())
    assert len(content["psnr_db_seen"]) == 6 and content["record"]["kept"] == [3, 6]
    assert content["psnr_db_mean_held_out"] > 5 and content["record"]["settling_seconds"] > 0


def test_the_voxel_field_says_which_options_it_does_not_use(root: str, tmp_path: Path, capsys) -> None:
    words = ["--field", "voxel", "--lr", "0.001", "--N_samples", "5", "--out", str(tmp_path / "x.safetensors")]
    assert train(root, *SMALL, *words, "--voxel.voxels", "1000", "--num_epochs", "1", "--learning.max-steps", "1") == 0
    assert "does not use render.samples, learning.learning_rate; --field mlp does" in capsys.readouterr().err
