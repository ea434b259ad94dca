"""The options of NeRF-CL's own programs, as words of our commands: their command lines run with ours."""

from __future__ import annotations

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

LISTS = ("--decay_step",)
SAMPLED_ONLINE = ("--exploration_ratio", "--buffer_sample_mode")


def translated(words: list[str], train: bool) -> list[str]:
    """Return a command's words with the originals' names replaced by ours; underscores in names become hyphens."""
    names, result, rest = TRAIN_NAMES if train else TEST_NAMES, [], list(words)
    is_online = train and bool({"--online_cl_mode", "--online_mode", "--online-mode"} & set(words))
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
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
    if is_online and not any(word.startswith(ONLINE + "method") for word in result):
        result += [ONLINE + "method", "none"] if "--online_cl_mode" in words else []
    return result


def _taken_numbers(rest: list[str]) -> list[str]:
    """Remove the numbers that the rest of the words begins with and return them."""
    numbers = []
    while rest and not rest[0].startswith("-"):
        numbers.append(rest.pop(0))
    return numbers
