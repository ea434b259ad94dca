"""The options of NeRF-CL's own programs, as words of our commands: their command lines run with ours."""

from __future__ import annotations

from cl_localization.errors import ConfigError
from cl_localization.research.nerf_cl.image_replay import RAY_BYTES

LEARNING, RENDER, REPLAY, ONLINE = "--learning.", "--render.", "--replay.", "--online."
RENDERING = {"--N_samples": "samples", "--N_importance": "importance-samples", "--use_disp": "in-disparity",
             "--chunk": "chunk"}
TRAIN_NAMES = {
    **{name: RENDER + ours for name, ours in RENDERING.items()},
    "--perturb": RENDER + "perturb", "--noise_std": RENDER + "noise-std",
    "--batch_size": LEARNING + "batch-size", "--num_epochs": LEARNING + "num-epochs",
    "--optimizer": LEARNING + "optimizer",
    "--lr": LEARNING + "learning-rate", "--momentum": LEARNING + "momentum",
    "--weight_decay": LEARNING + "weight-decay",
    "--lr_scheduler": LEARNING + "schedule", "--warmup_multiplier": LEARNING + "warmup-multiplier",
    "--warmup_epochs": LEARNING + "warmup-epochs", "--decay_step": LEARNING + "decay-step",
    "--decay_gamma": LEARNING + "decay-gamma",
    "--poly_exp": LEARNING + "poly-exp", "--exp_seed": LEARNING + "seed",
    "--distillation": REPLAY + "distillation", "--use_replay_buf": REPLAY + "use-replay",
    "--buffer_size": REPLAY + "buffer-size",
    "--buffer_fill_mode": REPLAY + "fill-mode", "--buffer_sample_mode": REPLAY + "sample-mode",
    "--use_soft_targets_for_replay": REPLAY + "soft-targets", "--exploration_ratio": REPLAY + "exploration-ratio",
    "--dynamic_buffer_update": REPLAY + "dynamic-update", "--use_imgcentre_weight": REPLAY + "use-centre-weight",
    "--imgcentre_ratio": REPLAY + "centre-ratio",
    "--online_cl_mode": "--online-mode", "--num_frames": ONLINE + "frames", "--chunk_size": ONLINE + "chunk-size",
    "--num_iters_per_chunk": ONLINE + "iterations", "--online_buffer_sample_mode": ONLINE + "sample-mode",
    "--val_after_n_epochs": "--val-every"}
TEST_NAMES = {"--N_samples": "--samples", "--N_importance": "--importance-samples", "--use_disp": "--in-disparity"}
IGNORED = {"--spheric_poses": 0, "--loss_type": 1, "--num_gpus": 1, "--prefixes_to_ignore": 1, "--scene_name": 1,
           "--resume": 1}
"""Options that have no counterpart, with the number of words after them: streams go on from checkpoint and memory, for
one."""

REFUSED = {"--num_iters_per_epoch": "counts steps of one frame each of an upper bound: give --learning.max-steps",
           "--online_buffer_fill_mode": "images are kept, an even sample of the stream: give uniform or leave it out"}
"""Options that mean something here does not do, and what to do instead."""

LISTS = ("--decay_step",)
RAY_MODES = ("--buffer_fill_mode", "--buffer_sample_mode")
SAMPLED_ONLINE = ("--exploration_ratio", "--buffer_sample_mode")


def translated(words: list[str], train: bool) -> list[str]:
    """Return a command's words with the originals' names replaced by ours; underscores in names become hyphens."""
    names, result, rest = TRAIN_NAMES if train else TEST_NAMES, [], list(words)
    is_online = train and bool({"--online_cl_mode", "--online_mode", "--online-mode"} & set(words))
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag == "--online_buffer_fill_mode" and "uniform" in (value, *rest[:1]):
            rest = rest if equals else rest[1:]
            continue
        if flag in REFUSED:
            raise ConfigError(f"option {flag.lstrip('-')}", "cannot be done", flag, REFUSED[flag])
        if flag == "--online_buffer_size":
            rays = value or (rest.pop(0) if rest else "")
            result += [ONLINE + "memory-bytes", str(RAY_BYTES * int(rays)) if rays.isdigit() else rays]
            continue
        if flag in IGNORED:
            rest = rest if equals else rest[IGNORED[flag]:]
            continue
        ours = names.get(flag, "--" + flag[2:].replace("_", "-") if flag.startswith("--") else flag)
        if is_online and flag in SAMPLED_ONLINE:
            ours = ours.replace(REPLAY, ONLINE)
        if is_online and flag == "--use_replay_buf":
            result += [ONLINE + "method", "replay"]
            continue
        result.append(ours + equals + value)
        if flag in LISTS and not equals:
            result.append(",".join(_taken_numbers(rest)))
    if not is_online and set(RAY_MODES) & set(words) and not any(word.startswith(REPLAY + "keep") for word in result):
        result += [REPLAY + "keep", "rays"]
    return result


def _taken_numbers(rest: list[str]) -> list[str]:
    """Remove the numbers that the rest of the words begins with and return them."""
    numbers = []
    while rest and not rest[0].startswith("-"):
        numbers.append(rest.pop(0))
    return numbers
