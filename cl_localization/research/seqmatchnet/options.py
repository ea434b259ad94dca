"""Options of place recognition: descriptors of images, the network, its training. Names are the field's; defaults train
Nordland."""

from __future__ import annotations

from dataclasses import dataclass

from cl_localization.config import Config, EncoderConfig, option, section

POOLINGS = ("s1+seqmatch", "single+seqmatch", "seqnet", "smooth", "delta", "single")
LEARNED = ("s1+seqmatch", "seqnet")
SEQUENCE_MATCHED = ("s1+seqmatch", "single+seqmatch")
METHODS = ("meanOfPairs", "centerOnly")


@dataclass(frozen=True)
class PlaceDataConfig(Config):
    """Which two traverses are compared, and when two images show one place."""

    database: str = option("", "Traverse driven first: a folder of images, a .npy file of descriptors, or any posed "
                               "sequence.")
    query: str = option("", "Traverse driven later, of the same kind; equal image names mean equal places.")
    dataset: str = option("", "A .db structure, whose descriptors --database and --query name; or a data set by name: "
                              "nordland-sw, "
                          "nordland-sf, oxford-v1.0, oxford-pnv, msls.")
    data_path: str = option("data", "Folder with structFiles and descData, for data sets by name.")
    descriptor_type: str = option("netvlad-pytorch", "Folder in descData, for data sets by name.")
    train_city: str = option("melbourne", "City of msls for training.")
    validation_city: str = option("austin", "City of msls for validation.")
    tolerance: float = option(1.0, "A database image this near to a query shows its place: images, or metres where "
                                   "positions are known.",
                              0, 1e6)
    split_at_gaps: bool = option(False, "Accept image numbers that are left out; no sequence crosses such a gap.")


@dataclass(frozen=True)
class ImageDescriptorConfig(Config):
    """What is computed of each image before the network."""

    kind: str = option("local_contrast", "Local contrast or patch-normalised pixels of a small grey image, or an "
                                         "encoder's features "
                       "pooled by GeM or VLAD, or by their covariance, as maps have it.",
                       choices=("local_contrast", "patch_normalised", "gem", "vlad", "second_order"))
    width_px: int = option(64, "Width of the small grey image [px].", 8, 1024)
    height_px: int = option(32, "Height of the small grey image [px].", 8, 1024)
    patch_px: int = option(8, "Edge of the patches that are normalised [px].", 2, 256)
    sigma_px: float = option(3.0, "Width of the surroundings that local contrast is relative to [px].", 0.3, 100)
    words: int = option(16, "Words of the VLAD vocabulary, learned from the database.", 1, 4096)
    encoder: EncoderConfig = section(EncoderConfig)


@dataclass(frozen=True)
class NetworkConfig(Config):
    """The network from the descriptors of images to those that are compared."""

    pooling: str = option("s1+seqmatch", "s1+seqmatch: SeqMatchNet, each image transformed, sequences matched; seqnet: "
                                         "one descriptor a "
                          "sequence; the others have nothing to learn.", choices=POOLINGS)
    front_end: str = option("auto", "What comes before the transform: a small convolutional network for pixels, or "
                                    "nothing. auto: "
                            "convolutional where there are pixels.", choices=("auto", "convolutional", "none"))
    channels: int = option(16, "Channels of its first layer; later ones have twice as many.", 1, 256)
    out_dims: int = option(0, "Width of the learned descriptors; 0: the maps of the front end as they are, which holds "
                              "best on other stretches, or 512 where there are none (stored descriptors, seqnet).",
                           0, 65536)
    keep_input: float = option(1.0, "Weight of the image's own descriptor, which is appended to the learned one when "
                                    "places are compared (s1+seqmatch only); 0: it is left out.", 0, 100)
    w: int = option(3, "SeqNet: images that its convolution over time spans.", 1, 100)
    dropout: float = option(0.1, "Share of the inputs of the transform left out in training.", 0, 0.95)


@dataclass(frozen=True)
class AugmentationConfig(Config):
    """Changes of pixels in training, other ones for each image."""

    flip: bool = option(True, "Mirror half of the training sequences left to right: another route.")
    shift_px: float = option(3.0, "Largest shift across; half of it up and down [px].", 0, 100)
    zoom_sigma: float = option(0.05, "Spread of the scale.", 0, 0.5)
    noise_sigma: float = option(0.1, "Spread of the noise, in units of the local contrast.", 0, 10)
    erase_share: float = option(0.3, "Share of the images in which a rectangle is blanked.", 0, 1)


