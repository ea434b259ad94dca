"""The options of `train nerf`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cl_localization.cli.flags import argument, settings
from cl_localization.research.nerf_cl.options import NerfConfig


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Learn a radiance field from posed images: all at once, in two tasks, or online in chunks of frames.

    The options of NeRF-CL's programs are understood by their own names, too: --N_samples, --use_replay_buf,
    --online_cl_mode, ...

    Example: cl_localization train nerf --root_dir lego --img_wh 64 64 --continual_mode --train_view right --out
        right.safetensors
    """

    root_dir: str = argument("Folder with transforms_train.json and so on, or any posed sequence with --dataset_name "
                             "sequence.",
                             metavar="DIR")
    dataset_name: Literal["blender", "blender_online", "blender_large_online", "sequence"] = argument(
        "blender: synthetic scenes; blender_online: these in an order that moves smoothly; blender_large_online: the "
        "trajectory of transforms.json; sequence: posed frames of any kind.", "blender")
    img_wh: tuple[int, int] = argument("Width and height that images are scaled to [px].", (800, 800), metavar="W H")
    continual_mode: bool = argument("Learn the views of one side only: one task of several.", False)
    train_view: Literal["right", "left", "all"] = argument("Which side: camera x > 0 is right.", "all")
    online_mode: bool = argument("Learn online: frames come in chunks and go again.", False)
    num_chunks: int = argument("Chunks of a stream; 0: all that there are.", 0)
    num_train_in_each_chunk: int = argument("Frames of each chunk that are learned, drawn at random, the others are "
                                            "only tested; 0: all.", 0)
    hold_out: int = argument("Every how manieth frame of a stream is only tested; 0: none.", 0)
    eval_groups: int = argument("Parts of a stream that are told apart in the table of forgetting; 0: no table.", 10)
    save_plots: bool = argument("Draw PSNR and forgetting of a stream beside its checkpoint.", False)
    ckpt_path: Path | None = argument("Checkpoint to go on from: with its task if that was not finished, else with the "
                                      "next.", None,
                                      metavar="CKPT")
    out: Path | None = argument("Checkpoint to write.", None, metavar="CKPT", writes="file")
    exp_name: str = argument("Name of the run: checkpoints and TensorBoard events go to a folder of this name.", "")
    runs_path: Path = argument("Folder of runs.", Path("out/nerf"), metavar="FOLDER")
    val_every: int = argument("Epochs between two validations; 0: only at the end.", 0)
    monitor: Literal["val/loss", "val/loss_r",
                     "val/loss_l"] = argument("Which figure chooses the checkpoint best.safetensors of a run.",
                                                                        "val/loss")
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)
    options: NerfConfig = settings(NerfConfig)


def made_of(arguments: Arguments) -> dict[str, Any]:
    """Return what is needed to do the same again."""
    from cl_localization.evaluation.provenance import provenance

    return {"root_dir": arguments.root_dir, "dataset_name": arguments.dataset_name, "img_wh": list(arguments.img_wh),
            "options": asdict(arguments.options), **provenance()}
