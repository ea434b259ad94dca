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
    "--online_buffer_size": ONLINE + "memory-bytes", "--val_after_n_epochs": "--val-every"}
TEST_NAMES = {"--N_samples": "--samples", "--N_importance": "--importance-samples", "--use_disp": "--in-disparity"}
IGNORED = ("--spheric_poses", "--loss_type", "--num_gpus", "--prefixes_to_ignore", "--scene_name")
"""Options that have no counterpart and change nothing here."""

REFUSED = {"--num_iters_per_epoch": "it counts steps of one frame each of an upper bound: give --learning.max-steps",
           "--online_buffer_fill_mode": "images are kept, an even sample of the stream: give uniform or leave it out",
           "--resume": "it is the chunk to begin again with: leave it out, a stream is learned from its first frame"}
"""Options that mean something that is not done here, and what to do instead."""
HARMLESS = {"--online_buffer_fill_mode": "uniform", "--resume": "0"}
"""Values with which they change nothing."""

DATA_SETS = {"llff": "convert it to transforms.json and give --dataset_name sequence",
             "blender_large": "it is the upper bound of the large trajectory, of one frame a step: give "
                              "--dataset_name blender_large_online, or sequence for all frames at once"}
"""Data sets of the original that are not read, and what to give instead."""

LARGE, LARGE_TRAINED = "blender_large_online", ("--num_train_in_each_chunk", "400")
"""The large trajectory, and how many frames of a chunk are learned where the words do not say."""

LISTS = ("--decay_step",)
RAY_MODES = ("--buffer_fill_mode", "--buffer_sample_mode")
METHOD = ONLINE + "method"
ONLINE_NAMES = {"--exploration_ratio": ONLINE + "exploration-ratio", "--buffer_sample_mode": ONLINE + "sample-mode",
                "--num_epochs": "--num-chunks"}
"""Options that have another meaning with a stream: the original takes a pass over a chunk for an epoch."""


def translated(words: list[str], train: bool) -> list[str]:
    """Return a command's words with the originals' names replaced by ours; underscores in names become hyphens.

    Raises:
        ConfigError: an option or a data set of the original that there is nothing for here.
    """
    names, result, rest = TRAIN_NAMES if train else TEST_NAMES, [], list(words)
    is_online = train and bool({"--online_cl_mode", "--online_mode", "--online-mode"} & set(words))
    if is_online and LARGE in words and LARGE_TRAINED[0] not in _names_of(words):
        rest += LARGE_TRAINED
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in IGNORED or flag in REFUSED:
            given = [value] if equals else _taken_values(rest)
            if flag in REFUSED and given != [HARMLESS.get(flag)]:
                raise ConfigError(f"option {flag.lstrip('-')}", "cannot be done", flag, REFUSED[flag])
            continue
        if flag == "--dataset_name" and (value or "".join(rest[:1])) in DATA_SETS:
            name = value or rest[0]
            raise ConfigError("option dataset_name", "must be one that is read", name, DATA_SETS[name])
        if flag == "--online_buffer_size":
            rays = value or (rest.pop(0) if rest else "")
            result += [names[flag], str(RAY_BYTES * int(rays)) if rays.isdigit() else rays]
            continue
        ours = names.get(flag, "--" + flag[2:].replace("_", "-") if flag.startswith("--") else flag)
        if is_online:
            ours = ONLINE_NAMES.get(flag, ours)
        if is_online and flag == "--use_replay_buf":
            result += [] if METHOD in _names_of(words) else [METHOD, "replay"]
            continue
        result.append(ours + equals + value)
        if flag in LISTS and not equals:
            result.append(",".join(_taken_values(rest)))
    if not is_online and set(RAY_MODES) & set(words) and not any(word.startswith(REPLAY + "keep") for word in result):
        result += [REPLAY + "keep", "rays"]
    return result


def _names_of(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words}


def _taken_values(rest: list[str]) -> list[str]:
    """Remove the values that the rest of the words begins with and return them."""
    values = []
    while rest and not rest[0].startswith("-"):
        values.append(rest.pop(0))
    return values