@dataclass(frozen=True)
class TrainingConfig(Config):
    """How the network learns."""

    sequence_length: int = option(5, "Images in a sequence, in training.", 1, 1000)
    loss: str = option("contrastive", "contrastive: all sequences of a batch against each other; triplet: the "
                                      "original, with mined "
                       "negatives.", choices=("contrastive", "triplet"))
    loss_method: str = option("meanOfPairs", "What the loss compares: the mean distance along the sequence, or its "
                                             "centre image.",
                              choices=METHODS)
    mining_method: str = option("meanOfPairs", "The same for the choice of triplets.", choices=METHODS)
    single_image_share: float = option(1.0, "Share of the contrastive loss that is of single images, so that they stay "
                                            "good alone.",
                                       0, 1)
    temperature: float = option(0.03, "Sharpness of the contrastive loss; smaller is sharper.", 0.001, 10)
    runs: int = option(4, "Stretches of the traverses in a contrastive batch.", 1, 1000)
    run_length: int = option(32, "Images of each stretch, in each traverse.", 2, 10000)
    batches_per_epoch: int = option(20, "Contrastive batches between two looks at the validation part.", 1, 100000)
    batch_size: int = option(16, "Queries of a triplet batch.", 1, 10000)
    negatives: int = option(10, "Most negatives of a query.", 1, 1000)
    negative_samples: int = option(1000, "Random images among which negatives are sought.", 1, 10**7)
    margin: float = option(0.1, "Margin of the triplet loss; its square root is used.", 0, 4)
    cache_batch_size: int = option(256, "Images that are described at once when nothing is learned.", 1, 100000)
    cache_refresh: int = option(1000, "Queries after which triplets are mined anew; 0: once an epoch.", 0, 10**7)
    epochs: int = option(20, "Passes over the data, or rounds of contrastive batches.", 1, 100000)
    optimizer: str = option("adamw", "Optimizer.", choices=("adamw", "adam", "sgd"))
    learning_rate: float = option(0.002, "Largest learning rate.", 1e-8, 10)
    schedule: str = option("one_cycle", "one_cycle: up, then down to nothing; step: times lr_gamma every lr_step "
                                        "epochs.",
                           choices=("one_cycle", "step", "constant"))
    lr_step: int = option(5, "Epochs between two steps.", 1, 10000)
    lr_gamma: float = option(0.5, "Factor of a step.", 0.001, 1)
    weight_decay: float = option(1e-4, "Weight decay.", 0, 1)
    momentum: float = option(0.9, "Momentum of sgd.", 0, 1)
    validation_share: float = option(0.1, "Last part of the training range that is not trained on but decides which "
                                          "epoch is kept.", 0, 0.9)
    eval_every: int = option(2, "Epochs between two looks at it.", 1, 10000)
    patience: int = option(0, "Looks without a better recall@5 after which training ends; 0: never.", 0, 10000)
    seed: int = option(123, "Seed of everything that is drawn.", 0, 2**31 - 1)


@dataclass(frozen=True)
class SeqMatchNetConfig(Config):
    """Everything that training place recognition can be told."""

    image: ImageDescriptorConfig = section(ImageDescriptorConfig)
    network: NetworkConfig = section(NetworkConfig)
    training: TrainingConfig = section(TrainingConfig)
    augmentation: AugmentationConfig = section(AugmentationConfig)


TRIPLETS, CONTRAST = ("training.loss", ("triplet",)), ("training.loss", ("contrastive",))
PIXELS, FEATURES = ("local_contrast", "patch_normalised"), ("gem", "vlad", "second_order")
USED_WITH = {
    **dict.fromkeys(("training.mining_method", "training.batch_size", "training.negative", "training.margin",
                     "training.cache_refresh"), TRIPLETS),
    **dict.fromkeys(("training.single_image_share", "training.temperature", "training.run",
                     "training.batches_per_epoch", "augmentation."), CONTRAST),
    "training.momentum": ("training.optimizer", ("sgd",)),
    "training.lr_": ("training.schedule", ("step",)),
    **dict.fromkeys(("network.keep_input", "training.loss_method", "training.single_image"),
                    ("network.pooling", ("s1+seqmatch",))),
    "network.w": ("network.pooling", ("seqnet",)),
    "network.channels": ("network.front_end", ("auto", "convolutional")),
    **dict.fromkeys(("image.width_px", "image.height_px", "augmentation"), ("image.kind", PIXELS)),
    "image.sigma_px": ("image.kind", ("local_contrast",)), "image.patch_px": ("image.kind", ("patch_normalised",)),
    "image.words": ("image.kind", ("vlad",)), "image.encoder.": ("image.kind", FEATURES)}
"""By the beginning of an option's name: with which values of which other one it has an effect."""
